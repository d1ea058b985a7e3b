"""When one answer is enough and when a second one must agree. Answers lie towards fresh: a window
that is used up now and then reads as nearly full for a moment.
"""

from dataclasses import replace

from quota_web.alerts.alert_values import AlertState, Observation

#: A second answer counts from so many seconds after the first.
CONFIRMS_AFTER_S = 60
#: A fall of so many points waits for a second answer.
JUMP = 30.0


def is_confirmed(state: AlertState, now: int) -> bool:
    """Whether what is seen now was seen by an answer that is old enough."""
    return state.seen_at is not None and now - state.seen_at >= CONFIRMS_AFTER_S


def is_jump(key: str, before: Observation, after: Observation) -> bool:
    """Whether a window fell by so much that one answer is not believed."""
    old, new = before.window(key), after.window(key)
    if old is None or new is None or after.says_blocked:
        return False
    return old.remaining_percent - new.remaining_percent >= JUMP


def has_reset(key: str, before: Observation, now: int) -> bool:
    """Whether a reset that a window announced for later has come since."""
    old = before.window(key)
    if old is None or old.resets_at is None or before.taken_at is None:
        return False
    return before.taken_at < old.resets_at <= now


def waiting(state: AlertState, now: int, value: float | None = None) -> AlertState:
    """The state in which what is seen now waits for a second answer."""
    return replace(state, seen_at=now, seen_value=value)


def settled(state: AlertState) -> AlertState:
    """The state in which nothing waits."""
    return replace(state, seen_at=None, seen_value=None)
