"""Straight lines at the pace of this cycle: what is said while few past days tell more."""

from collections.abc import Iterator
from math import exp

from quota_web.foresight.model_parameters import PRIOR_WINDOWS, Tuning
from quota_web.foresight.paths import Ahead, Path

#: The middles of the ten tenths of a standard normal distribution.
TENTHS = (-1.64, -1.04, -0.67, -0.39, -0.13, 0.13, 0.39, 0.67, 1.04, 1.64)
#: A logarithm: pace slows down more often than not.
SLOWING = 0.1


def straight_paths(ahead: Ahead, length: int, tuning: Tuning) -> Iterator[Path]:
    """Ten paths whose weights add up to one, around the pace of the window's time so far.

    Where little time has passed, the pace is pulled to the usual one.
    """
    elapsed = max(0, length - ahead.seconds)
    points = 100 - ahead.left + PRIOR_WINDOWS * tuning.prior_points
    pace = points / (elapsed + PRIOR_WINDOWS * length)
    for z in TENTHS:
        rate = pace * exp(tuning.straight_spread * z - SLOWING)
        use = rate * (ahead.seconds - ahead.standstill)
        crosses_in = ahead.standstill + ahead.left / rate if use >= ahead.left else None
        course = tuple(rate * max(0, at - ahead.standstill) for at in ahead.moments)
        yield Path(1 / len(TENTHS), crosses_in, use, course)
