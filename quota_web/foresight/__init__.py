"""What the readings say about past and future, pure: judging what happened, forecasting, choosing.

No database, no Flask, no clock and no pages belong here: callers pass readings and `now`.
"""

from quota_web.foresight.choose import Candidate, Choice, Reason, choose
from quota_web.foresight.forecast import Forecast, ForecastState, Pace, forecast
from quota_web.foresight.history import WindowHistory

__all__ = [
    "Candidate",
    "Choice",
    "Forecast",
    "ForecastState",
    "Pace",
    "Reason",
    "WindowHistory",
    "choose",
    "forecast",
]
