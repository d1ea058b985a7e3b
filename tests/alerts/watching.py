"""An account whose answers a test makes up, one after the other, and what was told of them."""

from quota_web.alerts.alert_values import Observation
from quota_web.alerts.judging import asks_again_at, judge
from quota_web.core.quota import Credits, Facts, Reading, Status

MINUTE, HOUR, DAY = 60, 3_600, 86_400
START = 1_795_262_400
LENGTHS = {"five_hour": 5 * HOUR, "weekly": 7 * DAY}

#: What an answer says beside its windows when it says that the account is blocked, or is not.
BLOCKED = Facts(allowed=False, limit_reached=True)
FREE = Facts(allowed=True, limit_reached=False)
PAID = Facts(allowed=False, credits=Credits(has_credits=True, balance="5"))


class Account:
    """Feed it answers; moments are minutes from START."""

    def __init__(self, *, thresholds=((20.0, 5.0),), status=Status.PENDING):
        self.state, self.told, self.asks_again_at = {}, [], None
        self._seen, self.thresholds = Observation(status), thresholds

    def answer(self, minute, facts=FREE, resets=None, **left):
        """An answer with so many percent left of each window; *resets* are minutes by window, and
        else far ahead. Returns what is told: kind, window and threshold.
        """
        at, resets = START + round(minute * MINUTE), resets or {}
        windows = [
            Reading(
                key,
                100.0 - percent,
                START + resets.get(key, 6 * 24 * 60) * MINUTE,
                LENGTHS.get(key),
            )
            for key, percent in left.items()
        ]
        return self._judge(at, Observation(Status.OK, at, tuple(windows), facts))

    def fail(self, minute, status=Status.UNREACHABLE):
        """An attempt without an answer."""
        before = self._seen
        seen = Observation(status, before.taken_at, before.windows, before.facts)
        return self._judge(START + round(minute * MINUTE), seen)

    def _judge(self, at, seen):
        old = self.state
        self.state, events = judge(self.state, self._seen, seen, at, self.thresholds)
        self._seen, self.asks_again_at = seen, asks_again_at(old, self.state, at)
        self.told += events
        return [short(event) for event in events]


def short(event):
    """An event as tests compare it."""
    words = [str(event.kind), event.window]
    if isinstance(event.level, float):
        words.append(f"{event.level:g}")
    return " ".join(word for word in words if word)
