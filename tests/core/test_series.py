"""Slots of charts: what is carried, where a line breaks, and that no peak is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.core import series
from quota_web.core.quota import remaining
from quota_web.core.series import STEPS, Axis, Point

HOUR, DAY = 3_600, 86_400
T = 1_795_262_400
CARRY = 2 * HOUR


def reading(at: int, used: float | None, resets_at: int | None = None) -> Point:
    return Point(at, used, used, used, at, resets_at)


def laid(points, before=None, *, slots=6, step=HOUR, carry=CARRY):
    return series.columns(points, before, Axis(T, T + slots * step, step), carry)


def test_a_value_is_carried_until_the_next_reading():
    columns = laid([reading(T + 60, 10), reading(T + 2 * HOUR + 60, 30)], carry=DAY)

    assert columns.remaining == [90, 90, 70, 70, 70, 70]


def test_a_value_is_carried_for_so_long_only_and_a_gap_stays_a_gap():
    columns = laid([reading(T + 60, 10), reading(T + 5 * HOUR, 30)])

    assert columns.remaining == [90, 90, 90, None, None, 70]
    assert columns.min == columns.max == columns.remaining


def test_a_value_is_carried_to_its_reset_at_most():
    assert laid([reading(T, 10, T + HOUR)], carry=DAY).remaining == [
        90,
        None,
        None,
        None,
        None,
        None,
    ]


def test_an_exhausted_window_is_carried_to_its_reset_however_long_that_is():
    assert laid([reading(T, 100, T + 5 * HOUR)]).remaining == [0, 0, 0, 0, 0, None]


def test_an_exhausted_window_whose_reset_was_past_already_is_carried_like_any_other():
    columns = laid([reading(T, 100, T - 300)])

    assert columns.remaining == laid([reading(T, 100)]).remaining
    assert columns.remaining[0] == 0


def test_an_exhausted_window_without_a_reset_is_carried_like_any_other():
    assert laid([reading(T, 100)]).remaining == [0, 0, None, None, None, None]


def test_a_reset_that_had_passed_when_it_was_read_ends_nothing():
    assert laid([reading(T + 10, 10, T)]).remaining == [90, 90, 90, None, None, None]


def test_a_chart_begins_with_the_reading_before_it():
    assert laid([], reading(T - 60, 25)).remaining == [75, 75, None, None, None, None]


def test_a_reading_from_long_before_the_chart_is_not_carried_into_it():
    assert laid([reading(T + HOUR, 30)], reading(T - 9 * HOUR, 25)).remaining == [
        None,
        70,
        70,
        None,
        None,
        None,
    ]


@given(
    st.integers(0, 100),
    st.one_of(st.none(), st.integers(T - 30 * HOUR, T + 12 * HOUR)),
    st.integers(T - 30 * HOUR, T - 1),
    st.lists(
        st.tuples(
            st.integers(0, 6 * HOUR - 1),
            st.integers(0, 100),
            st.one_of(st.none(), st.integers(T - DAY, T + DAY)),
        ),
        max_size=8,
    ),
)
def test_every_slot_says_what_its_start_would_be_answered(used, reset, at, readings):
    before = reading(at, used, reset)
    points = [
        reading(T + offset, u, r)
        for offset, u, r in sorted(
            {o: (o, u, r) for o, u, r in readings}.values(), key=lambda p: p[0]
        )
    ]
    columns = laid(points, before)

    assert [len(c) for c in (columns.remaining, columns.min, columns.max)] == [6, 6, 6]
    for slot in range(6):
        start = T + slot * HOUR
        inside = [p for p in points if start <= p.at < start + HOUR]
        last = ([before] + [p for p in points if p.at < start])[-1]
        assert columns.remaining[slot] == (
            left(inside[-1]) if inside else left(last) if holds(last, start) else None
        )


def left(point: Point) -> float:
    return remaining(point.last_used or 0)


def holds(point: Point, at: int) -> bool:
    """The rule as the contract has it: until the reset or twice the interval, whichever is first;
    longer only while exhausted.
    """
    reset = point.last_resets_at
    if (point.last_used or 0) >= 100 and reset is not None and reset > point.last_at:
        return at < reset
    return at < point.last_at + CARRY and not (reset is not None and point.last_at < reset <= at)


def test_nothing_known_is_nothing_shown():
    assert laid([]).remaining == [None] * 6


def test_a_window_that_is_gone_leaves_nothing_behind():
    columns = laid([reading(T, 10), reading(T + HOUR, None), reading(T + 3 * HOUR, 40)], carry=DAY)

    assert columns.remaining == [90, None, None, 60, 60, 60]


def test_a_slot_keeps_its_peak_when_the_window_goes_within_it():
    columns = laid([reading(T, 10), reading(T + 60, 80), reading(T + 120, None)])

    assert (columns.remaining[0], columns.min[0], columns.max[0]) == (None, 20, 90)


def test_a_slot_has_the_last_the_lowest_and_the_highest():
    columns = laid([reading(T + 5, 50), reading(T + 6, 90), reading(T + 7, 20)])

    assert (columns.remaining[0], columns.min[0], columns.max[0]) == (80, 10, 80)


def test_points_outside_of_the_axis_are_left_out():
    assert laid([reading(T - 1, 10), reading(T + 6 * HOUR, 10)]).remaining == [None] * 6


def test_what_is_used_beyond_the_limit_shows_as_nothing_left():
    assert laid([reading(T, 140.5)]).remaining[0] == 0


@given(st.floats(-1e6, 1e6))
def test_what_is_left_is_what_quota_says(used):
    assert laid([reading(T, used)]).remaining[0] == round(remaining(used), 2)


@pytest.mark.parametrize(
    ("length", "points", "step"),
    [
        (DAY, 500, 300),
        (7 * DAY, 500, 1_800),
        (30 * DAY, 500, 7_200),
        (90 * DAY, 500, 21_600),
        (365 * DAY, 500, DAY),
        (DAY, 96, 900),
    ],
)
def test_steps_are_round_and_give_about_as_many_points_as_asked_for(length, points, step):
    found = series.axis(T - length, T, points)

    assert found.step == step
    assert points / 8 <= len(found) <= points + 1


@given(
    st.integers(0, 4 * 10**9),
    st.integers(1, 20 * 365 * DAY),
    st.integers(1, 2_000),
    st.sampled_from([1, HOUR, 21_600, DAY]),
)
def test_an_axis_lies_on_step_boundaries_and_covers_what_was_asked(start, length, points, least):
    found = series.axis(start, start + length, points, least)

    assert found.step >= least
    assert found.start % found.step == 0
    assert found.start <= start < found.start + found.step
    assert found.times()[-1] < start + length <= found.times()[-1] + found.step
    assert len(found) == len(found.times()) <= points + 1


@pytest.mark.parametrize("span", [HOUR, 21_600, DAY])
def test_steps_and_spans_fit_into_each_other(span):
    assert all(step % span == 0 or span % step == 0 for step in STEPS)


values = st.lists(
    st.tuples(st.integers(0, 6 * HOUR - 1), st.one_of(st.none(), st.integers(0, 100))),
    unique_by=lambda v: v[0],
    max_size=40,
)


@given(values)
def test_joined_points_say_what_their_readings_said(readings):
    points = [reading(T + at, used) for at, used in sorted(readings)]
    halves: dict[int, list[Point]] = {}
    for point in points:
        halves.setdefault(point.at - point.at % 1_800, []).append(point)
    rolled = [rolled_up(slot, inside) for slot, inside in sorted(halves.items())]

    assert laid(rolled) == laid(points)


def rolled_up(slot: int, points: list[Point]) -> Point:
    known = [p.last_used for p in points if p.last_used is not None]
    last = points[-1]
    return Point(
        slot,
        min(known, default=None),
        max(known, default=None),
        last.last_used,
        last.at,
        last.last_resets_at,
    )
