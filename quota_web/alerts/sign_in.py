"""Alerts about an account's sign-in: it ends soon, has ended, is deactivated; and recovered."""

from dataclasses import replace

from quota_web.alerts.alert_values import AlertEvent, AlertState, States, Verdict
from quota_web.alerts.kinds import SIGN_IN_ENDED, Alert
from quota_web.core.display_order import NEEDS_A_PERSON
from quota_web.core.quota import Status
from quota_web.store.credentials import TokenEnd

KEY = ("", str(Alert.SIGN_IN_NEEDED))
SOON = ("", str(Alert.SIGN_IN_SOON))
STALE = ("", str(Alert.STALE))
#: What an account recovers from.
_RECOVERS = (KEY, SOON, STALE)
#: A sign-in that ends within so many seconds is told of.
SOON_S = 48 * 3_600
_NOT_TRIED = frozenset({Status.PENDING, Status.PAUSED})
#: The level of a state, by the status that was told.
_LEVELS = {Status.DEACTIVATED: 2.0}
_OTHER_LEVEL = 1.0


NO_TOKEN = TokenEnd(None, is_renewed=False, may_be_renewed=False)


def judge_status(
    states: States,
    before: Status | None,
    after: Status,
    now: int,
    token: TokenEnd = NO_TOKEN,
) -> Verdict:
    """What the status of an account means; that it is fine again is for `recovered` to tell.

    *before* is None where it is not known: what is seen first then is how things are. A sign-in
    has not ended while its renewal may still come.
    """
    if after in _NOT_TRIED:
        return {}, []
    if after is Status.EXPIRED and token.may_be_renewed:
        return ({KEY: AlertState()} if before is Status.OK and KEY not in states else {}), []
    needs = after in NEEDS_A_PERSON
    known = states.get(KEY)
    if known is None and (before is None or before in _NOT_TRIED):
        return {KEY: AlertState(_level(after) if needs else None, armed=not needs)}, []
    if known is not None:
        state = known
    elif before in NEEDS_A_PERSON:
        state = AlertState(_level(before), armed=False)
    else:
        state = AlertState()
    if needs:
        return _ended(states, state, after, now)
    if after is Status.OK and not state.armed:
        return {KEY: AlertState(episode=state.episode)}, []
    return {}, []


def _level(status: Status | None) -> float:
    return _LEVELS.get(status or Status.OK, _OTHER_LEVEL)


def _ended(states: States, state: AlertState, status: Status, now: int) -> Verdict:
    level = _level(status)
    if not state.armed and state.level == level:
        return {}, []
    episode = state.episode + 1
    changed = {KEY: AlertState(level, episode, state.open_since or now, armed=False)}
    for key in (SOON, STALE):
        if key in states:
            # What is told now stands for it.
            changed[key] = replace(states[key], open_since=None)
    return changed, [AlertEvent(SIGN_IN_ENDED, "", episode, now, data={"status": str(status)})]


def judge_end(states: States, token: TokenEnd, status: Status, now: int) -> Verdict:
    """Whether an account's sign-in ends soon; a newer token ends that."""
    ends_at, known = token.at, states.get(SOON)
    if ends_at is None or status in _NOT_TRIED:
        return {}, []
    state = known or AlertState()
    if ends_at - now > SOON_S:
        new = AlertState(episode=state.episode)
        changed = {} if state == new else {SOON: new}
        return changed, recovered(states, changed, now)
    is_told = not state.armed or status in NEEDS_A_PERSON
    if is_told or token.is_renewed or ends_at <= now:
        return {}, []
    new = replace(state, episode=state.episode + 1, open_since=now, armed=False)
    data = {"ends_at": ends_at}
    return {SOON: new}, [AlertEvent(Alert.SIGN_IN_SOON, "", new.episode, now, data=data)]


def recovered(states: States, changed: States, now: int) -> list[AlertEvent]:
    """One event for all of *states* that were told and are over by what *changed*, unless that is
    because the sign-in has ended.
    """
    ended = [
        key
        for key in _RECOVERS
        if key in changed
        and changed[key].open_since is None
        and key in states
        and states[key].open_since is not None
    ]
    if not ended or (KEY in changed and changed[KEY].open_since is not None):
        return []
    since = min(states[key].open_since or now for key in ended)
    first, data = states[ended[0]], {"since": since, "ended": [kind for _, kind in ended]}
    return [AlertEvent(Alert.RECOVERED, "", first.episode, now, ended[0][1], data)]
