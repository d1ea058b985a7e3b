"""When an account's list of banked resets is asked for, and what a new list means. Pure."""

from collections.abc import Sequence

from quota_web.codex.classify import Classification
from quota_web.codex.reset_credits import ResetList
from quota_web.core.banked_resets import EXPIRED, UNKNOWN, USED, BankedReset
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.store.reset_credits import ListState

DAY = 86_400
#: The wait after a failure; where the endpoint is not there, a day.
RETRY_S = 3_600
#: For so long a request that was claimed may be under way.
UNDER_WAY_S = 60
#: No wait is longer; a later moment was noted by a clock that was wrong.
_LONGEST_S = 8 * DAY


def is_due(count: int | None, state: ListState, now: int) -> bool:
    """Whether to ask: the count has changed or the list is a day old, and there is something to
    list.
    """
    if not count or (state.retry_at is not None and now < state.retry_at <= now + _LONGEST_S):
        return False
    if state.listed_at is None or state.count != count:
        return True
    return not state.listed_at - CLOCK_SKEW_S <= now < state.listed_at + DAY


def retry_at(answer: Classification, now: int) -> int:
    """When to ask again after an answer that has no list."""
    is_missing = answer.fault is not None and answer.fault.http_status == 404
    return now + max(DAY if is_missing else RETRY_S, answer.retry_after_s or 0)


def gone(known: Sequence[BankedReset], found: ResetList, uses: int, now: int) -> dict[str, str]:
    """How each of the *known* ones went that *found* has no more, by its hash; *uses* is how many
    showed to be used since the last list.

    The upstream leaves out what is used and what has run out alike.
    """
    there = {reset.credit_hash for reset in found.available}
    missing = [reset for reset in known if reset.credit_hash not in there]
    ended = {r.credit_hash: EXPIRED for r in missing if r.is_over(now)}
    ended |= {r.credit_hash: USED for r in missing if r.credit_hash in found.spent}
    others = [r.credit_hash for r in missing if r.credit_hash not in ended]
    told = sum(how == USED for how in ended.values())
    how = USED if len(others) <= uses - told else UNKNOWN
    return ended | dict.fromkeys(others, how)
