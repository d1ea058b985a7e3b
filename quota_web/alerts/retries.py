"""When a message that was not taken is tried again, and when it is given up. Pure."""

from quota_web.alerts.kinds import Urgency

#: Seconds before the second try and each further one; the last repeats.
PAUSES_S = (30, 120, 600, 1_800, 7_200, 21_600)
#: By how much a pause may be shorter or longer, so that many messages do not come back together.
JITTER = 0.25
#: The longest wait that a receiver is granted.
MOST_RETRY_AFTER_S = 21_600
GIVEN_UP_AFTER_S = 24 * 3_600
URGENT_GIVEN_UP_AFTER_S = 72 * 3_600


def next_due_at(tries: int, now: int, retry_after_s: int | None, chance: float) -> int:
    """When to try again after *tries* tries; *chance* is drawn from 0 to 1."""
    pause = PAUSES_S[min(tries, len(PAUSES_S)) - 1] * (1 - JITTER + 2 * JITTER * chance)
    return now + round(max(pause, min(retry_after_s or 0, MOST_RETRY_AFTER_S)))


def gives_up_at(told_at: int, urgency: Urgency) -> int:
    """From when on a message that is not taken is tried no more."""
    is_urgent = urgency is Urgency.URGENT
    return told_at + (URGENT_GIVEN_UP_AFTER_S if is_urgent else GIVEN_UP_AFTER_S)


def is_given_up(told_at: int, urgency: Urgency, now: int) -> bool:
    """Whether a message that was not taken at *now* is tried no more."""
    return now >= gives_up_at(told_at, urgency)
