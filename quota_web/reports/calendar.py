"""The resets that lie ahead, as entries of a calendar. Each login comes once; untouched, outdated
and flapping windows are left out, since their resets are none to wait for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from operator import attrgetter

from quota_web import store
from quota_web.core import icalendar, labels
from quota_web.core.icalendar import CalendarEntry
from quota_web.core.language import gettext as _
from quota_web.core.quota import NAMED_LENGTHS, WEEKLY, is_own
from quota_web.core.times import iso_text
from quota_web.foresight import Forecast, ForecastState, WindowHistory, chance_in_words, settled
from quota_web.reports import outlook, overview, reading_validity, shared_view
from quota_web.reports.overview import AccountView, ViewCache
from quota_web.services import services
from quota_web.store.accounts import Scope
from quota_web.store.windows import KnownWindow

NAME = "Codex Quota"
#: From this length on (in seconds, a little less than a week) a window is long.
LONG_S = round(NAMED_LENGTHS[WEEKLY] * 0.95)
#: A run-out is shown from this chance on.
LIKELY = 0.65
#: A forecast is of this cycle where its reset is no farther from the cycle's.
SAME_RESET_S = 180
#: So many of the newest readings tell whether a window flaps.
READINGS = 12
#: Older than any reading.
FOR_EVER = 2**40


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """What a calendar is to show."""

    #: Empty: all.
    accounts: tuple[str, ...] = ()
    #: Whether windows shorter than a week are shown, too.
    with_short: bool = False
    #: Whether names that hold an address, id or token are shown.
    with_names: bool = False


@dataclass(frozen=True, slots=True)
class RunOut:
    """What a stored forecast says of a window."""

    #: That it runs out before its reset.
    probability: float
    #: If so, most likely then, in epoch seconds.
    at: int
    made_at: int


@dataclass(frozen=True, slots=True)
class ResetAhead:
    """A reset that lies ahead."""

    account_id: int
    account: str
    window: KnownWindow
    resets_at: int
    #: The number of the window's cycle that ends with it.
    cycle: int
    run_out: RunOut | None

    @property
    def uid(self) -> str:
        return f"account-{self.account_id}-{self.window.reading.key}-cycle-{self.cycle}"


def text(scope: Scope, query: CalendarQuery, now: int, interval_s: int, zone: tzinfo | None) -> str:
    """The calendar as a file's text; *zone* decides on which day a run-out falls.

    Raises AccountNotFound.
    """
    return icalendar.text(NAME, entries(ahead(scope, query, now, interval_s), zone))


def entries(resets: Iterable[ResetAhead], zone: tzinfo | None) -> Iterator[CalendarEntry]:
    """A reset's own entry, and one of the whole day on which its window will probably run out."""
    for one in resets:
        reading, stamp = one.window.reading, one.window.taken_at or 0
        about = {"account": one.account, "window": labels.window_title(reading.key).lower()}
        rest = f"{reading.remaining_percent:.0f}"
        left = _("%(left)s %% was left at %(time)s.", left=rest, time=iso_text(stamp))
        words = _("%(account)s: %(window)s quota resets", **about)
        yield CalendarEntry(f"{one.uid}@codex-quota", one.resets_at, words, left, stamp)
        if (likely := one.run_out) is not None and likely.probability >= LIKELY:
            day = datetime.fromtimestamp(likely.at, zone).date()
            chance = chance_in_words(likely.probability)
            words = _(
                "%(account)s: %(window)s quota may run out (%(chance)s)", **about, chance=chance
            )
            uid = f"{one.uid}-run-out@codex-quota"
            yield CalendarEntry(uid, day, words, left, likely.made_at)


def ahead(scope: Scope, query: CalendarQuery, now: int, interval_s: int) -> list[ResetAhead]:
    """The resets ahead, by account and window. Raises AccountNotFound."""
    seen = services().the(ViewCache).overview(scope, now, interval_s)
    views = {view.account.id: view for view in _chosen(seen.accounts, query.accounts)}
    shown = shared_view.shown_names(seen.accounts, query.with_names)
    with store.database.reading() as conn:
        windows = store.windows.windows(conn, sorted(views))
        wanted = [w for of_one in windows.values() for w in of_one if _is_wanted(w, query)]
        ids = [window.id for window in wanted]
        readings = store.calendar.newest_readings(conn, ids, READINGS)
        numbers = store.calendar.last_cycles(conn, ids)
    found = []
    for window in sorted(wanted, key=attrgetter("account_id", "id")):
        view = views[window.account_id]
        resets_at = _reset_ahead(view, window, readings.get(window.id, ()), now, interval_s)
        if resets_at is None:
            continue
        number = numbers.get(window.id, 0) + 1
        run_out = _run_out(view, window, resets_at) if _is_long(window) else None
        found.append(
            ResetAhead(
                view.account.id, shown[view.account.name], window, resets_at, number, run_out
            )
        )
    return found


def _chosen(accounts: Sequence[AccountView], wanted: Sequence[str]) -> list[AccountView]:
    """The accounts that are wanted, each login once."""
    chosen, missing = overview.pick(accounts, wanted)
    if missing:
        raise missing[0]
    names_chosen = {view.account.name for view in chosen}
    return [view for view in chosen if view.same_login_as not in names_chosen]


def _is_wanted(window: KnownWindow, query: CalendarQuery) -> bool:
    is_there = window.gone_at is None and window.taken_at is not None
    return is_there and is_own(window.reading.key) and (query.with_short or _is_long(window))


def _is_long(window: KnownWindow) -> bool:
    reading = window.reading
    return (reading.length_s or NAMED_LENGTHS.get(reading.key, 0)) >= LONG_S


def _reset_ahead(
    view: AccountView,
    window: KnownWindow,
    rows: Sequence[store.calendar.Row],
    now: int,
    interval_s: int,
) -> int | None:
    """When a window resets; None where it has not started, flaps, or was read too long ago."""
    if not rows:
        return None
    at, used, resets = zip(*rows, strict=True)
    history = WindowHistory(window.reading.key, window.reading.length_s, at, used, resets)
    # An exhausted account is not read before its reset, and nothing changes until then.
    is_waiting = view.block.blocked and view.block.until is not None
    fresh_for_s = 2 * reading_validity.due_interval(view.account, interval_s)
    said: Forecast = settled(history, now, FOR_EVER if is_waiting else fresh_for_s)
    is_ahead = said.state in (ForecastState.FORECAST, ForecastState.EXHAUSTED)
    return said.resets_at if is_ahead else None


def _run_out(view: AccountView, window: KnownWindow, resets_at: int) -> RunOut | None:
    """What the stored forecast says of the cycle that ends at *resets_at*."""
    said = outlook.forecast_of(view, window.reading.key)
    if said is None or said.run_out_probability is None or said.run_out_in is None:
        return None
    if said.resets_at is None or abs(said.resets_at - resets_at) > SAME_RESET_S:
        return None
    middle = said.made_at + round(said.run_out_in[1])
    return RunOut(said.run_out_probability, middle, said.made_at)
