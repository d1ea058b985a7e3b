"""What the readings say about past and future, pure: judging what happened, forecasting, choosing.

No database, no Flask, no clock and no words of pages belong here: callers pass readings and `now`.
"""

from quota_web.foresight.choose import Candidate, Choice, Reason, choose

__all__ = ["Candidate", "Choice", "Reason", "choose"]
