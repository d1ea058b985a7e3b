"""`quota.low`, and `quota.back` of one window: a window falls to a threshold, and is full again."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from quota_web.alerts import confirming
from quota_web.alerts.alert_values import AlertEvent, AlertState, Observation, States, Verdict
from quota_web.alerts.kinds import Alert
from quota_web.core.quota import Reading, is_own

#: A threshold may be told again once so many points more than it are left.
REARM = 5.0

Thresholds = Sequence[Collection[float]]


def judge_low(
    states: States, before: Observation, after: Observation, now: int, wanted: Thresholds
) -> Verdict:
    """What a new answer means for each of the account's own windows.

    *wanted* are the sets of thresholds that channels have. Of those that a window passes at once
    each set tells its lowest; so there is one event for each threshold that is some set's lowest.
    """
    changed, events = {}, []
    for reading in after.windows:
        if not is_own(reading.key):
            continue
        key = (reading.key, str(Alert.QUOTA_LOW))
        window = _Window(reading, before, after, now, wanted)
        state, told = window.judge(states.get(key))
        if state is not None:
            changed[key] = state
        events += told
    return changed, events


class _Window:
    """One window in one new answer."""

    def __init__(
        self,
        reading: Reading,
        before: Observation,
        after: Observation,
        now: int,
        wanted: Thresholds,
    ) -> None:
        self._reading, self._before, self._after, self._now = reading, before, after, now
        self._wanted = wanted
        self._all = sorted({float(t) for some in wanted for t in some})
        self._left = reading.remaining_percent
        old = before.window(reading.key)
        self._left_before = None if old is None else old.remaining_percent

    def judge(self, known: AlertState | None) -> tuple[AlertState | None, list[AlertEvent]]:
        state = known or self._first()
        if state is None:
            level = self._reached(self._left)
            return (None if level is None else AlertState(level=level, armed=False)), []
        if self._reading.exhausted:
            level = min(self._all, default=None)
            return replace(state, level=level, armed=False, seen_at=None, seen_value=None), []
        crossed = self._crossed(state)
        if crossed:
            return self._fall(state, crossed)
        if state.level is not None:
            return self._rise(state)
        return (None if known is None else confirming.settled(state)), []

    def _first(self) -> AlertState | None:
        """What the reading before says where nothing is stored; None: there was none."""
        if self._left_before is None:
            return None
        level = self._reached(self._left_before)
        return AlertState(level=level, armed=level is None)

    def _reached(self, left: float) -> float | None:
        return next((t for t in self._all if left <= t), None)

    def _crossed(self, state: AlertState) -> list[float]:
        """The thresholds that are reached now and were not before."""
        if state.level is not None and self._left > state.level:
            return []
        is_waiting = waits_below(state)
        return [
            t
            for t in self._all
            if self._left <= t
            and (state.level is None or t < state.level)
            and (self._left_before is None or is_waiting or self._left_before > t)
        ]

    def _fall(self, state: AlertState, crossed: list[float]) -> tuple[AlertState, list[AlertEvent]]:
        if not waits_below(state):
            if confirming.is_jump(self._reading.key, self._before, self._after):
                return confirming.waiting(state, self._now, self._left), []
        elif not confirming.is_confirmed(state, self._now) and not self._after.says_blocked:
            return state, []
        episode = state.episode + 1
        told = AlertState(min(crossed), episode, state.open_since or self._now, armed=False)
        lowest = {min(mine) for some in self._wanted if (mine := [t for t in some if t in crossed])}
        return told, [self._event(threshold, episode) for threshold in sorted(lowest, reverse=True)]

    def _event(self, threshold: float, episode: int) -> AlertEvent:
        data = {
            "remaining_percent": self._left,
            "threshold": threshold,
            "resets_at": self._reading.resets_at,
        }
        key = self._reading.key
        return AlertEvent(Alert.QUOTA_LOW, key, episode, self._now, threshold, data)

    def _rise(self, state: AlertState) -> tuple[AlertState, list[AlertEvent]]:
        if self._still_reached(state, self._left) == state.level:
            return confirming.settled(state), []
        left, is_back = self._left, False
        if confirming.has_reset(self._reading.key, self._before, self._now):
            is_back = True
        elif state.seen_at is None or waits_below(state):
            return confirming.waiting(state, self._now, self._left), []
        elif not confirming.is_confirmed(state, self._now):
            return state, []
        else:
            left = min(left, state.seen_value or 0.0)
        level = self._still_reached(state, left)
        if level is not None:
            return replace(state, level=level, seen_at=None, seen_value=None), []
        events = []
        if is_back and state.open_since is not None and not self._after.block.blocked:
            data = {
                "remaining_percent": self._left,
                "resets_at": self._reading.resets_at,
                "since": state.open_since,
            }
            key = self._reading.key
            events = [AlertEvent(Alert.QUOTA_BACK, key, state.episode, self._now, None, data)]
        return AlertState(episode=state.episode), events

    def _still_reached(self, state: AlertState, left: float) -> float | None:
        """The lowest threshold that may not be told again yet."""
        level = state.level or 0.0
        return next((t for t in self._all if t >= level and left < t + REARM), None)


def waits_below(state: AlertState) -> bool:
    """Whether a fall waits for a second answer; a rise may wait as well."""
    value = state.seen_value
    return value is not None and (state.level is None or value <= state.level)
