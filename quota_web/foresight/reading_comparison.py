"""What happened between two readings of one window, and whether so much is usual at that hour."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from statistics import median

from quota_web.core import names, times
from quota_web.foresight.event_types import Event
from quota_web.foresight.segments import SAME_RESET_S

HOUR = 3_600
#: More than this many times what nine of ten such hours took is an unusual drain.
UNUSUAL = 3
#: A drain of fewer points is never unusual: whole percents jump by one or two anyway.
LEAST_POINTS = 5
#: So short a time is judged as if it were this long, because use comes in bursts.
LEAST_S = 900
#: An hour of the week is known from so many weeks on.
LEAST_WEEKS = 4


@dataclass(frozen=True, slots=True)
class UsualHour:
    """Points used in one hour of the week, over the weeks in which it was read."""

    median: float
    p90: float
    weeks: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading as it came."""

    at: int
    used_percent: float
    resets_at: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two readings of one window and what came between them; rates in points an hour."""

    account: str
    window: str
    before: Measured
    after: Measured
    #: Points used; negative where the used percent fell.
    change: float
    rate: float | None
    #: What such hours usually take; None where too few weeks were seen.
    usual_rate: float | None
    usual_p90: float | None
    #: In how many weeks at least each of these hours was read.
    weeks: int
    is_unusual_drain: bool
    #: What was judged to have happened meanwhile, withdrawn or not.
    events: tuple[Event, ...]

    @property
    def elapsed_s(self) -> int:
        return self.after.at - self.before.at

    @property
    def reset_moved_s(self) -> int | None:
        """By how much the reset moved; None where one of the two has none."""
        if self.before.resets_at is None or self.after.resets_at is None:
            return None
        return self.after.resets_at - self.before.resets_at


Usual = Mapping[int, UsualHour]


def usual_hours(hours: Iterable[tuple[int, float]], zone: tzinfo | None) -> Usual:
    """What each hour of the week usually takes, Monday's first hour being 0.

    *hours* are those that were read: the moment each began, and the points used in it.
    """
    points: dict[int, list[float]] = defaultdict(list)
    for start, used in hours:
        points[_hour_of_week(start, zone)].append(used)
    seen = {hour: used for hour, used in points.items() if len(used) >= LEAST_WEEKS}
    return {hour: UsualHour(median(used), _p90(used), len(used)) for hour, used in seen.items()}


def between(
    account: str,
    window: str,
    readings: tuple[Measured, Measured],
    usual: Usual,
    zone: tzinfo | None,
    events: Iterable[Event] = (),
) -> Evidence:
    """What happened between two *readings*, the older first."""
    before, after = readings
    change, elapsed = after.used_percent - before.used_percent, after.at - before.at
    parts = [(usual.get(hour), seconds) for hour, seconds in _hours(before.at, after.at, zone)]
    known = [(hour, seconds) for hour, seconds in parts if hour is not None]
    is_known = len(known) == len(parts) > 0
    mean = sum(h.median * s for h, s in known) / elapsed if is_known else None
    p90 = sum(h.p90 * s for h, s in known) / elapsed if is_known else None
    return Evidence(
        account,
        window,
        before,
        after,
        change,
        change / elapsed * HOUR if elapsed else None,
        mean,
        p90,
        min((h.weeks for h, _ in known), default=0) if is_known else 0,
        p90 is not None and _is_unusual(change, elapsed, p90),
        tuple(e for e in events if _is_part(e, account, window, before.at, after.at)),
    )


def report(found: Sequence[Evidence], accounts: Iterable[str]) -> str:
    """All of it as text for a bug report; *accounts* are the names of all there are.

    It holds no e-mail address, id or token: names that do are replaced, the rest is numbers.
    """
    shown = names.shareable(accounts)
    return "\n".join(line for one in found for line in [*_lines(one, shown), ""])


def changes(found: Iterable[Evidence]) -> str:
    """Each of these in one line, without names."""
    return "".join(f"{_line(one)}\n" for one in found)


def table(
    found: Sequence[Evidence],
    accounts: Iterable[str],
) -> tuple[Sequence[str], list[list[object]]]:
    """The same as columns and rows, for CSV; None where nothing is known."""
    shown = names.shareable(accounts)
    return _COLUMNS, [_row(one, shown) for one in found]


_COLUMNS = (
    "account",
    "window",
    "before_taken_at",
    "before_used_percent",
    "before_resets_at",
    "after_taken_at",
    "after_used_percent",
    "after_resets_at",
    "change",
    "points_per_hour",
    "usual_points_per_hour",
    "usual_p90",
    "usual_weeks",
    "unusual_drain",
    "events",
)


def _row(one: Evidence, shown: Mapping[str, str]) -> list[object]:
    before, after = _cells(one.before), _cells(one.after)
    usual = [one.usual_rate, one.usual_p90, one.weeks, one.is_unusual_drain]
    events = " ".join(event.kind for event in one.events if event.withdrawn_at is None)
    name = _name(one.account, shown)
    return [name, one.window, *before, *after, one.change, one.rate, *usual, events]


def _cells(one: Measured) -> list[object]:
    return [times.iso(one.at), one.used_percent, times.iso(one.resets_at)]


def _is_unusual(change: float, elapsed: int, p90: float) -> bool:
    most = UNUSUAL * p90 * max(elapsed, LEAST_S) / HOUR
    return change >= LEAST_POINTS and change > most


def _is_part(event: Event, account: str, window: str, since: int, until: int) -> bool:
    is_mine = event.account in (None, account) and event.window in (None, window)
    return is_mine and since < event.at <= until


def _p90(values: Sequence[float]) -> float:
    """The value that nine of ten do not exceed."""
    return sorted(values)[-(-9 * len(values) // 10) - 1]


def _hour_of_week(at: int, zone: tzinfo | None) -> int:
    local = datetime.fromtimestamp(at, zone)
    return local.weekday() * 24 + local.hour


def _hours(since: int, until: int, zone: tzinfo | None) -> Iterator[tuple[int, int]]:
    """The hours of the week from *since* to *until*, with the seconds that fall into each."""
    at = since
    while at < until:
        local = datetime.fromtimestamp(at, zone)
        end = min(until, at + HOUR - local.minute * 60 - local.second)
        yield local.weekday() * 24 + local.hour, end - at
        at = end


def _lines(one: Evidence, shown: Mapping[str, str]) -> Iterator[str]:
    yield f"{_name(one.account, shown)} · {one.window}"
    yield f"before   {_reading(one.before)}"
    yield f"after    {_reading(one.after)}"
    yield f"changed  {_change(one)}"
    yield f"usual    {_usual(one)}"
    if one.is_unusual_drain:
        yield "unusual_drain"
    for event in one.events:
        withdrawn = "" if event.withdrawn_at is None else f", withdrawn {_at(event.withdrawn_at)}"
        yield f"event    {_at(event.at)}  {event.kind}{withdrawn}"


def _name(account: str, shown: Mapping[str, str]) -> str:
    # A name that is not among them is of an account that has gone since.
    return shown[account] if account in shown else names.shareable([account])[account]


def _at(at: int) -> str:
    return times.local(at, UTC)


def _reading(one: Measured) -> str:
    reset = "no reset" if one.resets_at is None else f"resets {_at(one.resets_at)}"
    return f"{_at(one.at)}  {one.used_percent:g} % used  {reset}"


def _change(one: Evidence) -> str:
    rate = "" if one.rate is None else f" ({one.rate:.1f} points an hour)"
    return f"{one.change:+g} points in {one.elapsed_s} s{rate}, {_moved(one)}"


def _line(one: Evidence) -> str:
    used = f"{one.before.used_percent:g} → {one.after.used_percent:g} %"
    mark = ", unusual_drain" if one.is_unusual_drain else ""
    return f"{_at(one.before.at)}  {used}: {_change(one)}{mark}"


def _moved(one: Evidence) -> str:
    moved = one.reset_moved_s
    if moved is None:
        return "a reset is missing"
    return "the same reset" if abs(moved) <= SAME_RESET_S else f"the reset moved by {moved:+d} s"


def _usual(one: Evidence) -> str:
    if one.usual_rate is None or one.usual_p90 is None:
        return f"unknown: these hours were read in fewer than {LEAST_WEEKS} weeks"
    rate, p90 = f"{one.usual_rate:.1f} points an hour", f"{one.usual_p90:.1f}"
    return f"{rate} at these hours, 9 of 10 at most {p90} ({one.weeks} weeks)"
