"""The readings of one window as they came, and the past that they tell once it is settled.

Answers sometimes show another state for a while and then the old one again. Such interludes count
for nothing here; what did happen is judged with more care by the cycles.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, count, islice
from operator import lt
from typing import NamedTuple, cast

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


@dataclass(frozen=True, slots=True)
class Past:
    """A window's believed readings, and what they tell."""

    readings: _Readings
    runs: Sequence[_Run]
    #: The last reading claims a break that no second one has confirmed.
    is_flapping: bool

    @property
    def first_at(self) -> int:
        """When the first reading was taken."""
        return self.readings.at[0]

    @property
    def last(self) -> State:
        """The last believed reading."""
        return self.readings.state(self.runs[-1].stop - 1)

    def rises(self) -> list[tuple[int, int, float]]:
        """Start, end and points of each rise in used percent, oldest first."""
        at, used = self.readings.at, self.readings.used
        rising = list(compress(count(1), map(lt, used, islice(used, 1, None))))
        rises: list[tuple[int, int, float]] = []
        # What was used before the first reading rose at an unknown time.
        top, last_at = used[0], at[0]
        for run in self.runs:
            first = run.start
            if run.is_new_cycle:
                top = 0.0
            if used[first] > top:
                # Nothing of a cycle was used before it started.
                start = max(last_at, self.readings.resets[first] - self.readings.length)
                rises.append((min(start, at[first]), at[first], used[first] - top))
                top = used[first]
            for i in rising[bisect_right(rising, first) : bisect_left(rising, run.stop)]:
                points = used[i]
                if points > top:
                    rises.append((at[i - 1], at[i], points - top))
                    top = points
            last_at = at[run.stop - 1]
        return rises

    def exhausted(self) -> list[tuple[int, int]]:
        """From when to when it was exhausted, oldest first; the last may end in the future."""
        at, used, resets = self.readings.at, self.readings.used, self.readings.resets
        spans: list[tuple[int, int]] = []
        is_full = False
        for run in self.runs:
            if run.is_new_cycle:
                if is_full:
                    spans[-1] = spans[-1][0], min(spans[-1][1], at[run.start])
                is_full = False
            if not is_full and max(used[run.start : run.stop]) >= 100:
                first = next(i for i in range(run.start, run.stop) if used[i] >= 100)
                spans.append((at[first], resets[first]))
                is_full = True
        return spans


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
    return Past(readings, *_without_interludes(readings, _runs(readings)))


def was_exhausted(window: WindowHistory, since: int) -> bool:
    """Whether any reading from *since* on says so: quick, and without a doubt in the no."""
    used = window.used_percent[bisect_left(window.taken_at, since) :]
    return max(used, default=0.0) >= 100


def _readings(window: WindowHistory, length: int, since: int) -> _Readings:
    first = bisect_left(window.taken_at, since)
    at, used, resets = (
        window.taken_at[first:],
        window.used_percent[first:],
        window.resets_at[first:],
    )
    if not all(resets):
        kept = [i for i, reset in enumerate(resets) if reset]
        at, used, resets = [at[i] for i in kept], [used[i] for i in kept], [resets[i] for i in kept]
    return _Readings(at, used, cast("Sequence[int]", resets), length)


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
            kept.append(_Run(run.start, run.stop, True))
        elif back := _comes_back(readings, run.start, before):
            while runs[k].stop <= back:
                k += 1
            kept.append(_Run(back, runs[k].stop, False))
        elif run.start == len(readings.at) - 1:
            return kept, True
        else:
            kept.append(_Run(run.start, run.stop, True))
        k += 1
    return kept, False


def _comes_back(readings: _Readings, broken: int, before: State) -> int | None:
    """The position at which *before* comes back after the *broken* one: by a jump, not by use."""
    for i in range(broken + 1, len(readings.at)):
        here, last = readings.state(i), readings.state(i - 1)
        is_long = here.at - readings.at[broken] > INTERLUDE_S
        if here.at >= before.resets_at or (is_long and i - broken > INTERLUDE_READINGS):
            return None
        is_jump = abs(here.resets_at - last.resets_at) > SAME_RESET_S
        is_jump = is_jump or abs(here.used - last.used) > GROWN
        is_near = here.used <= before.used + GROWN
        if is_jump and is_near and _goes_on(before, here, readings.length):
            return i
    return None


def _goes_on(before: State, here: State, length: int) -> bool:
    """Whether *here* is of the same cycle as *before*, or starts a window that was untouched."""
    if here.used < before.used - 1:
        return False
    latest = before.resets_at + SAME_RESET_S
    if before.is_untouched(length):
        latest = here.at + length + UNTOUCHED_S
    return before.resets_at - SAME_RESET_S <= here.resets_at <= latest
