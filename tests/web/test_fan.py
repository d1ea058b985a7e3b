"""The present cycle on an account's page: its line, its fan, and what stands there without one."""

import re
from dataclasses import replace
from datetime import UTC
from xml.etree import ElementTree

import pytest

from quota_web.core import clock
from quota_web.core.quota import Reading
from quota_web.core.series import Axis
from quota_web.foresight import forecast_pass
from quota_web.reports.present_cycle import PresentCycle
from quota_web.store.forecasts import StoredForecast
from quota_web.web import fan_svg
from tests.fakes import NOW, FakeResponse, usage_body
from tests.fillings import MONTH, TWO_ACCOUNTS
from tests.pages import counted

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
START = 1_795_219_200  # 2026-11-21T00:00:00Z, a Saturday
MIDDLE = START + WEEK // 2


def foretold(chance=0.7, crossings=(1.5 * DAY, 2 * DAY, 2.3 * DAY), **changes):
    ahead = WEEK // 2
    fan = tuple(
        (ahead * k // 12, *[max(0.0, 60 - k * step) for step in (7, 6, 5, 4, 3)])
        for k in range(1, 13)
    )
    said = {
        "window_id": 1, "made_at": MIDDLE, "state": "forecast", "taken_at": MIDDLE,
        "used_percent": 40.0, "resets_at": START + WEEK, "run_out_probability": chance,
        "length_s": WEEK, "days_of_history": 30.0, "run_out_in": crossings,
        "rest": (0.0, 0.0, 24.0), "fan": fan,
    }  # fmt: skip
    return StoredForecast(**(said | changes))


def cycle(said=None, key="weekly"):
    axis = Axis(START, MIDDLE + 1, HOUR)
    column = [100.0 - 40 * i / len(axis) for i in range(len(axis))]
    window = Reading(key, 40.0, START + WEEK, WEEK)
    return PresentCycle(window, START, START + WEEK, axis, column, said)


def drawn(one):
    return ElementTree.fromstring(str(fan_svg.drawing(one, UTC, MIDDLE)))


def of_class(picture, name):
    return [element for element in picture.iter() if name in (element.get("class") or "").split()]


def words(picture):
    return [element.text for element in picture.iter("text") if element.text]


def test_history_is_a_line_and_the_future_two_bands_around_a_middle():
    picture = drawn(cycle(foretold()))

    [line], [wide], [narrow], [middle] = (
        of_class(picture, name) for name in ("fan-line", "fan-80", "fan-50", "fan-middle")
    )
    assert line.get("d").startswith("M0 0H")
    assert wide.get("d").startswith("M500 40 541.7 43")
    assert narrow.get("d").startswith("M500 40 541.7 44")
    assert middle.get("d").startswith("M500 40 541.7 45")
    assert len(of_class(picture, "fan-even")) == 1


def test_a_gap_in_the_line_is_bridged_by_dots_from_value_to_value():
    one = cycle()
    column = list(one.remaining)
    column[10:20] = [None] * 10
    picture = drawn(replace(one, remaining=column))

    [gap] = of_class(picture, "fan-gap")
    assert re.fullmatch(r"M59\.5\d* 4\.2\dL119 9\.4\d?", gap.get("d")), gap.get("d")
    assert of_class(drawn(one), "fan-gap") == []


def test_the_moment_it_may_run_out_is_a_part_of_a_day_and_never_a_minute():
    told = words(drawn(cycle(foretold())))

    assert "may run out: Thursday afternoon (70 %)" in told or any(
        re.fullmatch(r"may run out: \w+ (morning|afternoon|evening|night) \(70 %\)", w)
        for w in told
    )
    assert not [w for w in told if re.search(r"may run out.*\d\d:\d\d", w)]


def test_a_band_wider_than_a_day_has_a_day_alone():
    told = words(drawn(cycle(foretold(crossings=(1 * DAY, 2 * DAY, 3 * DAY)))))

    [moment] = [w for w in told if w.startswith("may run out")]
    assert re.fullmatch(r"may run out: \w+day \(70 %\)", moment)


def test_a_small_chance_is_a_footnote_and_the_smallest_is_not_told():
    assert len(of_class(drawn(cycle(foretold(0.1))), "fan-if")) == 1
    assert of_class(drawn(cycle(foretold(0.04))), "fan-if") == []
    assert of_class(drawn(cycle(foretold(0.04))), "fan-out") == []


def test_the_words_of_a_run_out_stand_above_the_fan_right_of_now():
    [moment] = of_class(drawn(cycle(foretold())), "fan-words")

    assert (moment.get("x"), moment.get("text-anchor")) == ("75.00%", "middle")
    assert float(moment.get("y")) < fan_svg.TOP + fan_svg.PLOT * 0.4, "60 % are left"


def test_now_at_the_left_edge_stands_where_the_highest_percent_would():
    early = ElementTree.fromstring(str(fan_svg.drawing(cycle(), UTC, START + DAY)))

    assert "now" in words(early)
    assert "100\u202f%" not in words(early)
    assert "100\u202f%" in words(drawn(cycle()))


def test_a_short_window_has_no_moment_in_words():
    told = words(drawn(cycle(foretold(length_s=5 * HOUR), key="five_hour")))

    assert "may run out (70 %)" in told


@pytest.mark.parametrize("state", ["stale", "exhausted", "few_data", "blocked_by"])
def test_without_a_forecast_there_is_the_line_alone(state):
    picture = drawn(cycle(foretold(state=state)))

    assert of_class(picture, "fan-80") == []
    assert of_class(picture, "fan-out") == []
    assert len(of_class(picture, "fan-line")) == 1


def test_it_says_its_gist():
    assert fan_svg.gist(cycle(foretold())) == (
        "Weekly: 60\u202f% left; likely 0\u202f% to 24\u202f% left at the reset."
    )
    assert fan_svg.gist(cycle()) == "Weekly: 60\u202f% left."


@MONTH
def test_the_page_draws_the_fan_of_each_window_that_is_in_use(browser):
    with counted(browser) as statements:
        page = browser.get("/accounts/carol").text

    assert page.count('data-chart="fan"') == 2
    assert len(re.findall(r'<svg class="fan".*?<path class="fan-80" d="M', page)) == 2
    assert page.index("Weekly <span") < page.index("Five-hour <span"), "the longest first"
    assert not [s for s in statements if "INSERT" in s]


def test_with_too_little_history_it_says_when_there_will_be_a_forecast(
    installation, browser, codex
):
    installation.file("alice")
    installation.refresh()
    installation.now = NOW + 600
    codex.answers("acct-alice", FakeResponse(body=usage_body(14, 41)))
    installation.ask("alice", force=True)
    forecast_pass.run(NOW + 600, HOUR, None)
    with clock.frozen(NOW + 600):
        page = browser.get("/accounts/alice").text

    assert "24 more hours until a forecast" in page
    assert 'class="fan-80" d="M' not in page


def test_a_window_that_was_not_started_is_not_drawn(installation, browser, codex):
    installation.file("alice")
    body = usage_body(0, 40)
    body["rate_limit"]["primary_window"]["reset_at"] = NOW + 18_000  # type: ignore[index]
    codex.answers("acct-alice", FakeResponse(body=body))
    installation.refresh()
    forecast_pass.run(NOW, HOUR, None)
    page = browser.get("/accounts/alice").text

    assert page.count('data-chart="fan"') == 1
    assert "full: its time begins with the first use" in page


def test_the_page_takes_as_many_queries_for_any_number_of_windows(installation, browser, codex):
    found = []
    for number, five_hour in enumerate((None, 12)):
        installation.file(f"a{number}")
        codex.answers(f"acct-a{number}", FakeResponse(body=usage_body(five_hour, 40)))
    installation.refresh()
    for number in range(2):
        browser.get(f"/accounts/a{number}")
        with counted(browser) as statements:
            browser.get(f"/accounts/a{number}")
        found.append(len(statements))

    assert found[0] == found[1]


@TWO_ACCOUNTS
def test_a_stale_reading_has_no_fan_and_no_sessions(browser):
    with clock.frozen(NOW + 5 * HOUR):
        page = browser.get("/accounts/alice").text

    assert re.search(r'<svg class="fan".*?<path class="fan-80" d="M', page) is None
    assert "The last reading is too old to say what comes." in page
    assert "full sessions left" not in page
