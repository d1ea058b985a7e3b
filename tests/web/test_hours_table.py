"""The hours of the week as a table and as a file."""

import re

import pytest

from quota_web.demo import fill
from quota_web.reports.hours_of_week import HoursOfWeek
from quota_web.web import hours_table
from tests.fakes import NOW


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
    made = hours_table.table(hours({(0, 0): 0.0, (0, 2): 4.0}))

    assert made is not None
    idle, unknown, most = made["days"][0][1][:3]
    assert (idle["step"], unknown["step"], most["step"]) == ("h0", "none", "h4")
    assert unknown["title"] == "Mon 01:00–02:00: no readings"
    assert most["title"] == "Mon 02:00–03:00: 4.0 points"


def test_the_page_has_a_real_table_of_all_hours(installation, browser):
    fill.fill(1, 30, NOW)
    page = browser.get("/accounts/alice").text
    [table] = re.findall(r'<table class="hours".*?</table>', page, re.S)

    assert len(re.findall(r'<td role="cell" class="(?:h[0-4]|none)"', table)) == 168
    assert len(re.findall(r'scope="row"', table)) == 7
    assert len(re.findall(r'scope="col"', table)) == 24
    assert re.search(r"Busiest (Mon|Tue|Wed|Thu|Fri) \d+–\d+: \d", page)


def test_the_same_hours_are_a_file(installation, browser):
    fill.fill(2, 30, NOW)
    answer = browser.get("/history/hours.csv?account=alice")
    lines = answer.text.splitlines()

    assert answer.mimetype == "text/csv"
    assert lines[0] == "window,windows,weekday,hour,points"
    assert len(lines) == 169
    assert lines[1].startswith("five_hour,1,1,0,")
    assert browser.get("/history/hours.csv").text.splitlines()[1].startswith("five_hour,2,1,0,")
    assert browser.get("/history/hours.csv?account=nobody").status_code == 404
