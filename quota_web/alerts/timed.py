"""Judges what comes true by the time alone, or by what is made apart from a refresh: readings that
are too old, sign-ins and credits that end soon, forecasts. Pure; a chore calls it once a minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quota_web.alerts import sign_in
from quota_web.alerts.alert_values import (
    AlertEvent,
    AlertState,
    StateKey,
    States,
    Verdict,
)
from quota_web.alerts.kinds import Alert
from quota_web.alerts.sign_in import NO_TOKEN, STALE
from quota_web.core.display_order import NEEDS_A_PERSON
from quota_web.core.quota import WEEKLY, Status, is_own
from quota_web.store.credentials import TokenEnd
from quota_web.store.forecasts import StoredForecast

HOUR = 3_600
#: Readings are too old after twice the due interval, and after so many seconds at least.
STALE_LEAST_S = 3 * HOUR
#: An account that should have been asked so long ago waits for the schedule, not for ChatGPT.
OVERDUE_S = 120
#: A run-out is told from this probability on, and may be told again once it is below the other.
RUNOUT, LASTS = 0.65, 0.5
UNUSED_WITHIN_S, UNUSED_LEFT = 24 * HOUR, 40.0
#: A credit that ends within so many hours is told of, each step once.
CREDIT_STEPS_H = (72, 12)


@dataclass(frozen=True, slots=True)
class WatchedAccount:
    """What is known of an account between two attempts."""

    status: Status
    #: When its readings were taken, and when it was last asked; None: never.
    taken_at: int | None = None
    attempted_at: int | None = None
    next_due_at: int | None = None
    #: The due interval in seconds.
    interval_s: int = HOUR
    is_blocked: bool = False
    token: TokenEnd = NO_TOKEN
    #: By the key of the window.
    forecasts: Mapping[str, StoredForecast] = field(default_factory=dict)
    #: How many cycles of each window have been closed.
    cycles: Mapping[str, int] = field(default_factory=dict)
    #: When each credit ends, by its id.
    credits: Mapping[str, int] = field(default_factory=dict)


def judge_time(
    states: States,
    seen: WatchedAccount,
    now: int,
    site_since: int | None = None,
    is_site_down: bool = False,
) -> tuple[dict[StateKey, AlertState], tuple[AlertEvent, ...]]:
    """The states that are other ones at *now*, and what is to be told.

    While *is_site_down*, and of attempts from before *site_since*, when that ended, no account is
    told to be stale: one alert stands for all.
    """
    if seen.status is Status.PAUSED:
        return {}, ()
    changed, events = sign_in.judge_status(states, None, seen.status, now, seen.token)
    is_told = is_site_down or (seen.attempted_at or 0) <= (site_since or 0)
    for verdict in (
        sign_in.judge_end(states, seen.token, seen.status, now),
        judge_stale(states, seen, now, is_told=is_told),
        judge_runout(states, seen, now),
        judge_unused(states, seen, now),
        judge_credits(states, seen, now),
    ):
        changed |= verdict[0]
        events += verdict[1]
    return changed, tuple(events)


def judge_stale(states: States, seen: WatchedAccount, now: int, *, is_told: bool) -> Verdict:
    """Whether there has been no reading for too long although the account was asked; a reading
    ends it.
    """
    taken_at, asked_at, due_at = seen.taken_at, seen.attempted_at, seen.next_due_at
    if taken_at is None or asked_at is None or seen.is_blocked or seen.status in NEEDS_A_PERSON:
        return {}, []
    limit = max(2 * seen.interval_s, STALE_LEAST_S)
    known = states.get(STALE)
    is_stale = now - taken_at > limit
    if known is None:
        # How things are at the first look is no news.
        return {STALE: AlertState(armed=not is_stale)}, []
    is_overdue = due_at is None or due_at < now - OVERDUE_S
    if not is_stale or not known.armed or is_told or asked_at <= taken_at or is_overdue:
        return {}, []
    new = AlertState(None, known.episode + 1, now, armed=False)
    data = {"last_reading_at": taken_at, "status": str(seen.status)}
    return {STALE: new}, [AlertEvent(Alert.STALE, "", new.episode, now, data=data)]


def judge_runout(states: States, seen: WatchedAccount, now: int) -> Verdict:
    """Whether forecasts from two readings in a row say that a window runs out. One that says that
    it lasts ends that; one that says nothing is neither.
    """
    changed, events = {}, []
    for window, said in seen.forecasts.items():
        chance, key = said.run_out_probability, (window, str(Alert.QUOTA_RUNOUT))
        known = states.get(key)
        is_news = known is None or known.seen_at is None or said.taken_at > known.seen_at
        if said.state != "forecast" or chance is None or not is_news or not is_own(window):
            continue
        if known is None:
            changed[key] = AlertState(armed=chance < RUNOUT)
        elif chance < LASTS:
            changed[key] = AlertState(episode=known.episode)
        elif chance < RUNOUT:
            changed[key] = _seen(known, None)
        elif known.armed and known.seen_at is None:
            changed[key] = _seen(known, said.taken_at, chance)
        elif known.armed and not seen.is_blocked and (said.resets_at or 0) > now:
            new = AlertState(None, known.episode + 1, now, armed=False)
            changed[key] = new
            events.append(_runout(window, new.episode, said, chance, now))
    return {key: state for key, state in changed.items() if states.get(key) != state}, events


def _seen(state: AlertState, at: int | None, value: float | None = None) -> AlertState:
    return AlertState(state.level, state.episode, state.open_since, state.armed, at, value)


def _runout(window: str, episode: int, said: StoredForecast, chance: float, now: int) -> AlertEvent:
    data = {
        "probability": round(chance, 2),
        "remaining_percent": max(0.0, 100.0 - said.used_percent),
        "resets_at": said.resets_at,
        "runs_out_between": [said.made_at + round(s) for s in said.run_out_in or ()][::2],
    }
    return AlertEvent(Alert.QUOTA_RUNOUT, window, episode, now, data=data)


def judge_unused(states: States, seen: WatchedAccount, now: int) -> Verdict:
    """Whether much of a week is left shortly before its reset; once a cycle, by the count of
    cycles.
    """
    said, key = seen.forecasts.get(WEEKLY), (WEEKLY, str(Alert.QUOTA_UNUSED))
    if said is None or seen.is_blocked or not is_unused(said, now):
        return {}, []
    number = float(seen.cycles.get(WEEKLY, 0))
    known = states.get(key) or AlertState()
    if known.seen_value is not None and known.seen_value >= number:
        return {}, []
    new = AlertState(None, known.episode + 1, None, True, now, number)
    data = {
        "remaining_percent": 100.0 - said.used_percent,
        "resets_at": said.resets_at,
        "expected_percent": said.rest[1] if said.rest else None,
    }
    return {key: new}, [AlertEvent(Alert.QUOTA_UNUSED, WEEKLY, new.episode, now, data=data)]


def is_unused(said: StoredForecast, now: int) -> bool:
    """Whether much is left of a window shortly before its reset."""
    is_soon = said.resets_at is not None and now < said.resets_at <= now + UNUSED_WITHIN_S
    is_started = said.state != "not_started"
    return is_soon and is_started and 100.0 - said.used_percent >= UNUSED_LEFT


def judge_credits(states: States, seen: WatchedAccount, now: int) -> Verdict:
    """Which banked resets end soon: each is told of at each step once."""
    changed: dict[StateKey, AlertState] = {}
    events: list[AlertEvent] = []
    for credit, ends_at in seen.credits.items():
        key = (credit, str(Alert.CREDIT_EXPIRING))
        known = states.get(key) or AlertState()
        steps = [float(h) for h in CREDIT_STEPS_H if now < ends_at <= now + h * HOUR]
        step = min(steps, default=None)
        if step is None or (known.level is not None and known.level <= step):
            continue
        changed[key] = AlertState(step, known.episode + 1, None, armed=False)
        data = {"expires_at": ends_at, "hours": int(step)}
        events.append(AlertEvent(Alert.CREDIT_EXPIRING, credit, known.episode + 1, now, step, data))
    return changed, events
