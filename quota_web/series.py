"""Slots for charts: points of a series laid onto one shared axis. Pure.

A value is carried until the next reading, until its window's reset, or for *carry_s* seconds, whichever is first; while
a window is exhausted it is carried until its reset. After that there is nothing: a gap stays a gap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

#: Steps that charts are drawn in, in seconds: each divides or is divided by the rollups' spans.
STEPS = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)


class Point(NamedTuple):
    """What a stretch of a series came to. All None where its window had gone from the answers by then."""

    # A tuple, because a long chart is made of ten thousand of them.

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


def axis(start: int, end: int, points: int, least_step: int = 1) -> Axis:
    """The axis over [start, end) with at most about *points* slots on step boundaries, no finer than *least_step*."""
    wanted = max(least_step, -(-max(1, end - start) // max(1, points)))
    step = next((s for s in STEPS if s >= wanted), wanted - wanted % -86_400)
    return Axis(start - start % step, end, step)


def columns(points: Iterable[Point], before: Point | None, axis: Axis, carry_s: int) -> Columns:
    """Lay *points*, in the order of time, onto *axis*; *before* is the last one ahead of it."""
    result = Columns([], [], [])
    last = before
    for start, point in zip(axis.times(), _slots(points, axis), strict=True):
        if point is None:
            value = low = high = None if last is None else _carried(last, start, carry_s)
        else:
            last = point
            value, low, high = _left(point.last_used), _left(point.max_used), _left(point.min_used)
        result.remaining.append(value)
        result.min.append(low)
        result.max.append(high)
    return result


def _slots(points: Iterable[Point], axis: Axis) -> list[Point | None]:
    """What each slot came to; None where nothing was measured in it."""
    start, step, size = axis.start, axis.step, len(axis)
    slots: list[Point | None] = [None] * size
    for point in points:
        index = (point.at - start) // step
        if 0 <= index < size:
            there = slots[index]
            slots[index] = point if there is None else _joined(there, point)
    return slots


def _joined(a: Point, b: Point) -> Point:
    """Two points of one slot as one: the extremes of both, the last of the later one."""
    later = b if b.last_at >= a.last_at else a
    lows = [v for v in (a.min_used, b.min_used) if v is not None]
    highs = [v for v in (a.max_used, b.max_used) if v is not None]
    return later._replace(min_used=min(lows, default=None), max_used=max(highs, default=None))


def _carried(last: Point, at: int, carry_s: int) -> float | None:
    """The value that still holds at *at*, in percent remaining."""
    used, reset = last.last_used, last.last_resets_at
    if used is None:
        return None
    if used >= 100 and reset is not None:
        return _left(used) if at < reset else None
    until = last.last_at + carry_s
    if reset is not None and last.last_at < reset < until:
        until = reset
    return _left(used) if at < until else None


def _left(used: float | None) -> float | None:
    # Spelled out instead of quota.remaining: three calls for each of a chart's ten thousand values are felt.
    return None if used is None else 0.0 if used >= 100 else 100.0 if used <= 0 else round(100.0 - used, 2)
