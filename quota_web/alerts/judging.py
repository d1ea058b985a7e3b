"""Judges one attempt of one account: what it means for alerts. Pure, and called in the transaction
that stores the attempt; what comes true by the time alone is judged in `timed.py`.

Bad news is told at once, good news when a second answer at least a minute later agrees, or a
scheduled reset has passed. What is seen first of an account is how things are, and no news.
"""

from quota_web.alerts import blocking, confirming, facts, low_quota, sign_in
from quota_web.alerts.alert_values import AlertEvent, AlertState, Observation, StateKey, States
from quota_web.alerts.kinds import DEFAULT_THRESHOLDS, Alert
from quota_web.alerts.low_quota import Thresholds
from quota_web.alerts.sign_in import NO_TOKEN, STALE
from quota_web.store.credentials import TokenEnd

#: Kinds of which something that waits is looked at again in a minute.
_HURRIES = (Alert.QUOTA_LOW, Alert.QUOTA_EXHAUSTED)


def judge(
    state: States,
    before: Observation | None,
    after: Observation,
    now: int,
    thresholds: Thresholds = (DEFAULT_THRESHOLDS,),
    token: TokenEnd = NO_TOKEN,
) -> tuple[dict[StateKey, AlertState], tuple[AlertEvent, ...]]:
    """The state and what is to be told, once an attempt at *now* has left an account as *after*.

    *before* is the account as it was known until then; None: not at all. *thresholds* are the sets
    that channels have of percents left. There is one event for each threshold that is the lowest
    of some set among those passed at once, and each channel takes the lowest of its own.
    """
    status = None if before is None else before.status
    changed, events = sign_in.judge_status(state, status, after.status, now, token)
    before = before or Observation(after.status)
    if after.taken_at == now:
        for verdict in (
            _reading(state),
            blocking.judge_block(state, before, after, now),
            low_quota.judge_low(state, before, after, now, thresholds),
            facts.judge_facts(state, before, after, now),
        ):
            changed |= verdict[0]
            events += verdict[1]
    events += sign_in.recovered(state, changed, now)
    return {**state, **changed}, tuple(_once(events))


def _reading(state: States) -> tuple[dict[StateKey, AlertState], list[AlertEvent]]:
    """A reading ends that there is none."""
    stale = state.get(STALE)
    if stale is None or (stale.armed and stale.open_since is None):
        return {}, []
    return {STALE: AlertState(episode=stale.episode)}, []


def _once(events: list[AlertEvent]) -> list[AlertEvent]:
    """That an account can be used again says it of its windows too."""
    is_back = any(e.kind == Alert.QUOTA_BACK and not e.window for e in events)
    return [e for e in events if not (is_back and e.kind == Alert.QUOTA_BACK and e.window)]


def asks_again_at(before: States, after: States, now: int) -> int | None:
    """When the account is to be asked again because a second answer would tell something; None: as
    it is due.
    """
    waits = [
        key
        for key, state in after.items()
        if key[1] in _HURRIES and state.seen_at == now and before.get(key) != state
    ]
    tells = [key for key in waits if not _only_rearms(key, after[key])]
    return now + confirming.CONFIRMS_AFTER_S if tells else None


def _only_rearms(key: StateKey, state: AlertState) -> bool:
    """Whether a second answer would tell nothing, as when a window is no longer low."""
    if key[1] == Alert.QUOTA_EXHAUSTED:
        return not state.armed and state.open_since is None and state.seen_value is None
    return not low_quota.waits_below(state)
