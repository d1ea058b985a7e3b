"""Alerts about what answers say beside windows: another plan, a new banked reset. Each is told once
a second answer agrees; the event itself was logged when it was seen first.
"""

from dataclasses import replace

from quota_web.alerts import confirming
from quota_web.alerts.alert_values import (
    AlertEvent,
    AlertState,
    Observation,
    StateKey,
    States,
    Verdict,
)
from quota_web.alerts.kinds import CREDIT_GRANTED, PLAN_CHANGED, Alert

PLAN = ("", str(Alert.PLAN_CHANGED))
CREDITS = ("", str(Alert.CREDIT_GRANTED))
#: A count that is as high as it was so long ago has come back; nothing was granted.
RETURNS_WITHIN_S = 12 * 3_600


def judge_facts(states: States, before: Observation, after: Observation, now: int) -> Verdict:
    """What a new answer means for an account's plan and its banked resets."""
    if before.taken_at is None:
        return {}, []
    changed: dict[StateKey, AlertState] = {}
    events: list[AlertEvent] = []
    for key, kind, judged in (
        (PLAN, PLAN_CHANGED, _plan(states.get(PLAN), before, after, now)),
        (CREDITS, CREDIT_GRANTED, _credits(states.get(CREDITS), before, after, now)),
    ):
        if judged is None:
            continue
        changed[key], is_told = judged
        if is_told:
            episode = changed[key].episode + 1
            changed[key] = AlertState(episode=episode)
            events.append(AlertEvent(kind, "", episode, now))
    return {k: s for k, s in changed.items() if states.get(k) != s}, events


def _plan(
    known: AlertState | None, before: Observation, after: Observation, now: int
) -> tuple[AlertState, bool] | None:
    """The state, and whether it is told; None: nothing is known and nothing happened."""
    old, new = before.facts.plan, after.facts.plan
    if old is not None and new is not None and old != new:
        state = known or AlertState()
        # A change while one waits takes that back.
        waits = state.seen_at is not None
        return (confirming.settled(state) if waits else confirming.waiting(state, now)), False
    if known is None or new is None:
        return None
    return known, confirming.is_confirmed(known, now)


def _credits(
    known: AlertState | None, before: Observation, after: Observation, now: int
) -> tuple[AlertState, bool] | None:
    """The same; *level* is the count before it fell, *seen_value* one that it rose to."""
    old, new = before.facts.reset_credits, after.facts.reset_credits
    if old is None or new is None or (known is None and old == new):
        return None
    state = known or AlertState()
    if new < old:
        if state.seen_value is not None:
            return replace(confirming.settled(state), level=None), False
        return replace(state, level=max(state.level or 0.0, float(old)), seen_at=now), False
    if new > old:
        is_return = (
            state.level is not None
            and new <= state.level
            and now - (state.seen_at or 0) <= RETURNS_WITHIN_S
        )
        if is_return:
            return replace(confirming.settled(state), level=None), False
        return replace(confirming.waiting(state, now, float(new)), level=None), False
    return state, state.seen_value is not None and confirming.is_confirmed(state, now)
