"""The fan of a forecast: what is likely left at some moments up to the reset, in bands."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import NamedTuple

from quota_web.foresight.paths import Path

#: So many moments, evenly from now to the reset; the last one is the reset.
MOMENTS = 12
#: The edges of the bands that hold 80 % and 50 %, and the middle.
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


class FanMoment(NamedTuple):
    """Percent left at a moment, at each of SHARES."""

    #: Seconds from the forecast's moment.
    seconds: int
    left: tuple[float, ...]


def moments(seconds: int) -> list[int]:
    """The moments of a fan that ends so many seconds ahead."""
    return [seconds * k // MOMENTS for k in range(1, MOMENTS + 1)]


def fan(
    paths: Sequence[Path], weights: Sequence[float], seconds: int, left: float
) -> tuple[FanMoment, ...]:
    """The bands over *paths*, which count with *weights*; *left* is what is left now."""
    shares = [share * sum(weights) for share in SHARES]
    courses = zip(*(path.course for path in paths), strict=True)
    paces = [path.pace for path in paths]
    # Sorted anew for each moment, which is less work from the order of the one before.
    order = list(range(len(paths)))
    bands = []
    for at, course in zip(moments(seconds), courses, strict=True):
        used = list(map(mul, course, paces))
        order.sort(key=used.__getitem__, reverse=True)
        bands.append(FanMoment(at, _left_at(used, weights, order, shares, left)))
    return tuple(bands)


def _left_at(
    used: Sequence[float],
    weights: Sequence[float],
    most_used_first: Sequence[int],
    shares: Sequence[float],
    left: float,
) -> tuple[float, ...]:
    """The least of what is left with a share of the weight up to it, for each of *shares*."""
    # As `Distribution.quantile`, without the pairs: this is a good part of a forecast's time.
    running = list(accumulate(map(weights.__getitem__, most_used_first)))
    last = len(running) - 1
    return tuple(
        max(0.0, left - used[most_used_first[min(bisect_left(running, share), last)]])
        for share in shares
    )
