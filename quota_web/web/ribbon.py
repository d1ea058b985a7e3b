"""When quota comes back over the next seven days: as a ribbon with a row an account, and as an
agenda by time; pure.

Rows are entries of `/api/results`. The first twelve hours take a third of the width, since that is
where five-hour windows come back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from quota_web.core.display_order import Group
from quota_web.core.language import gettext as _
from quota_web.core.quota import SPEND, is_own
from quota_web.reports import outlook_words
from quota_web.web import formats, list_row
from quota_web.web.account_state import Row
from quota_web.web.formats import epoch
from quota_web.web.list_row import Window

HOUR, DAY = 3_600, 86_400
LENGTH_S = 7 * DAY
#: The beginning, which is drawn wider, and its share of the width in percent.
NEAR_S, NEAR_SHARE = 12 * HOUR, 32.0
#: Accounts with a row of their own.
MOST_ROWS = 8
#: Entries of the agenda.
MOST_ENTRIES = 40
#: From this chance on a stretch is drawn as likely used up.
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Return:
    """A window that is full again."""

    account: str
    at: int
    key: str
    #: Whether it is one of up to a day.
    is_short: bool
    #: Whether the account is used up until then.
    ends_block: bool = False


@dataclass(frozen=True, slots=True)
class Drought:
    """A stretch in which an account is used up, or likely so."""

    account: str
    start: int
    end: int
    #: The window that runs out and the chance of it in words; None for one that is used up now.
    key: str | None = None
    chance: str = ""


@dataclass(frozen=True, slots=True)
class RibbonRow:
    account: str
    returns: tuple[Return, ...]
    droughts: tuple[Drought, ...]


@dataclass(frozen=True, slots=True)
class DayMark:
    """A mark of the axis: its place in percent, and its words."""

    place: float
    words: str
    is_day: bool


@dataclass(frozen=True, slots=True)
class Ribbon:
    """What is drawn; empty `agenda`: nothing comes back in that time."""

    rows: tuple[RibbonRow, ...]
    ticks: tuple[DayMark, ...]
    #: Returns and coming droughts by time.
    agenda: tuple[Return | Drought, ...]
    #: How many more accounts have nothing but a reset, or do not fit, and the first of those.
    folded: int
    first_folded: int | None
    #: Entries that the agenda leaves out.
    later: int


def waits(row: Row) -> bool:
    """Whether it is an account that comes back by itself; each login is one once."""
    return row["group"] in (Group.USABLE, Group.BLOCKED) and row["same_login_as"] is None


def ribbon(rows: Iterable[RibbonRow], now: int, marks: Sequence[DayMark]) -> Ribbon:
    """The next seven days of the accounts that wait, below the *marks* of the axis."""
    made = [one for one in rows if one.returns or one.droughts]
    # Where there is nothing but resets, those are drawn: the frame would be empty.
    shown = [one for one in made if _is_shown(one)] or made
    chosen = sorted(shown, key=_order)[:MOST_ROWS]
    names = {one.account for one in chosen}
    others = [one for one in made if one.account not in names]
    entries = sorted((entry for one in made for entry in _entries(one, now)), key=_moment)
    return Ribbon(
        tuple(chosen),
        tuple(marks),
        tuple(entries[:MOST_ENTRIES]),
        len(others),
        min((r.at for one in others for r in one.returns), default=None),
        max(0, len(entries) - MOST_ENTRIES),
    )


def place(at: float, now: int) -> float:
    """Where a moment stands, in percent of the width."""
    away = min(max(0.0, at - now), LENGTH_S)
    if away <= NEAR_S:
        return round(NEAR_SHARE * away / NEAR_S, 2)
    far = (away - NEAR_S) / (LENGTH_S - NEAR_S)
    return round(NEAR_SHARE + (100 - NEAR_SHARE) * far, 2)


def ribbon_row(row: Row, now: int) -> RibbonRow:
    """What comes back of one account."""
    windows = [w for w in row["windows"] if _counts(w)]
    until = epoch(row["blocked_until"]) if row["blocked"] and row["blocked_until"] else None
    returns = (_return(row["account"], w, until, now) for w in windows)
    droughts = (_likely(row["account"], w, now) for w in windows if not row["blocked"])
    used_up = [Drought(row["account"], now, until)] if until is not None and until > now else []
    return RibbonRow(
        row["account"],
        tuple(sorted((one for one in returns if one), key=_moment)),
        (*used_up, *(one for one in droughts if one)),
    )


def _counts(window: Window) -> bool:
    """Own windows, and a spend limit that is reached: one that is not blocks no account."""
    return is_own(window["key"]) or (window["key"] == SPEND and window["remaining_percent"] <= 0)


def _return(account: str, window: Window, until: int | None, now: int) -> Return | None:
    at = window["resets_at"]
    if at is None or window["used_percent"] <= 0 or not now < epoch(at) <= now + LENGTH_S:
        return None
    if until is not None and epoch(at) < until:
        # Another window is used up for longer: nothing comes back yet.
        return None
    return Return(account, epoch(at), window["key"], list_row.is_short(window), until == epoch(at))


def _likely(account: str, window: Window, now: int) -> Drought | None:
    said = window.get("forecast")
    if not said or said["state"] != "forecast" or window["resets_at"] is None:
        return None
    chance, when = said["run_out_probability"], said["if_runs_out"]
    if chance is None or chance < LIKELY or when is None:
        return None
    start, end = max(now, epoch(when["at"])), epoch(window["resets_at"])
    if not start < min(end, now + LENGTH_S):
        return None
    return Drought(account, start, end, window["key"], outlook_words.chance(chance))


def _is_shown(one: RibbonRow) -> bool:
    """Whether there is more to draw than the reset of a long window."""
    return bool(one.droughts) or any(r.is_short for r in one.returns)


def _order(one: RibbonRow) -> tuple[bool, bool, int, str]:
    """Accounts that wait first, the soonest back first; then by what comes next."""
    waits = [d.end for d in one.droughts if d.key is None]
    dries = [d.start for d in one.droughts if d.key is not None]
    first = min(waits or dries or [r.at for r in one.returns])
    return (not waits, not dries, first, one.account)


def _entries(one: RibbonRow, now: int) -> Iterator[Return | Drought]:
    yield from one.returns
    yield from (d for d in one.droughts if d.key is not None)
    for drought in one.droughts:
        known = any(r.ends_block for r in one.returns)
        if drought.key is None and not known and drought.end <= now + LENGTH_S:
            yield Return(one.account, drought.end, "", is_short=False, ends_block=True)


def _moment(one: Return | Drought) -> int:
    return one.at if isinstance(one, Return) else one.start


def ticks(now: int, zone: tzinfo | None) -> Iterator[DayMark]:
    """Every third hour of the near part, and each day after it, in a zone."""
    yield DayMark(0.0, _("now"), is_day=True)
    hour = formats.in_zone(now, zone).replace(minute=0, second=0, microsecond=0)
    for at in range(int(hour.timestamp()) + HOUR, now + LENGTH_S + 1, HOUR):
        moment, away = datetime.fromtimestamp(at, hour.tzinfo), at - now
        if moment.hour == 0 and away > 0:
            yield DayMark(place(at, now), _day(moment), is_day=True)
        elif HOUR < away < NEAR_S - HOUR and moment.hour % 3 == 0:
            yield DayMark(place(at, now), f"{moment:%H:%M}", is_day=False)


def _day(moment: datetime) -> str:
    return _("%(weekday)s %(day)s", weekday=formats.weekday(moment), day=moment.day)


def spoken(shown: Sequence[RibbonRow]) -> list[Return | Drought]:
    """What the drawn rows show, row by row, for readers who see no picture."""
    found: list[Return | Drought] = []
    for one in shown:
        found += [*one.droughts, *one.returns]
    return found
