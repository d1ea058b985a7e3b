"""Slots for charts: points of a series laid onto one shared axis. Pure.

A value is carried until the next reading, until its window's reset, or for *carry_s* seconds, whichever is first; while
a window is exhausted it is carried until its reset. After that there is nothing: a gap stays a gap.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from quota_web.quota import remaining

#: Steps that charts are drawn in, in seconds: each divides or is divided by the rollups' spans.
STEPS = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)


@dataclass(frozen=True, slots=True)
class Point:
    """What a stretch of a series came to. All None where its window had gone from the answers by then."""

    #: Any moment within the stretch, epoch seconds.
    at: int
    min_used: float | None
    max_used: float | None
    last_used: float | None
    last_at: int
    last_resets_at: int | None


@dataclass(frozen=True, slots=True)
class Axis:
    """The slots of a chart: they start at *start*, *start + step*, … and the last one holds *end* − 1."""

    start: int
    end: int
    step: int

    def times(self) -> list[int]:
        return list(range(self.start, self.end, self.step))

    def __len__(self) -> int:
        return len(range(self.start, self.end, self.step))


@dataclass(slots=True)
class Columns:
    """One series in percent remaining, a value a slot; None where nothing is known."""

    remaining: list[float | None]
    min: list[float | None]
    max: list[float | None]


@dataclass(slots=True)
class _Slot:
    min_used: float | None = None
    max_used: float | None = None
    last: Point | None = None


def axis(start: int, end: int, points: int, least_step: int = 1) -> Axis:
    """The axis over [start, end) with at most about *points* slots on step boundaries, no finer than *least_step*."""
    wanted = max(least_step, -(-max(1, end - start) // max(1, points)))
    step = next((s for s in STEPS if s >= wanted), wanted - wanted % -86_400)
    return Axis(start - start % step, end, step)


def columns(points: Iterable[Point], before: Point | None, axis: Axis, carry_s: int) -> Columns:
    """Lay *points*, in the order of time, onto *axis*; *before* is the last one ahead of it."""
    slots = _slots(points, axis)
    result = Columns([], [], [])
    last = before
    for start, slot in zip(axis.times(), slots, strict=True):
        if slot is None:
            value = _carried(last, start, carry_s)
            low = high = value
        else:
            last = slot.last
            value, low, high = (_left(last.last_used) if last else None), _left(slot.max_used), _left(slot.min_used)
        result.remaining.append(value)
        result.min.append(low)
        result.max.append(high)
    return result


def _slots(points: Iterable[Point], axis: Axis) -> list[_Slot | None]:
    slots: list[_Slot | None] = [None] * len(axis)
    for point in points:
        index = (point.at - axis.start) // axis.step
        if 0 <= index < len(slots):
            slot = slots[index] = slots[index] or _Slot()
            slot.min_used = _least(slot.min_used, point.min_used)
            slot.max_used = _most(slot.max_used, point.max_used)
            if slot.last is None or point.last_at >= slot.last.last_at:
                slot.last = point
    return slots


def _carried(last: Point | None, at: int, carry_s: int) -> float | None:
    """The value that still holds at *at*, in percent remaining."""
    if last is None or last.last_used is None:
        return None
    reset = last.last_resets_at
    if last.last_used >= 100 and reset is not None:
        return _left(last.last_used) if at < reset else None
    until = last.last_at + carry_s
    if reset is not None and reset > last.last_at:
        until = min(until, reset)
    return _left(last.last_used) if at < until else None


def _left(used: float | None) -> float | None:
    return None if used is None else round(remaining(used), 2)


def _least(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


