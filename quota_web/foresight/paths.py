"""Paths: how it went on from past moments like now, scaled to today."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import NamedTuple

from quota_web.foresight.history import DAY, HOUR
from quota_web.foresight.model_parameters import Tuning
from quota_web.foresight.slots import Demand

KEPT_MOMENTS = 100
#: Past moments count up to so many standard deviations off this time of day.
REACH = 2.2
#: The weight of a past day halves in so many days.
HALF_LIFE_DAYS = 42
#: From so many days ahead on the weekday of a past moment counts for nothing.
FADE_DAYS = 5
#: The weight of a moment with another pace than now.
UNLIKE_WEIGHT = 0.02
#: The weight of a moment just after a blocked one: what went before says little there.
BLOCKED_WEIGHT = 0.3
#: No past is scaled by more than this, up or down, by the hours ahead or by the level.
MOST_SCALE = 4


class Path(NamedTuple):
    """One way in which it may go on."""

    weight: float
    #: Seconds until what is left is used up; None if not before the reset.
    crosses_in: float | None
    #: Points used until the reset.
    use: float
    #: Points used until each moment of the fan, but for the *pace*.
    course: Sequence[float]
    #: What the course is multiplied by: the same past also counts as run slower and faster.
    pace: float = 1.0


class Moment(NamedTuple):
    """A past moment that tells something of now."""

    weight: float
    #: It is the start of this slot.
    slot: int
    #: About so many days ago.
    day: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """What lies ahead of a window until its reset."""

    #: Until the reset.
    seconds: int
    #: At first nothing is used for so long: another window is exhausted.
    standstill: int
    #: Points left.
    left: float
    #: Seconds until the moments of the fan.
    moments: Sequence[int] = ()


def past_paths(demand: Demand, ahead: Ahead, tuning: Tuning) -> tuple[list[Path], float]:
    """Paths whose weights add up to one, and from how many independent days they are."""
    moments = alike_moments(demand, ahead.seconds, tuning)
    by_day: dict[int, float] = defaultdict(float)
    for moment in moments:
        by_day[moment.day] += moment.weight
    whole = sum(by_day.values())
    days = whole**2 / sum(weight * weight for weight in by_day.values())
    return list(_followed(demand, ahead, tuning, moments, whole)), days


def alike_moments(demand: Demand, seconds_ahead: int, tuning: Tuning) -> list[Moment]:
    """The past moments that tell most, about this time of day on each past day."""
    grid, sigma = demand.grid, tuning.sigma_h * demand.grid.per_hour
    reach = int(REACH * sigma)
    near = [exp(-0.5 * (k / sigma) ** 2) for k in range(-reach, reach + 1)]
    alike = _likeness(demand, seconds_ahead, tuning)
    kinds = _weekday_weights(grid.weekdays[grid.past], seconds_ahead, tuning)
    weights: list[float] = []
    slots: list[int] = []
    days: list[int] = []
    for day in range(1, grid.past // grid.per_day + 1):
        middle = grid.past - day * grid.per_day
        first, stop = max(grid.per_hour, middle - reach), min(middle + reach + 1, grid.past)
        recent = 0.5 ** (day / HALF_LIFE_DAYS)
        at_hours = near[first - middle + reach :]
        factors = zip(at_hours, grid.weekdays[first:stop], alike[first:stop], strict=False)
        weights += [recent * hour * kinds[weekday] * pace for hour, weekday, pace in factors]
        slots += range(first, stop)
        days += [day] * (len(slots) - len(days))
    least = sorted(weights)[-KEPT_MOMENTS] if len(weights) > KEPT_MOMENTS else 0.0
    candidates = zip(weights, slots, days, strict=True)
    return [Moment(*candidate) for candidate in candidates if candidate[0] >= least]


def _likeness(demand: Demand, seconds_ahead: int, tuning: Tuning) -> list[float]:
    """For each past slot how much the hour before it is like the last one."""
    total, per_hour, past = demand.total, demand.grid.per_hour, demand.grid.past
    hourly = demand.mean * per_hour or 1.0
    width = tuning.pace_width * (1 + seconds_ahead / HOUR / tuning.pace_hours)
    now = sqrt(max(0.0, total[past] - total[past - per_hour]) / hourly)

    def likeness(use: float) -> float:
        return UNLIKE_WEIGHT + exp(-0.5 * ((sqrt(use / hourly) - now) / width) ** 2)

    idle = likeness(0.0)
    alike = [idle] * per_hour
    hours = zip(total, total[per_hour:past], strict=False)
    alike += [likeness(b - a) if b > a else idle for a, b in hours]
    if 1 in demand.blocked:
        for slot, blocked in enumerate(demand.blocked[: past - 1], 1):
            if blocked:
                alike[slot] *= BLOCKED_WEIGHT
    return alike


def _weekday_weights(today: int, seconds_ahead: int, tuning: Tuning) -> list[float]:
    """The weight of a past moment by its weekday, Monday first."""
    fade = min(1.0, seconds_ahead / (FADE_DAYS * DAY))
    same, same_kind, other = (w + (1 - w) * fade for w in tuning.weekday_weights)
    weights = [same_kind if (day >= 5) == (today >= 5) else other for day in range(7)]
    weights[today] = same
    return weights


def _followed(
    demand: Demand,
    ahead: Ahead,
    tuning: Tuning,
    moments: Sequence[Moment],
    whole: float,
) -> Iterator[Path]:
    """How it went on from each moment: as it was, and somewhat slower and faster."""
    total, step = demand.total, demand.grid.step
    start, end = ahead.standstill / step, ahead.seconds / step
    stops = [_parted(max(start, at / step)) for at in ahead.moments]
    factors = (exp(-tuning.spread), 1.0, exp(tuning.spread))
    factor_of = scales(demand, start, end, tuning, moments)
    for (weight, slot, _), scale in zip(moments, factor_of, strict=True):
        base = _at(total, slot + start)
        use = (_at(total, slot + end) - base) * scale
        points = [
            (total[slot + k] * (1 - part) + total[slot + k + 1] * part - base) * scale
            for k, part in stops
        ]
        for factor in factors:
            crosses_in = None
            if use * factor >= ahead.left:
                crossing = _crossing(total, base + ahead.left / (scale * factor)) - slot
                crosses_in = min(max(start, crossing), end) * step
            share = weight / whole / len(factors)
            yield Path(share, crosses_in, use * factor, points, factor)


def _parted(position: float) -> tuple[int, float]:
    """The slot of a position, and the part of it that lies before."""
    slot = int(position)
    return slot, position - slot


def _at(total: Sequence[float], position: float) -> float:
    """The running total at a position between two slots."""
    i = int(position)
    return total[i] + (total[i + 1] - total[i]) * (position - i)


def _crossing(total: Sequence[float], target: float) -> float:
    """The position where the running total reaches *target*."""
    k = max(1, bisect_left(total, target))
    low, high = total[k - 1], total[k]
    return k - 1 + ((target - low) / (high - low) if high > low else 0.0)


def scales(
    demand: Demand,
    start: float,
    end: float,
    tuning: Tuning,
    moments: Sequence[Moment],
) -> Iterator[float]:
    """Each moment's factor: by the hours that lay ahead of it, and by the level it was at."""
    total, expected, mean, grid = demand.total, demand.expected, demand.mean, demand.grid
    span, half_day = tuning.level_h * grid.per_hour, mean * 12 * grid.per_hour

    def hours(slot: int) -> float:
        return _at(expected, slot + end) - _at(expected, slot + start) + mean

    def level(slot: int) -> float:
        since = max(0, slot - span)
        used, usual = total[slot] - total[since], expected[slot] - expected[since]
        return (used + half_day) / (usual + half_day)

    hours_now, level_now = hours(grid.past), level(grid.past)
    for moment in moments:
        by_level = _bounded(level_now / level(moment.slot))
        yield _bounded(hours_now / hours(moment.slot)) * by_level**tuning.level_power


def _bounded(ratio: float) -> float:
    return min(MOST_SCALE, max(1 / MOST_SCALE, ratio))
