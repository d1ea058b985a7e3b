"""The hours of the week as a table and as a file."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from quota_web.reports.hours_of_week import HoursOfWeek
from quota_web.web import hours_table
from tests.fakes import NOW
from tests.fillings import TWO_ACCOUNTS


def hours(points):
    days = [[None] * 24 for _ in range(7)]
    for (day, hour), value in points.items():
        days[day][hour] = value
    return HoursOfWeek("five_hour", 1, tuple(tuple(day) for day in days), 8.0)


@pytest.mark.parametrize(
    ("points", "most", "step"),
    [(0, 10, 0), (0.1, 10, 1), (2.5, 10, 1), (2.6, 10, 2), (7.6, 10, 4), (10, 10, 4), (0, 0, 0)],
)
def test_steps_are_quarters_of_the_most(points, most, step):
    assert hours_table.step(points, most) == step


@pytest.mark.parametrize(
    ("points", "words"), [(0, ""), (0.04, ""), (0.3, "0.3"), (1.94, "1.9"), (1.96, "2"), (9.4, "9")]
)
def test_a_cell_says_as_much_as_is_known(points, words):
    assert hours_table.amount(points) == words


def test_it_says_when_most_is_used():
    assert (
        hours_table.sentence(hours({(1, 10): 9.0, (1, 11): 9.0}))
        == "Busiest Tue 10–12: 9 points an hour."
    )
    assert "Nothing was used" in hours_table.sentence(hours({(1, 10): 0.0}))


def test_an_unwatched_hour_is_told_apart_from_an_idle_one():
    made = hours_table.table(hours({(0, 0): 0.0, (0, 2): 4.0}), NOW, UTC)

    assert made is not None
    idle, unknown, most = made["days"][0][1][:3]
    assert (idle["step"], unknown["step"], most["step"]) == ("h0", "none", "h4")
    assert unknown["title"] == "Mon 01:00–02:00: no readings"
    assert most["title"] == "Mon 02:00–03:00: 4.0 points"


@TWO_ACCOUNTS
def test_the_page_has_a_real_table_of_all_hours(browser):
    page = browser.get("/accounts/alice").text
    [table] = re.findall(r'<table class="hours".*?</table>', page, re.S)

    assert len(re.findall(r'<td role="cell" class="(?:h[0-4]|none)"', table)) == 168
    assert len(re.findall(r'scope="row"', table)) == 7
    assert len(re.findall(r'scope="col"', table)) == 24
    assert re.search(r"Busiest (Mon|Tue|Wed|Thu|Fri) \d+–\d+: \d", page)


@pytest.mark.parametrize(
    ("weekday", "hour", "start"),
    [
        (5, 11, "2026-11-21T11:00+00:00"),
        # It is not over yet.
        (5, 12, "2026-11-14T12:00+00:00"),
        (6, 23, "2026-11-15T23:00+00:00"),
    ],
)
def test_a_cell_leads_to_the_last_such_hour_that_is_over(weekday, hour, start):
    assert (
        datetime.fromtimestamp(hours_table.latest_hour(weekday, hour, NOW, UTC), UTC)
    ) == datetime.fromisoformat(start)


def test_an_hour_is_one_where_the_viewer_is():
    berlin, summer = ZoneInfo("Europe/Berlin"), NOW - 28 * 86_400
    assert hours_table.latest_hour(5, 8, NOW, berlin) % 86_400 == 7 * 3_600
    assert hours_table.latest_hour(5, 8, summer, berlin) % 86_400 == 6 * 3_600


@TWO_ACCOUNTS
def test_an_hour_that_was_used_leads_to_its_charts_and_keeps_what_is_chosen(browser):
    for path, kept in (("/accounts/alice", ""), ("/history?account=alice", "account=alice&amp;")):
        table = browser.get(path).text.partition('class="hours"')[2].partition("</table>")[0]
        query = re.findall(r'href="\?([^"]+)#history" tabindex="-1">\d', table)[0]
        zoomed = browser.get(f"{path.partition('?')[0]}?{query.replace('&amp;', '&')}")

        assert query.startswith(f"{kept}from=")
        assert zoomed.status_code == 200
        assert "Reset zoom" in zoomed.text


@TWO_ACCOUNTS
def test_the_same_hours_are_a_file(browser):
    answer = browser.get("/history/hours.csv?account=alice")
    lines = answer.text.splitlines()

    assert answer.mimetype == "text/csv"
    assert lines[0] == "window,windows,weekday,hour,points"
    assert len(lines) == 169
    assert lines[1].startswith("five_hour,1,1,0,")
    assert browser.get("/history/hours.csv").text.splitlines()[1].startswith("five_hour,2,1,0,")
    assert browser.get("/history/hours.csv?account=nobody").status_code == 404
