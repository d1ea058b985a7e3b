"""What work takes: of a five-hour window in a quarter of an hour, and of the week for it. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from quota_web.foresight.distribution import Distribution
from quota_web.foresight.history import DAY, HOUR, WindowHistory, length_of, settle

QUARTER = 900
#: Quarters of an hour of the last days count as lately.
LATELY_S = 7 * DAY
#: Fewer of them say nothing of the usual.
LEAST_QUARTERS = 20
#: What the next work may need beyond the 90th percentile, and where nothing is known of it: in
#: percent of a Plus five-hour window.
MARGIN, DEFAULT_NEED = 1.3, 5.0
TENTHS = tuple(k / 10 for k in range(1, 11))

EXCHANGE_S = 28 * DAY
#: Readings further apart are no neighbours.
NEIGHBOURS_S = 2 * HOUR
#: From so many five-hour points on the rate is said, and what it is about where nothing is known.
LEAST_POINTS, DEFAULT_EXCHANGE = 100.0, 0.16

#: The size of a plan's windows, in those of Plus; of any other plan it is taken to be 1.
CAPACITIES = {
    # It has no five-hour window: so little that it comes last.
    "free": 0.05,
    "prolite": 5.0,
    "self_serve_business_prolite": 5.0,
    "pro": 20 / 3,
    # Larger than Pro by an unknown factor.
    "promax": 20 / 3,
}

#: The plans whose windows are known to be as large as those of Plus.
PLUS_SIZED = frozenset({"plus", "team", "business", "edu"})

#: How many quarters of work there were, and the tenths of what they took.
Work = tuple[int, tuple[float, ...]]


def capacity(plan: str | None) -> float:
    """The size of a plan's five-hour window in Plus five-hour windows."""
    return CAPACITIES.get((plan or "").lower(), 1.0)


def is_size_known(plan: str | None) -> bool:
    """Whether the size of a plan's windows is known, and not only taken to be that of Plus."""
    return (plan or "").lower() in {*CAPACITIES, *PLUS_SIZED}


def work_of(five_hour: WindowHistory, now: int) -> Work | None:
    """What the quarters of an hour in which the window was used took lately; None without any."""
    past = settle(five_hour, length_of(five_hour), now - LATELY_S)
    if past is None:
        return None
    quarters: dict[int, float] = {}
    for start, end, points in past.rises():
        first, last = start // QUARTER, max(start, end - 1) // QUARTER
        share = points / (last - first + 1)
        for quarter in range(first, last + 1):
            quarters[quarter] = quarters.get(quarter, 0.0) + share
    taken = Distribution.of((points, 1.0) for points in quarters.values() if points > 0)
    if not taken.values:
        return None
    return len(taken.values), tuple(taken.quantile(q) or 0.0 for q in TENTHS)


def need(works: Iterable[tuple[Work, float]]) -> float:
    """What the next quarter of an hour may take, in percent of a Plus five-hour window.

    *works* are those of all accounts, each with its capacity.
    """
    known = list(works)
    if sum(count for (count, _), _ in known) < LEAST_QUARTERS:
        return DEFAULT_NEED
    pooled = Distribution.of(
        (points * size, count / len(tenths)) for (count, tenths), size in known for points in tenths
    )
    return MARGIN * (pooled.quantile(0.9) or 0.0)


def exchange_points(
    five_hour: WindowHistory, weekly: WindowHistory, since: int
) -> tuple[float, float]:
    """Five-hour points used from *since* on, and the weekly points that they cost."""
    weeks = {
        at: (used, reset)
        for at, used, reset in zip(
            weekly.taken_at, weekly.used_percent, weekly.resets_at, strict=True
        )
    }
    rows = [
        (at, used, reset, *weeks[at])
        for at, used, reset in zip(
            five_hour.taken_at, five_hour.used_percent, five_hour.resets_at, strict=True
        )
        if at >= since and at in weeks
    ]
    sums = [0.0, 0.0]
    for (at, five, _, week, _), (then, five_then, _, week_then, _) in pairwise(rows):
        # What falls has reset in between; of an exhausted window the rest is not seen.
        if then - at > NEIGHBOURS_S or five_then < five or week_then < week or five_then >= 100:
            continue
        sums[0] += five_then - five
        sums[1] += week_then - week
    return sums[0], sums[1]


def exchange(points: Sequence[tuple[float, float]]) -> float | None:
    """Weekly points per five-hour point, from those of one account or of many.

    None where too few are known to say it.
    """
    five = sum(p[0] for p in points)
    week = sum(p[1] for p in points)
    return week / five if five >= LEAST_POINTS and week > 0 else None
