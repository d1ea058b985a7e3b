"""What work takes: the need of a quarter of an hour, and the price of a session in the week."""

import pytest

from quota_web.foresight import WindowHistory
from quota_web.foresight.workload import (
    DEFAULT_NEED,
    capacity,
    exchange,
    exchange_points,
    need,
    work_of,
)

QUARTER, HOUR, DAY = 900, 3_600, 86_400
NOW = 1_795_262_400
FIVE_HOURS, WEEK = 5 * HOUR, 7 * DAY


def history(key, rows, length=FIVE_HOURS):
    at, used, resets = zip(*rows, strict=True)
    return WindowHistory(key, length, at, used, resets)


def working(points, quarters, until=NOW):
    """A window of which each quarter of an hour up to *until* took so many points."""
    start = until - quarters * QUARTER
    return history(
        "five_hour",
        [(start + k * QUARTER, k * points, until + HOUR) for k in range(quarters + 1)],
        length=DAY,
    )


def test_the_work_is_what_quarters_of_an_hour_took():
    found = work_of(working(2.0, 30), NOW)

    assert found is not None
    assert found[0] == 30
    assert found[1][8] == pytest.approx(2.0)


def test_a_rise_over_an_hour_is_spread_over_its_quarters():
    rows = [(NOW - 2 * HOUR, 0, NOW + HOUR), (NOW - HOUR, 8, NOW + HOUR)]

    found = work_of(history("five_hour", rows), NOW)
    assert found is not None
    assert found[1][8] == pytest.approx(2.0)


def test_use_from_more_than_a_week_ago_counts_for_nothing():
    assert work_of(working(2.0, 30, NOW - 8 * DAY), NOW) is None


def test_the_need_is_more_than_the_90th_percentile():
    assert need([((30, (2.0,) * 10), 1.0)]) == pytest.approx(2.6)


def test_the_need_counts_in_plus_windows():
    assert need([((30, (2.0,) * 10), 5.0)]) == pytest.approx(13)


def test_accounts_count_by_how_much_they_were_in_use():
    seldom, often = ((20, (9.0,) * 10), 1.0), ((400, (1.0,) * 10), 1.0)

    assert need([seldom, often]) == pytest.approx(1.3)


@pytest.mark.parametrize("works", [[], [((19, (50.0,) * 10), 1.0)]])
def test_little_work_says_nothing_of_the_need(works):
    assert need(works) == DEFAULT_NEED


def test_a_plan_that_is_not_known_is_as_large_as_plus():
    assert [capacity(p) for p in ("plus", "team", "new", None)] == [1, 1, 1, 1]
    assert capacity("prolite") == 5
    assert capacity("Pro") == pytest.approx(20 / 3)
    assert 0 < capacity("free") < 1


def exchanged(*rows, since=NOW):
    """The points of rows of (moment, five-hour used, weekly used)."""
    five = history("five_hour", [(NOW + at, used, NOW + DAY) for at, used, _ in rows])
    week = history("weekly", [(NOW + at, used, NOW + WEEK) for at, _, used in rows], WEEK)
    return exchange_points(five, week, since)


def test_the_exchange_is_what_both_windows_rose():
    points = exchanged((0, 0, 10), (HOUR, 50, 18), (2 * HOUR, 90, 24))

    assert points == (90, 14)
    assert exchange([points, (10.0, 2.0)]) == pytest.approx(0.16)


@pytest.mark.parametrize(
    "rows",
    [
        # More than two hours apart, a reset of either between, an exhausted window.
        ((0, 0, 10), (3 * HOUR, 50, 18)),
        ((0, 40, 10), (HOUR, 10, 18)),
        ((0, 0, 60), (HOUR, 50, 8)),
        ((0, 0, 10), (HOUR, 100, 30)),
    ],
)
def test_readings_that_do_not_belong_together_cost_nothing(rows):
    assert exchanged(*rows) == (0, 0)


def test_a_plan_change_starts_the_exchange_anew():
    assert exchanged((0, 0, 10), (HOUR, 50, 18), since=NOW + 1) == (0, 0)


def test_the_exchange_is_said_from_100_points_on():
    assert exchange([(99.0, 16.0)]) is None
    assert exchange([(100.0, 16.0)]) == pytest.approx(0.16)
