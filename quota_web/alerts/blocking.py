"""`quota.exhausted` and `quota.back`: the account cannot be used, and can again."""

from typing import Any

from quota_web.alerts import confirming
from quota_web.alerts.alert_values import AlertEvent, AlertState, Observation, States, Verdict
from quota_web.alerts.kinds import Alert
from quota_web.core import quota

KEY = ("", str(Alert.QUOTA_EXHAUSTED))
#: What waits is that an account is blocked again after a reset; else that it can be used.
_AGAIN = 1.0


def judge_block(states: States, before: Observation, after: Observation, now: int) -> Verdict:
    """What a new answer means for whether the account can be used."""
    is_blocked = after.block.blocked
    if before.taken_at is None and KEY not in states:
        return ({KEY: AlertState(armed=False)} if is_blocked else {}), []
    known = states.get(KEY)
    state = known or AlertState(armed=not before.block.blocked)
    new, events = (_blocked if is_blocked else _usable)(state, before, after, now)
    return ({} if known is None and new == AlertState() else {KEY: new}), events


def _blocked(
    state: AlertState, before: Observation, after: Observation, now: int
) -> tuple[AlertState, list[AlertEvent]]:
    waits = state.seen_at is not None and state.seen_value == _AGAIN
    if not state.armed and not waits:
        is_again = _is_over(before, now) and after.block.until is not None
        return confirming.waiting(state, now, _AGAIN) if is_again else confirming.settled(state), []
    is_sure = state.armed and after.says_blocked
    if not is_sure and not confirming.is_confirmed(state, now):
        if state.seen_at is not None:
            return state, []
        if _is_jump(before, after):
            return confirming.waiting(state, now), []
    episode = state.episode + 1
    window, data = _cause(after)
    told = AlertEvent(Alert.QUOTA_EXHAUSTED, window, episode, now, None, data)
    return AlertState(episode=episode, open_since=now, armed=False), [told]


def _usable(
    state: AlertState, before: Observation, after: Observation, now: int
) -> tuple[AlertState, list[AlertEvent]]:
    if state.armed:
        return confirming.settled(state), []
    if state.seen_value == _AGAIN:
        state = confirming.settled(state)
    if not _is_over(before, now) and not confirming.is_confirmed(state, now):
        return state if state.seen_at is not None else confirming.waiting(state, now), []
    ended = AlertState(episode=state.episode)
    if state.open_since is None:
        return ended, []
    left = {w.key: w.remaining_percent for w in after.windows if quota.is_own(w.key)}
    data = {"since": state.open_since, "remaining_percents": left}
    return ended, [AlertEvent(Alert.QUOTA_BACK, "", state.episode, now, None, data)]


def _is_over(before: Observation, now: int) -> bool:
    """Whether the block of the readings before has ended by its reset."""
    until = before.block.until
    return until is not None and until <= now


def _is_jump(before: Observation, after: Observation) -> bool:
    """Whether all windows that are used up now fell to nothing at once."""
    spent = {w.key for w in quota.exhausted_own(before.windows)}
    new = [w.key for w in quota.exhausted_own(after.windows) if w.key not in spent]
    return bool(new) and all(confirming.is_jump(key, before, after) for key in new)


def _cause(after: Observation) -> tuple[str, dict[str, Any]]:
    """The window that lasts longest, or "", and the event's data."""
    spent = quota.exhausted_own(after.windows)
    last = max(spent, key=lambda w: w.resets_at or 0, default=None)
    cause = "window"
    reached = after.facts.reached_type or ""
    if after.facts.spend_reached or reached.endswith("_usage_limit_reached"):
        cause, last = "spend", None
    elif reached.endswith("_credits_depleted"):
        cause, last = "credits", None
    return (last.key if last else ""), {"cause": cause, "blocked_until": after.block.until}
