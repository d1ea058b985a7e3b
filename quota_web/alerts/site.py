"""`site.all_failing` and `site.recovered`: one alert instead of one for each account. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quota_web.alerts.alert_values import AlertEvent, AlertState, States, Verdict
from quota_web.alerts.kinds import Alert
from quota_web.core import policy
from quota_web.core.display_order import NEEDS_A_PERSON, is_failing
from quota_web.core.quota import Status

KEY = ("", str(Alert.ALL_FAILING))
#: How long no account must have answered.
FAILING_S = 1_800


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """How the last attempt of an account that is not paused ended."""

    status: Status
    at: int | None
    #: When its readings were taken; None: never.
    taken_at: int | None
    #: Since when attempts have failed; None where the last one was answered.
    failing_since: int | None = None


def judge_site(
    states: States, attempts: Sequence[LastAttempt], address_blocked_until: int | None, now: int
) -> Verdict:
    """Whether nothing comes back from ChatGPT any more, or something does again.

    An address is blocked once two attempts say so. Else as many accounts as there are, or as make
    the schedule believe that the host is down, must have failed over half an hour, and none been
    answered meanwhile: asked rarely, a single failed attempt says nothing.
    """
    asked = [a for a in attempts if a.at is not None and a.status not in NEEDS_A_PERSON]
    known = states.get(KEY) or AlertState()
    answered_at = max((a.taken_at for a in asked if a.taken_at is not None), default=0)
    failing = [a for a in asked if is_failing(a.status) and (a.at or 0) >= answered_at]
    is_blocked = policy.is_address_blocked(address_blocked_until, now)
    if known.open_since is not None:
        if answered_at <= known.open_since:
            return {}, []
        new = AlertState(episode=known.episode, seen_at=now)
        ended = {"since": known.open_since}
        return {KEY: new}, [AlertEvent(Alert.SITE_RECOVERED, "", known.episode, now, data=ended)]
    cause = "address_blocked" if is_blocked and _is_refused(failing) else None
    if cause is None and _have_failed(failing, len(asked)):
        cause = "all_failing"
    if cause is None:
        return {}, []
    new = replace(known, episode=known.episode + 1, open_since=now)
    since = min((a.failing_since for a in failing if a.failing_since is not None), default=now)
    data: dict[str, str | int] = {"cause": cause, "accounts": len(asked), "failing_since": since}
    return {KEY: new}, [AlertEvent(Alert.ALL_FAILING, "", new.episode, now, data=data)]


def _is_refused(failing: Sequence[LastAttempt]) -> bool:
    refused = [a for a in failing if a.status is Status.ADDRESS_BLOCKED]
    return len(refused) > 1 or any((a.at or 0) > (a.failing_since or a.at or 0) for a in refused)


def _have_failed(failing: Sequence[LastAttempt], count: int) -> bool:
    """Whether enough accounts have failed, over long enough; being asked too often is no failure
    of this kind.
    """
    some = [a for a in failing if a.status is not Status.RATE_LIMITED and a.failing_since]
    if not some or len(some) < min(count, policy.HOST_DOWN_AFTER):
        return False
    first = min(a.failing_since for a in some if a.failing_since is not None)
    return max(a.at or 0 for a in some) - first >= FAILING_S
