"""The chance that a window or a pool of accounts runs out: what the paths say, corrected by how
such sayings ended.
"""

from math import exp, log

from quota_web.foresight.model_parameters import Tuning

#: Nothing is said to be surer than this.
LEAST, MOST = 0.005, 0.995
#: The least projection, in percent: below it, pace tells nothing more.
LEAST_PROJECTION = 0.5
#: What makes up the logit of a pool's chance: a constant, and the logit of the courses' share.
SHORTFALL_CONSTANT, SHORTFALL_COURSES = 0.07, 0.43


def run_out_chance(raw: float, used: float, elapsed_share: float, tuning: Tuning) -> float:
    """The probability of a run-out; *raw* is the share of the paths that run out.

    *used* is in percent, *elapsed_share* the part of the window that has passed.
    """
    raw = _bounded(raw)
    # Just after its start a window's pace may be anything.
    elapsed_share = max(1e-4, elapsed_share)
    projection = log(max(LEAST_PROJECTION, used / elapsed_share) / 100)
    weights = tuning.chance
    logit = weights.constant + weights.paths * log(raw / (1 - raw))
    logit += (weights.projection + weights.late_projection * elapsed_share) * projection
    return _logistic(logit)


def shortfall_chance(raw: float) -> float:
    """The probability that all accounts of a pool run out; *raw* is the share of the courses in
    which they do.

    Whole weeks of work repeat less than the paths of one window: the share is pulled to the middle.
    """
    raw = _bounded(raw)
    return _logistic(SHORTFALL_CONSTANT + SHORTFALL_COURSES * log(raw / (1 - raw)))


def _logistic(logit: float) -> float:
    return _bounded(1 / (1 + exp(-min(30.0, max(-30.0, logit)))))


def _bounded(share: float) -> float:
    return min(MOST, max(LEAST, share))
