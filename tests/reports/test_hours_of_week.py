"""At which hours quota is used: means over the weeks that were watched, in the reader's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from quota_web.demo import fill
from quota_web.reports import hours_of_week
from quota_web.reports.hours_of_week import BusiestTime
from tests.fakes import NOW

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
#: A Monday, 00:00 UTC.
MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())


def folded(rows, carry_s=2 * HOUR, zone=UTC):
    return hours_of_week.fold("five_hour", 1, rows, carry_s, zone)


def watched(weeks, used):
    """Every hour of some weeks; *used*: points by hour of the week."""
    return [(MONDAY + hour * HOUR, used.get(hour % 168, 0.0), 1) for hour in range(weeks * 168)]


def test_an_hour_is_the_mean_of_the_weeks_in_which_it_was_watched():
    rows = watched(2, {10: 6.0})
    rows[168 + 10] = (rows[168 + 10][0], 2.0, 4)
    found = folded(rows)

    assert found.points[0][10] == 4.0
    assert found.points[0][11] == 0.0
    assert found.weeks == pytest.approx(2, abs=0.01)


def test_an_hour_that_was_never_watched_is_none_and_not_zero():
    found = folded(watched(1, {})[:30])

    assert found.points[1][5] == 0.0
    assert found.points[1][6] is None
    assert found.points[6][23] is None


def test_what_was_used_in_a_time_without_readings_has_no_hour():
    rows = [(MONDAY, 0.0, 1), (MONDAY + HOUR, 0.0, 1), (MONDAY + 9 * HOUR, 40.0, 1)]
    found = folded(rows)

    assert found.points[0][9] is None
    assert found.most == 0.0
    assert found.busiest is None


def test_hours_between_two_readings_close_enough_were_watched():
    found = folded([(MONDAY, 0.0, 1), (MONDAY + 2 * HOUR, 3.0, 1)])

    assert found.points[0][1:3] == (0.0, 3.0)


def test_days_and_hours_are_those_of_the_zone():
    [row] = [r for r in watched(1, {10: 6.0}) if r[1]]
    before = (row[0] - HOUR, 0.0, 1)
    found = folded([before, row], zone=ZoneInfo("Asia/Tokyo"))

    assert found.points[0][19] == 6.0


def test_the_busiest_time_is_two_hours_of_a_day():
    found = folded(watched(1, {34: 9.0, 35: 8.0, 36: 1.0, 100: 10.0}))

    assert found.busiest == BusiestTime(1, 10, 12, 8.5)


@pytest.mark.usefixtures("database")
def test_five_hour_windows_count_where_there_are_any(installation):
    fill.fill(8, 20, NOW)
    [(frank,)] = installation.rows("SELECT id FROM account WHERE name = 'frank'")
    ids = [i for (i,) in installation.rows("SELECT id FROM account")]

    together = hours_of_week.load(ids, 2 * HOUR, NOW, UTC)
    assert together is not None
    assert (together.key, together.windows) == ("five_hour", 5)
    alone = hours_of_week.load([frank], 2 * HOUR, NOW, UTC)
    assert alone is not None
    assert (alone.key, alone.windows) == ("weekly", 1)
    assert hours_of_week.load([], 2 * HOUR, NOW, UTC) is None
