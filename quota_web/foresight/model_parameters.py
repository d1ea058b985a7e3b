"""Constants of the forecast, for short windows (up to a day) and for longer ones.

They were fitted by replaying invented users and real rhythms of work; refit them when a rule
changes.
"""

from dataclasses import dataclass
from typing import NamedTuple

from quota_web.foresight.history import DAY

#: The weight of what is assumed about a window's pace, in windows.
PRIOR_WINDOWS = 0.15


class ChanceWeights(NamedTuple):
    """What makes up the logit of the chance."""

    constant: float
    #: Of the logit of the paths' share.
    paths: float
    #: Of the logarithm of what the pace so far projects, and of that times the elapsed share.
    projection: float
    late_projection: float


@dataclass(frozen=True, slots=True)
class Tuning:
    slot_s: int
    days_back: int
    #: Percent that are assumed to be used of a window where nothing is known.
    prior_points: float
    #: The weight, in days, of the wider mean that each hour of the profile is pulled to.
    profile_pull_days: float
    #: How far from this time of day a past moment still counts: a standard deviation, in hours.
    sigma_h: float
    #: The weight of a past moment on the same weekday, the same kind of day, any other day.
    weekday_weights: tuple[float, float, float]
    #: How much the pace of the last hour may differ at a past moment, for what follows at once;
    #: it doubles with each *pace_hours* ahead.
    pace_width: float
    pace_hours: float
    #: Over so many hours the level of use then and now is compared, and how far a path follows it.
    level_h: int
    level_power: float
    #: Each path also runs slower and faster by this logarithm: repetition is never exact.
    spread: float
    #: The same for straight lines, by standard deviations.
    straight_spread: float
    #: Straight lines weigh as much as so many past days.
    straight_days: float
    chance: ChanceWeights


SHORT = Tuning(
    slot_s=900,
    days_back=28,
    prior_points=20,
    profile_pull_days=3,
    sigma_h=4.0,
    weekday_weights=(1, 0.9, 0.6),
    pace_width=0.45,
    pace_hours=3,
    level_h=24,
    level_power=0.3,
    spread=0.12,
    straight_spread=0.5,
    straight_days=2,
    chance=ChanceWeights(-0.62, 0.83, 1.42, -0.95),
)
LONG = Tuning(
    slot_s=3600,
    days_back=63,
    prior_points=30,
    profile_pull_days=1,
    sigma_h=0.8,
    weekday_weights=(1, 0.7, 0.35),
    pace_width=0.6,
    pace_hours=24,
    level_h=48,
    level_power=0.1,
    spread=0.4,
    straight_spread=0.6,
    straight_days=2.5,
    chance=ChanceWeights(0.0, 0.74, 0.15, 0.85),
)


def tuning_for(length: int) -> Tuning:
    """The constants for a window of *length* seconds."""
    return SHORT if length <= DAY else LONG
