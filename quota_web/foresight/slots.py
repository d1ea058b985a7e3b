"""Use in even slots of time that end now, and the profile: how much is used at which hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import accumulate

from quota_web.foresight.history import DAY, HOUR, Past
from quota_web.foresight.model_parameters import PRIOR_WINDOWS, Tuning

#: A day's weight in the profile halves in so many days.
PROFILE_HALF_LIFE_DAYS = 28
#: The days whose course the time ahead repeats.
REPEATED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots of *step* seconds: *past* of them end now, *ahead* of them reach over the reset."""

    start: int
    step: int
    past: int
    ahead: int
    #: Per slot its local hour of day, plus 24 on a week-end day.
    hours: Sequence[int]
    #: Per slot its local weekday; Monday is 0.
    weekdays: Sequence[int]

    @property
    def per_hour(self) -> int:
        return HOUR // self.step

    @property
    def per_day(self) -> int:
        return DAY // self.step


@dataclass(frozen=True, slots=True)
class Demand:
    """What was wanted in each slot up to now, and after now the last days once more."""

    grid: Grid
    #: Points before each slot, as a running total; the last item is the whole.
    total: Sequence[float]
    #: The same of what the profile expects.
    expected: Sequence[float]
    #: 1 for each past slot in which one of the account's windows was exhausted.
    blocked: bytearray
    #: Mean points a slot up to now; what the profile expects where nothing was used yet.
    mean: float


def make_grid(now: int, first_at: int, until: int, zone: tzinfo | None, tuning: Tuning) -> Grid:
    """Slots back to *first_at*, or as far as is looked back, and ahead to *until*."""
    step = tuning.slot_s
    past = min(tuning.days_back * DAY, now - first_at) // step
    ahead = -(-(until - now) // step) + 1
    start, total, per_day = now - past * step, past + ahead, DAY // step
    work_day = [k * step // HOUR for k in range(per_day)]
    week_end = [hour + 24 for hour in work_day]
    hours: list[int] = []
    weekdays: list[int] = []
    while len(hours) < total:
        weekday, position = _local_slot(start + len(hours) * step + step // 2, step, zone)
        count = min(per_day - position, total - len(hours))
        hours += (week_end if weekday >= 5 else work_day)[position : position + count]
        weekdays += [weekday] * count
    return Grid(start, step, past, ahead, hours, weekdays)


def _local_slot(at: int, step: int, zone: tzinfo | None) -> tuple[int, int]:
    """The local weekday of *at* and the slot within that day."""
    local = datetime.fromtimestamp(at, zone)
    return local.weekday(), (local.hour * HOUR + local.minute * 60 + local.second) // step


def make_demand(
    mine: Past,
    siblings: Iterable[Past],
    grid: Grid,
    length: int,
    tuning: Tuning,
) -> Demand:
    """What was wanted of a window: its use, and where that was blocked at least the profile."""
    use = use_per_slot(mine.rises(), grid)
    return demand_of(use, blocked_slots((mine, *siblings), grid), grid, length, tuning)


def demand_of(
    use: list[float],
    blocked: bytearray,
    grid: Grid,
    length: int,
    tuning: Tuning,
) -> Demand:
    """The same of what was used in each past slot, and of which of them were blocked."""
    by_hour = profile(use, blocked, grid, length, tuning)
    expected = [by_hour[hour] for hour in grid.hours]
    if 1 in blocked:
        use = [max(u, e) if b else u for u, e, b in zip(use, expected, blocked, strict=False)]
    period = min(REPEATED_DAYS, grid.past // grid.per_day) * grid.per_day
    again = use[-period:] * (grid.ahead // period + 1)
    total = list(accumulate(use + again[: grid.ahead], initial=0.0))
    expected_total = list(accumulate(expected, initial=0.0))
    mean = (total[grid.past] or expected_total[grid.past]) / grid.past
    return Demand(grid, total, expected_total, blocked, mean)


def use_per_slot(rises: Iterable[tuple[int, int, float]], grid: Grid) -> list[float]:
    """Points used in each past slot, each rise spread evenly over its time."""
    start, step = grid.start, grid.step
    # One slot more, for what ends just now.
    slots = [0.0] * (grid.past + 1)
    for begin, end, points in rises:
        i, j = (begin - start) // step, (end - start) // step
        if i == j:
            if i >= 0:
                slots[i] += points
            continue
        rate = points / (end - begin)
        if i >= 0:
            slots[i] += rate * (start + (i + 1) * step - begin)
        for k in range(max(0, i + 1), j):
            slots[k] += rate * step
        if j >= 0:
            slots[j] += rate * (end - start - j * step)
    slots[-2] += slots.pop()
    return slots


def blocked_slots(pasts: Iterable[Past], grid: Grid) -> bytearray:
    """1 for each past slot in which one of the windows was exhausted."""
    blocked = bytearray(grid.past)
    for past in pasts:
        for since, until in past.exhausted():
            i = max(0, (since - grid.start) // grid.step)
            j = min(grid.past, -((grid.start - until) // grid.step))
            if j > i:
                blocked[i:j] = b"\1" * (j - i)
    return blocked


def profile(
    use: Sequence[float],
    blocked: bytearray,
    grid: Grid,
    length: int,
    tuning: Tuning,
) -> list[float]:
    """Points a slot by hour of day: of work days, then of week-ends."""
    sums, weights = [0.0] * 48, [0.0] * 48
    share = grid.step / HOUR
    for hour, points, weight in zip(grid.hours, use, _recency(blocked, grid), strict=False):
        sums[hour] += weight * points
        weights[hour] += weight * share
    assumed = PRIOR_WINDOWS * tuning.prior_points
    mean = (sum(sums) + assumed) / (sum(weights) + PRIOR_WINDOWS * length / HOUR)
    pull, points_an_hour = tuning.profile_pull_days, [0.0] * 48
    for work, week_end in zip(range(24), range(24, 48), strict=True):
        both = sums[work] + sums[week_end] + pull * mean
        both /= weights[work] + weights[week_end] + pull
        for hour in (work, week_end):
            points_an_hour[hour] = (sums[hour] + pull * both) / (weights[hour] + pull)
    return [points * share for points in points_an_hour]


def _recency(blocked: bytearray, grid: Grid) -> list[float]:
    """Each past slot's weight: less from day to day back, none where it was blocked."""
    weights: list[float] = []
    for day in range(-(-grid.past // grid.per_day), 0, -1):
        weights += [0.5 ** (day / PROFILE_HALF_LIFE_DAYS)] * grid.per_day
    weights = weights[len(weights) - grid.past :]
    if 1 in blocked:
        weights = [0.0 if b else w for w, b in zip(weights, blocked, strict=True)]
    return weights
