"""At which hours of the week quota is used: the mean of the last eight weeks.

An hour counts only where it was watched: what was used in a time without readings has no hour, and
an hour without readings is none in which nothing was used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from quota_web import store
from quota_web.core.display_order import window_order
from quota_web.core.quota import FIVE_HOUR, is_own
from quota_web.store.history import Series

HOUR, WEEKS = 3_600, 8
PERIOD_S = WEEKS * 7 * 86_400
#: The busiest time is so many hours of one day long.
BUSY_HOURS = 2
HOURS_A_DAY, DAYS = 24, 7


@dataclass(frozen=True, slots=True)
class BusiestTime:
    """The hours of a weekday (Monday is 0) in which most is used, and how much an hour."""

    weekday: int
    start: int
    end: int
    points: float


@dataclass(frozen=True, slots=True)
class HoursOfWeek:
    """Points that are used in each hour of the week."""

    #: The window whose points they are, and how many windows of that key are summed.
    key: str
    windows: int
    #: Mean points by weekday (Monday first) and hour; None where that hour was never watched.
    points: tuple[tuple[float | None, ...], ...]
    #: How many weeks of hours were watched.
    weeks: float

    @property
    def most(self) -> float:
        """The points of the hour in which most is used."""
        return max((v for day in self.points for v in day if v is not None), default=0.0)

    @property
    def busiest(self) -> BusiestTime | None:
        """None where nothing was used."""
        found = [
            BusiestTime(weekday, start, start + BUSY_HOURS, sum(stretch) / BUSY_HOURS)
            for weekday, day in enumerate(self.points)
            for start in range(HOURS_A_DAY - BUSY_HOURS + 1)
            if (stretch := [v or 0.0 for v in day[start : start + BUSY_HOURS]])
        ]
        best = max(found, key=lambda one: one.points)
        return best if best.points > 0 else None


def load(
    account_ids: Sequence[int], carry_s: int, now: int, zone: tzinfo | None
) -> HoursOfWeek | None:
    """The hours of these accounts' five-hour windows, or of another that they have; None where they
    have none. *carry_s* is how far apart readings may be for the time between to count as watched.
    """
    with store.database.reading() as conn:
        found = [s for s in store.history.series(conn, account_ids, None) if is_own(s.key)]
        key = _counted_key(found)
        ids = [s.window_id for s in found if s.key == key]
        start = now - PERIOD_S
        rows = store.history.hourly_rises(conn, ids, start - start % HOUR, now)
    return None if key is None else fold(key, len(ids), rows, carry_s, zone)


def _counted_key(found: Iterable[Series]) -> str | None:
    """Five-hour windows tell most of an hour; where there is none, the shortest does."""
    keys = {s.key for s in found}
    if FIVE_HOUR in keys:
        return FIVE_HOUR
    return min(keys, key=lambda key: (window_order(key), key), default=None)


def fold(
    key: str,
    windows: int,
    rows: Sequence[tuple[int, float, int]],
    carry_s: int,
    zone: tzinfo | None,
) -> HoursOfWeek:
    """The hours of the week from hours of the calendar: start, points, readings; oldest first."""
    sums = [[0.0] * HOURS_A_DAY for _ in range(DAYS)]
    counts = [[0] * HOURS_A_DAY for _ in range(DAYS)]
    for slot, points in watched(rows, carry_s):
        local = datetime.fromtimestamp(slot, zone)
        sums[local.weekday()][local.hour] += points
        counts[local.weekday()][local.hour] += 1
    mean = tuple(
        tuple(s / n if n else None for s, n in zip(*day, strict=True))
        for day in zip(sums, counts, strict=True)
    )
    hours = sum(map(sum, counts))
    return HoursOfWeek(key, windows, mean, hours / (DAYS * HOURS_A_DAY))


def watched(rows: Iterable[tuple[int, float, int]], carry_s: int) -> Iterable[tuple[int, float]]:
    """Each watched hour with its points. Between two readings close enough nothing more was used
    than the later one shows; what an hour after a longer time shows may be of any time before it.
    """
    before: int | None = None
    for slot, points, count in rows:
        if not count:
            continue
        if before is not None and slot - before <= max(carry_s, HOUR):
            yield from ((at, 0.0) for at in range(before + HOUR, slot, HOUR))
            yield slot, points
        before = slot
