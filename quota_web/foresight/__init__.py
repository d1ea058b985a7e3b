"""What the readings say about past and future, pure: judging what happened, forecasting, choosing.

No database, no Flask, no clock and no pages belong here: callers pass readings and `now`.
"""

from quota_web.foresight.choose import Candidate, Choice, Reason, choose
from quota_web.foresight.event_detection import Judge, judge
from quota_web.foresight.event_types import (
    AccountHistory,
    Cycle,
    Event,
    How,
    Judgement,
    Kind,
    WindowReadings,
)
from quota_web.foresight.forecast import Forecast, ForecastState, Pace, forecast, settled
from quota_web.foresight.history import WindowHistory
from quota_web.foresight.words import chance_in_words

__all__ = [
    "AccountHistory",
    "Candidate",
    "Choice",
    "Cycle",
    "Event",
    "Forecast",
    "ForecastState",
    "How",
    "Judge",
    "Judgement",
    "Kind",
    "Pace",
    "Reason",
    "WindowHistory",
    "WindowReadings",
    "chance_in_words",
    "choose",
    "forecast",
    "judge",
    "settled",
]
