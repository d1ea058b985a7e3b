"""The readings of one window as they came, and the past that they tell once it is settled.

Answers sometimes show another state for a while and then the old one again. Such interludes count
for nothing here; what did happen is judged with more care by the cycles.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple

HOUR, DAY = 3600, 86_400

#: A reset that moves by no more than this many seconds is the same reset.
SAME_RESET_S = 180
#: An untouched window's reset is this near to a full length ahead, and slides with every poll.
UNTOUCHED_S = 300
#: From so long before a reset on, a break is the reset itself.
DUE_MARGIN_S = 90
#: The most readings, or seconds, after which an old state may still come back.
INTERLUDE_READINGS, INTERLUDE_S = 6, 2 * HOUR
#: An old state that comes back may have grown by so many percent meanwhile.
GROWN = 5


@dataclass(frozen=True, slots=True)
class WindowHistory:
    """The readings of one window, oldest first; the three sequences run side by side."""

    key: str
    #: None where no answer gave one.
    length_s: int | None
    #: Epoch seconds.
    taken_at: Sequence[int]
    used_percent: Sequence[float]
    #: Epoch seconds; None (or 0) where the answer gave none.
    resets_at: Sequence[int | None]


class State(NamedTuple):
    """One believed reading; times are epoch seconds."""

    at: int
    used: float
    resets_at: int

    def is_untouched(self, length: int) -> bool:
        """Whether the window has not started: its reset lies a full *length* ahead."""
        return self.used <= 1 and abs(self.resets_at - self.at - length) <= UNTOUCHED_S


class Rise(NamedTuple):
    """So many percent were used between two moments."""

    start: int
    end: int
    points: float


@dataclass(frozen=True, slots=True)
class Past:
    """What a window's believed readings tell; times are epoch seconds."""

    #: Oldest first.
    rises: Sequence[Rise]
    #: From when to when it was exhausted; the last may end in the future.
    exhausted: Sequence[tuple[int, int]]
    #: When the first reading was taken.
    first_at: int
    #: The last believed reading.
    last: State
    #: The last reading claims a break that no second one has confirmed.
    is_flapping: bool


class _Run(NamedTuple):
    """Neighbouring readings of one state: positions *start* up to *stop*."""

    start: int
    stop: int
    #: Whether use starts anew with it; else it goes on from the run before.
    is_new_cycle: bool


@dataclass(frozen=True, slots=True)
class _Readings:
    """Readings without placeholders: each has a reset."""

    at: Sequence[int]
    used: Sequence[float]
    resets: Sequence[int]
    length: int

    def state(self, position: int) -> State:
        return State(self.at[position], self.used[position], self.resets[position])


def length_of(window: WindowHistory) -> int:
    """Its length in seconds; where no answer gave one, the farthest that its reset ever was."""
    if window.length_s:
        return window.length_s
    pairs = zip(window.taken_at, window.resets_at, strict=True)
    return max((reset - at for at, reset in pairs if reset), default=0) or HOUR


def settle(window: WindowHistory, length: int, since: int) -> Past | None:
    """The past of *window*, *length* seconds long, from *since* on; None without any reading."""
    readings = _readings(window, length, since)
    if not readings.at:
        return None
    runs, is_flapping = _without_interludes(readings, _runs(readings))
    rises, exhausted = _told_by(readings, runs)
    last = readings.state(runs[-1].stop - 1)
    return Past(rises, exhausted, readings.at[0], last, is_flapping)


def _readings(window: WindowHistory, length: int, since: int) -> _Readings:
    first = bisect_left(window.taken_at, since)
    at, used = list(window.taken_at[first:]), list(window.used_percent[first:])
    resets = list(window.resets_at[first:])
    if None in resets or 0 in resets:
        kept = [i for i, reset in enumerate(resets) if reset]
        at, used = [at[i] for i in kept], [used[i] for i in kept]
    return _Readings(at, used, [reset for reset in resets if reset], length)


