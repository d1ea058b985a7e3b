"""Slots for charts: points of a series laid onto one shared axis. Pure.

A value is carried until the next reading, until its window's reset, or for *carry_s* seconds,
whichever is first; while a window is exhausted it is carried until its reset. After that there is
nothing: a gap stays a gap.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

DAY = 86_400
#: Steps that charts are drawn in, in seconds: each divides or is divided by the rollups' spans.
STEPS = (
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
    2_592_000,
)


class Point(NamedTuple):
    """What a stretch of a series came to.

    All None where its window had gone from the answers by then.
    """

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
    """The slots of a chart: they start at *start*, *start + step*, … and the last one holds *end* −
    1.
    """

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
    """The axis over [start, end) with at most about *points* slots on step boundaries, no finer
    than *least_step*.
    """
    wanted = max(least_step, -(-max(1, end - start) // max(1, points)))
    step = next((s for s in STEPS if s >= wanted), wanted - wanted % -DAY)
    return Axis(start - start % step, end, step)


def columns(points: Iterable[Point], before: Point | None, axis: Axis, carry_s: int) -> Columns:
    """Lay *points*, in the order of time, onto *axis*; *before* is the last one ahead of it."""
    slots = _slots(points, axis)
    values = _remaining(slots, before, axis, carry_s)
    result = Columns(values, values.copy(), values.copy())
    for index, point in slots.items():
        result.min[index], result.max[index] = _left(point.max_used), _left(point.min_used)
    return result


def remaining(
    points: Iterable[Point], before: Point | None, axis: Axis, carry_s: int
) -> list[float | None]:
    """The first of the columns alone: what a line in the size of a word shows."""
    return _remaining(_slots(points, axis), before, axis, carry_s)


def _remaining(
    slots: Mapping[int, Point], before: Point | None, axis: Axis, carry_s: int
) -> list[float | None]:
    values: list[float | None] = [None] * len(axis)
    last, place = before, 0
    for index, point in slots.items():
        if index > place and last is not None:
            _carry(values, place, index, last, axis, carry_s)
        values[index] = _left(point.last_used)
        last, place = point, index + 1
    if last is not None:
        _carry(values, place, len(values), last, axis, carry_s)
    return values


def _carry(
    values: list[float | None], place: int, end: int, last: Point, axis: Axis, carry_s: int
) -> None:
    """Let the value of *last* hold from slot *place* on, before slot *end*: in those that start
    while it still holds.
    """
    if last.last_used is not None:
        end = max(place, min(end, -((axis.start - _holds_until(last, carry_s)) // axis.step)))
        values[place:end] = [_left(last.last_used)] * (end - place)


def _slots(points: Iterable[Point], axis: Axis) -> dict[int, Point]:
    """What each slot came to in which something was measured, in the order of time."""
    start, step, size = axis.start, axis.step, len(axis)
    slots: dict[int, Point] = {}
    for point in points:
        index = (point.at - start) // step
        if 0 <= index < size:
            slots[index] = _joined(slots[index], point) if index in slots else point
    return slots


def _joined(a: Point, b: Point) -> Point:
    """Two points of one slot as one: the extremes of both, the last of the later one."""
    later = b if b.last_at >= a.last_at else a
    low = (
        b.min_used
        if a.min_used is None or (b.min_used is not None and b.min_used < a.min_used)
        else a.min_used
    )
    high = (
        b.max_used
        if a.max_used is None or (b.max_used is not None and b.max_used > a.max_used)
        else a.max_used
    )
    # Spelled out instead of lists and _replace, for the same reason as _left.
    return Point(later.at, low, high, later.last_used, later.last_at, later.last_resets_at)


def _holds_until(last: Point, carry_s: int) -> int:
    """The moment at which the value of *last* is no longer known."""
    until, reset = last.last_at + carry_s, last.last_resets_at
    if reset is None or reset <= last.last_at:
        return until
    is_exhausted = last.last_used is not None and last.last_used >= 100
    return reset if is_exhausted else min(until, reset)


def _left(used: float | None) -> float | None:
    # Spelled out instead of quota.remaining: three calls for each of a chart's ten thousand values
    # are felt.
    return (
        None
        if used is None
        else 0.0
        if used >= 100
        else 100.0
        if used <= 0
        else round(100.0 - used, 2)
    )
