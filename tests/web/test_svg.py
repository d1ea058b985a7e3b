"""Charts drawn on the server: paths over columns, and documents that are well-formed whatever they
show.
"""

from datetime import UTC, timedelta, timezone
from xml.etree import ElementTree

import pytest

from quota_web.reports.hourly_use import HourlyUse
from quota_web.web import svg

START = 1_795_219_200  # 2026-11-21T00:00:00Z
HOUR = 3600


def history(*series, hours=24):
    times = list(range(START, START + hours * HOUR + 1, HOUR))
    return {
        "from": "2026-11-21T00:00:00Z",
        "to": "2026-11-22T00:00:00Z",
        "step_seconds": HOUR,
        "t": times,
        "series": [
            {"account": "alice", "window": w, "remaining": v, "min": v, "max": v} for w, v in series
        ],
    }


def same(value):
    return value


def drawn(*values):
    return svg.steps(range(len(values)), values, same, same)


def test_a_value_holds_until_the_next():
    assert drawn(90, 80, 80, 70) == "M0 90H1V80H3V70H3"


def test_a_gap_lifts_the_pen():
    assert drawn(90, None, None, 80, 80) == "M0 90H1M3 80H4"


def test_a_reset_breaks_the_line():
    assert drawn(10, 100, 100) == "M0 10H1M1 100H2"


def test_a_small_rise_is_a_correction_not_a_reset():
    assert drawn(10, 12) == "M0 10H1V12H1"


def test_nothing_known_draws_nothing():
    assert drawn(None, None) == ""


def test_a_bar_is_as_wide_as_what_is_left():
    assert '<rect width="42.5" height="6"/>' in svg.bar(42.5, "fine")
    assert 'class="bar bar-empty"' in svg.bar(0, "empty")


def use(*points: float | None, key: str = "five_hour") -> HourlyUse:
    return HourlyUse(key, points)


def test_use_that_was_never_read_is_a_dash():
    assert (
        svg.hourly_bars(None)
        == '<span class="none"><span aria-hidden="true">–</span><span class="sr">no '
        "readings</span></span>"
    )


def test_an_hour_without_use_has_a_line_and_one_without_readings_has_none():
    picture = svg.hourly_bars(use(0, None, 40))

    assert 'd="M0 20v-1h3V20M8 20v-19h3V20"' in picture


def test_points_of_a_long_window_are_worth_more_and_no_bar_is_higher_than_the_picture():
    assert "v-19h3" in svg.hourly_bars(use(6.4, key="weekly"))
    assert "v-19h3" in svg.hourly_bars(use(99))


def test_hourly_use_says_its_gist():
    picture = svg.hourly_bars(use(8, None, 30.5))

    assert 'aria-label="24 hours: 38.5 points of the five-hour window used"' in picture


def test_hourly_use_needs_no_style():
    assert "style" not in svg.hourly_bars(use(88, 40))


@pytest.mark.parametrize("theme", ["light", "dark", "<script>"])
def test_a_chart_is_a_document_with_a_title_and_what_it_shows(theme):
    root = ElementTree.fromstring(
        svg.chart(
            history(("five_hour", [50.0] * 25), ("weekly", [70.0] * 24 + [None])),
            "Quota of alice",
            theme,
            UTC,
        )
    )

    namespace = {"svg": "http://www.w3.org/2000/svg"}
    assert root.findtext("svg:title", namespaces=namespace) == "Quota of alice"
    assert (
        root.findtext("svg:desc", namespaces=namespace)
        == "Five-hour: lowest 50 %, last 50 %; Weekly: lowest 70 %, last 70 %"
    )
    assert {e.text for e in root.iterfind("svg:text", namespace)} >= {
        "Five-hour",
        "Weekly",
        "UTC",
        "50 %",
        "70 %",
    }


def test_a_hostile_name_stays_a_name():
    document = svg.chart(history(), "<script>alert(1)</script>&", zone=UTC)

    assert ElementTree.fromstring(document)[0].text == "<script>alert(1)</script>&"


def test_a_hostile_window_stays_a_word():
    document = svg.chart(history(("model:<img src=x>:weekly", [1.0] * 25)), "alice", zone=UTC)

    assert "<img" not in document
    ElementTree.fromstring(document)


def test_a_chart_without_readings_says_so():
    assert "No readings in this time." in svg.chart(history(), "alice", zone=UTC)
    assert "Weekly: no readings" in svg.chart(history(("weekly", [None] * 25)), "alice", zone=UTC)


def test_a_slot_in_which_the_value_moved_shows_how_far():
    moved = history(("weekly", [70.0] * 25))
    moved["series"][0] |= {"min": [70.0] * 24 + [60.0], "max": [80.0, *[70.0] * 24]}

    assert svg.chart(moved, "alice", zone=UTC).count('fill-opacity="0.18"') == 1


def test_a_slot_of_whole_cycles_shows_its_lowest():
    many = history(("five_hour", [100.0] * 25))
    many["step_seconds"] = 6 * HOUR
    many["series"][0]["min"] = [40.0] * 24 + [30.0]

    document = svg.chart(many, "alice", zone=UTC)

    assert "Five-hour, lowest of each 6 hours" in document
    assert "H664V" in document, "the line falls to the lowest of the last slot"
    assert ">100 %<" in document, "the number beside it is what is left"
    assert ">30 %<" not in document


def test_a_narrow_chart_has_words_that_fit_a_phone():
    wide, narrow = (
        svg.chart(history(("weekly", [50.0] * 25)), "alice", zone=UTC, width=width)
        for width in (svg.WIDTH, svg.NARROW)
    )

    assert [
        ElementTree.fromstring(document).get("viewBox", "").split()[2]
        for document in (wide, narrow)
    ] == ["720", "360"]
    assert narrow.count('v4"') < wide.count('v4"')


def test_a_chart_has_no_styles_that_a_strict_policy_would_block():
    assert "style" not in svg.chart(history(("weekly", [70.0] * 25)), "alice", zone=UTC)


@pytest.mark.parametrize("hours", [1, 24, 7 * 24, 30 * 24, 90 * 24, 365 * 24, 20 * 365 * 24])
def test_time_marks_are_few_and_inside(hours):
    ticks, _ = svg.time_ticks(START, START + hours * HOUR)

    assert len(ticks) <= 9
    assert all(START <= t <= START + hours * HOUR for t in ticks)


def test_time_marks_are_round_in_the_zone_that_is_shown():
    ticks, step = svg.time_ticks(START, START + 24 * HOUR, timezone(timedelta(hours=5, minutes=30)))

    assert step == 3 * HOUR
    assert {(t + 19_800) % step for t in ticks} == {0}