def _runs(readings: _Readings) -> list[_Run]:
    """All readings, cut where use falls or the reset moves otherwise than an untouched one's."""
    at, used, resets = readings.at, readings.used, readings.resets
    next_used, next_resets = islice(used, 1, None), islice(resets, 1, None)
    cuts = [
        i
        for i, u0, u1, r0, r1 in zip(count(1), used, next_used, resets, next_resets, strict=False)
        if (r1 != r0 or u1 < u0) and (u1 < u0 - 1 or not -SAME_RESET_S <= r1 - r0 <= SAME_RESET_S)
    ]
    # The reset of an untouched window slides with every poll.
    slack, length = UNTOUCHED_S, readings.length
    cuts = [
        i
        for i in cuts
        if used[i] > 1
        or used[i - 1] > 1
        or not -slack <= resets[i] - at[i] - length <= slack
        or not -slack <= resets[i - 1] - at[i - 1] - length <= slack
    ]
    return [_Run(a, b, False) for a, b in zip([0, *cuts], [*cuts, len(used)], strict=True)]


def _without_interludes(readings: _Readings, runs: Sequence[_Run]) -> tuple[list[_Run], bool]:
    """The believed runs, and whether the last reading was left out as unconfirmed."""
    kept = [runs[0]]
    k = 1
    while k < len(runs):
        run = runs[k]
        before, here = readings.state(kept[-1].stop - 1), readings.state(run.start)
        if _goes_on(before, here, readings.length):
            kept.append(run)
        elif here.at >= before.resets_at - DUE_MARGIN_S:
            kept.append(run._replace(is_new_cycle=True))
        elif back := _comes_back(readings, runs, k, before):
            k = back
            kept.append(runs[k])
        elif run.start == len(readings.at) - 1:
            return kept, True
        else:
            kept.append(run._replace(is_new_cycle=True))
        k += 1
    return kept, False


def _comes_back(
    readings: _Readings,
    runs: Sequence[_Run],
    broken: int,
    before: State,
) -> int | None:
    """The position of the run with which *before* comes back after the *broken* one."""
    first = runs[broken].start
    for k in range(broken + 1, len(runs)):
        here = readings.state(runs[k].start)
        is_long = here.at - readings.at[first] > INTERLUDE_S
        is_many = runs[k].start - first > INTERLUDE_READINGS
        if here.at >= before.resets_at or (is_long and is_many):
            return None
        if here.used <= before.used + GROWN and _goes_on(before, here, readings.length):
            return k
    return None


def _goes_on(before: State, here: State, length: int) -> bool:
    """Whether *here* is of the same cycle as *before*, or starts a window that was untouched."""
    if here.used < before.used - 1:
        return False
    latest = before.resets_at + SAME_RESET_S
    if before.is_untouched(length):
        latest = here.at + length + UNTOUCHED_S
    return before.resets_at - SAME_RESET_S <= here.resets_at <= latest


def _told_by(readings: _Readings, runs: Sequence[_Run]) -> tuple[list[Rise], list[tuple[int, int]]]:
    """Where use rose, and from when to when the window was exhausted."""
    at, used, resets = readings.at, readings.used, readings.resets
    pairs = zip(count(1), used, islice(used, 1, None), strict=False)
    rising = [i for i, before, here in pairs if here > before]
    rises: list[Rise] = []
    # What was used before the first reading rose at a time that nobody knows.
    top = used[0]
    exhausted = [(at[0], resets[0])] if top >= 100 else []
    last_at = at[0]
    for run in runs:
        first = run.start
        if run.is_new_cycle:
            if top >= 100:
                exhausted[-1] = exhausted[-1][0], min(exhausted[-1][1], at[first])
            top = 0.0
        inside = rising[bisect_right(rising, first) : bisect_left(rising, run.stop)]
        for i in (first, *inside):
            if used[i] <= top:
                continue
            # Nothing of a cycle was used before it started.
            start = at[i - 1] if i > first else max(last_at, resets[i] - readings.length)
            rises.append(Rise(min(start, at[i]), at[i], used[i] - top))
            top = used[i]
            if top >= 100:
                exhausted.append((at[i], resets[i]))
        last_at = at[run.stop - 1]
    return rises, exhausted
