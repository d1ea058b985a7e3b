"""The pool: what is left of all accounts together, and when none of them can be used. Pure.

One demand, that of all accounts together, goes on as it did at past moments like now and is spread
over the accounts by the rule that chooses the next one. Points are percents of a Plus week: an
account of five times that size holds 500.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from math import exp

from quota_web.foresight.chance import shortfall_chance
from quota_web.foresight.choose import Candidate
from quota_web.foresight.distribution import Distribution
from quota_web.foresight.forecast import AT_ZERO, LEAST_HISTORY_S, NONE
from quota_web.foresight.history import DAY, Past, WindowHistory, settle
from quota_web.foresight.model_parameters import LONG, Tuning
from quota_web.foresight.paths import alike_moments, scales
from quota_web.foresight.slots import (
    Demand,
    Grid,
    blocked_slots,
    demand_of,
    make_grid,
    use_per_slot,
)
from quota_web.foresight.straight import SLOWING, TENTHS
from quota_web.foresight.supply import LEAST_POINTS, WEEK, Supply

#: How far ahead is looked: by then each week of now has reset.
HORIZON_S = WEEK
#: So many courses of the past are lived through, account by account; more say nothing more.
COURSES = 24
#: After so many hours of work another account is considered.
LOOK_AGAIN_H = 3


@dataclass(frozen=True, slots=True)
class Member:
    """One account as it stands now, and the readings of its week."""

    account: Candidate
    week: WindowHistory


@dataclass(frozen=True, slots=True)
class Pool:
    """The accounts that share the work: those of which it is known what is left."""

    members: Sequence[Member]
    #: What a quarter of an hour of work may take, in percent of a Plus five-hour window.
    need: float
    #: Weekly points per five-hour point.
    exchange: float


@dataclass(frozen=True, slots=True)
class PoolForecast:
    """What is left of a pool, and whether there comes a moment with nothing usable."""

    at: int
    accounts: int
    #: Percents of a Plus week.
    left_units: float
    full_units: float
    #: Within the horizon; None where too little is known to say it.
    shortfall_probability: float | None = None
    #: Seconds until the first such moment, among the courses that come to one.
    shortfalls: Distribution = NONE

    def shortfall_in(self, q: float) -> float | None:
        """Seconds from now over all courses; None where that quantile is beyond the horizon."""
        chance = self.shortfall_probability
        return None if chance is None or q > chance else self.shortfalls.quantile(q / chance)


def forecast_pool(pool: Pool, now: int, zone: tzinfo | None) -> PoolForecast:
    """What comes of *pool*; days and hours are those of *zone*, None is the machine's own."""
    accounts = [member.account for member in pool.members]
    size = sum(account.capacity for account in accounts)
    left = sum((100 - account.weekly_used) * account.capacity for account in accounts)
    said = PoolForecast(now, len(accounts), left, 100 * size)
    supply = Supply(accounts, pool.need, pool.exchange)
    if accounts and not supply.is_any_left(now):
        return replace(said, shortfall_probability=1.0, shortfalls=AT_ZERO)
    pasts = _pasts(pool, now)
    first_at = min((past.first_at for past, _ in pasts), default=now)
    if now - first_at < LEAST_HISTORY_S:
        return said
    tuning = replace(LONG, prior_points=LONG.prior_points * size)
    grid = make_grid(now, first_at, now + HORIZON_S, zone, tuning)
    ends: list[tuple[float, float]] = []
    for weight, course in _courses(_demand(pasts, grid, tuning), tuning):
        supply = Supply(accounts, pool.need, pool.exchange)
        end = _first_shortfall(supply, course, now, grid.step)
        if end is not None:
            ends.append((end, weight))
    chance = shortfall_chance(sum(weight for _, weight in ends))
    return replace(said, shortfall_probability=chance, shortfalls=Distribution.of(ends))


def _pasts(pool: Pool, now: int) -> list[tuple[Past, float]]:
    """The settled past of each member that has one, with its size."""
    since = now - LONG.days_back * DAY
    pasts = [(settle(m.week, WEEK, since), m.account.capacity) for m in pool.members]
    return [(past, size) for past, size in pasts if past is not None]


def _demand(pasts: Sequence[tuple[Past, float]], grid: Grid, tuning: Tuning) -> Demand:
    """What was wanted of all together; more than was used where nothing was left of any."""
    use = [0.0] * grid.past
    blocked = bytearray(b"\1" * grid.past)
    for past, size in pasts:
        use = [a + b * size for a, b in zip(use, use_per_slot(past.rises(), grid), strict=True)]
        blocked = bytearray(map(int.__and__, blocked, blocked_slots((past,), grid)))
    return demand_of(use, blocked, grid, WEEK, tuning)


def _courses(demand: Demand, tuning: Tuning) -> Iterator[tuple[float, list[float]]]:
    """How the work may go on: a weight, all of which add up to one, and the points of each slot."""
    moments = alike_moments(demand, HORIZON_S, tuning)
    ahead, total = HORIZON_S // demand.grid.step, demand.total
    by_day: dict[int, float] = defaultdict(float)
    for moment in moments:
        by_day[moment.day] += moment.weight
    whole = sum(by_day.values())
    days = whole**2 / sum(weight * weight for weight in by_day.values())
    straight = tuning.straight_days / (days + tuning.straight_days)
    spread = (exp(-tuning.spread), 1.0, exp(tuning.spread))
    running, taken = 0.0, 0
    factors = scales(demand, 0, ahead, tuning, moments)
    for moment, scale in zip(moments, factors, strict=True):
        course = total[moment.slot : moment.slot + ahead + 1]
        for factor in spread:
            running += moment.weight / whole / len(spread)
            # Evenly through all weights, so that a few courses stand for three hundred.
            while taken < COURSES and taken + 0.5 <= running * COURSES:
                taken += 1
                pairs = pairwise(course)
                yield (1 - straight) / COURSES, [(b - a) * scale * factor for a, b in pairs]
    for z in TENTHS:
        pace = demand.mean * exp(tuning.straight_spread * z - SLOWING)
        yield straight / len(TENTHS), [pace] * ahead


def _first_shortfall(supply: Supply, course: Sequence[float], now: int, step: int) -> float | None:
    """Seconds until no account can be used, where the work takes that *course*; None if never."""
    worked = 0
    for slot, points in enumerate(course):
        if points <= LEAST_POINTS:
            continue
        at = now + slot * step
        worked += 1
        if worked % LOOK_AGAIN_H == 0:
            supply.look_again(at)
        short = supply.spend(points, at)
        if short:
            return (slot + 1 - short / points) * step
    return None
