"""The history page beside its lanes: state strips, comparison, hours of the week, cycles."""

import re
from datetime import UTC
from xml.etree import ElementTree

import pytest

from quota_web.core.series import Axis
from quota_web.demo import fill
from quota_web.reports.state_timeline import ShownState, StateRun, StateTimeline
from quota_web.web import compare_svg, cycle_bars, state_strip
from tests.fakes import NOW
from tests.fillings import TWO_ACCOUNTS
from tests.pages import Script, counted

AXIS = Axis(0, 100, 1)
SVG = "{http://www.w3.org/2000/svg}"
FILLED = pytest.mark.filled(14, 30)


def section(page: str, name: str) -> str:
    return page[page.index(f'id="{name}"') :].partition("</section>")[0]


# State strips


def test_runs_of_one_state_are_one_path_and_no_two_states_look_alike():
    runs = (
        StateRun(0, 10, ShownState.USABLE), StateRun(10, 20, ShownState.LOW),
        StateRun(20, 40, ShownState.USED_UP), StateRun(40, 50, ShownState.USABLE),
        StateRun(50, 60, ShownState.UNKNOWN), StateRun(60, 100, ShownState.PAUSED),
    )  # fmt: skip
    row = state_strip.row(StateTimeline("alice", runs), AXIS)
    assert row is not None
    picture = ElementTree.fromstring(str(row["drawing"]))

    paths = {p.get("class"): p.get("d") for p in picture.iter("path")}
    assert paths == {
        "s-usable": "M0 0H10V10H0ZM40 0H50V10H40Z",
        "s-low": "M10 0H20V10H10Z",
        "s-used_up": "M20 0H40V10H20Z",
    }
    assert [r.get("fill") for r in picture.iter("rect")] == ["url(#s-unknown)", "url(#s-paused)"]
    assert row["usable"] == "30\u202f%"
    assert row["runs"].split()[:2] == ["10:usable", "20:low"]
    assert picture.get("aria-label") == (
        "alice: can be used 20\u202f%, low 10\u202f%, used up 20\u202f%, not known 10\u202f%, "
        "paused 40\u202f% of the time"
    )


def test_an_account_without_any_state_has_no_strip():
    assert state_strip.row(StateTimeline("new", ()), AXIS) is None
    assert state_strip.row(None, AXIS) is None


@FILLED
def test_strips_are_in_the_order_of_the_lanes_and_all_but_the_first_twelve_folded(browser):
    page = browser.get("/history").text
    strips, folded = (
        page[page.index(start) :].partition("</ol>")[0]
        for start in ('<ol class="strips"', '<details class="more-strips">')
    )

    named = [re.findall(r'<li data-account="([^"]+)"', part) for part in (strips, folded)]
    assert named[0] + named[1] == re.findall(r'<li class="lane" data-account="([^"]+)"', page)
    assert [len(names) for names in named] == [12, 2]


# Compare


@FILLED
def test_ticked_accounts_are_compared_at_most_four(browser):
    query = "&".join(f"line={name}" for name in ("alice", "bob", "carol", "dave", "frank"))
    page = browser.get(f"/history?{query}&range=24h").text

    lines = re.search(r'<ul class="compare-lines">.*?</ul>', page, re.S)
    assert lines is not None
    assert lines[0].count("<li><svg") == 4
    assert re.findall(r'<div class="plot" data-window="([^"]+)"', page)[:2] == [
        "five_hour", "weekly",
    ]  # fmt: skip
    assert page.count(" checked>") == 4
    assert 'name="range" value="24h"' in page, "the range stays"


@FILLED
def test_without_a_tick_nothing_is_compared(browser):
    assert 'id="compare"' not in browser.get("/history").text
    assert 'id="compare"' not in browser.get("/history?line=nobody").text


@pytest.mark.filled(1, 10)
def test_one_account_has_nothing_to_be_compared_with(browser):
    page = browser.get("/history").text

    assert "checkbox" not in page
    assert "<select" not in page


@FILLED
def test_the_comparison_is_drawn_without_a_script(browser):
    answer = browser.get("/history/compare.svg?line=alice&line=grace&range=7d")
    picture = ElementTree.fromstring(answer.text)

    assert answer.mimetype == "image/svg+xml"
    assert picture.findtext(f"{SVG}title") == "alice, grace"
    titles = [t.text for t in picture.iter(f"{SVG}text") if t.get("font-weight") == "600"]
    assert titles == ["Five-hour, lowest of each 1 hour", "Weekly", "Monthly"] or titles == [
        "Five-hour", "Weekly", "Monthly",
    ]  # fmt: skip
    lines = [p for p in picture.iter(f"{SVG}path") if p.get("stroke-width") == "1.5"]
    assert {(p.get("stroke"), p.get("stroke-dasharray")) for p in lines} == {
        ("#0b6b5b", ""), ("#c2540a", "9 3"),
    }  # fmt: skip


@pytest.mark.parametrize("query", ["", "line=a&line=b&line=c&line=d&line=e", "line=alice&range=2d"])
@FILLED
def test_a_comparison_of_none_or_too_many_is_400(browser, query):
    assert browser.get(f"/history/compare.svg?{query}").status_code == 400


@FILLED
def test_a_comparison_with_an_unknown_account_is_404(browser):
    assert browser.get("/history/compare.svg?line=nobody").status_code == 404


def test_a_comparison_of_nothing_says_so():
    empty = {"from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z", "step_seconds": 60,
             "t": [], "series": []}  # fmt: skip

    assert "No readings in this time." in compare_svg.document(empty, ["<b>"], "bogus", UTC)


# Hours and cycles


@FILLED
def test_hours_are_of_all_accounts_or_of_the_one_that_is_named(browser):
    together = section(browser.get("/history").text, "hours")
    alone = section(browser.get("/history?account=alice").text, "hours")

    assert "windows “Five-hour” together, whatever their plans" in together
    assert "/history/hours.csv" in together
    assert "of the window “Five-hour” used in an hour" in alone
    assert "/history/hours.csv?account=alice" in alone
    assert "<option selected>alice" in alone
    assert section(browser.get("/history?account=nobody").text, "hours").count("selected") == 0


@FILLED
def test_each_account_has_a_line_of_its_last_cycles(browser):
    cycles = section(browser.get("/history").text, "cycles")

    assert cycles.count('<svg class="cycles"') == len(re.findall(r"#cycles", cycles))
    assert "more account" in cycles, "those behind the first twelve are folded"
    assert re.search(r"Last \d cycles: median used", cycles)
    assert "/api/cycles.csv" in cycles


def test_small_bars_say_used_lost_and_run_dry():
    one = {"used_at_reset_percent": 50.0, "wasted_percent": 50.0, "is_lower_bound": False,
           "ran_out_at": None, "hours_at_zero": 0.0}  # fmt: skip
    dry = one | {"used_at_reset_percent": 100.0, "wasted_percent": 0.0, "ran_out_at": "x",
                 "hours_at_zero": 24.0}  # fmt: skip
    drawn = str(cycle_bars.small([one, dry]))

    assert 'class="used" d="M2 38V22H11V38ZM16 38V6H25V38Z"' in drawn
    assert 'class="dry" d="M15 6V2.5H26V6Z"' in drawn
    assert drawn.count("M2.5 37.5") == 1


def test_the_page_takes_the_same_queries_for_any_number_of_accounts(installation, browser):
    counts = []
    for accounts in (9, 14):
        fill.fill(accounts, 10, NOW)
        with counted(browser) as statements:
            assert browser.get("/history?line=alice&line=bob").status_code == 200
        counts.append(len(statements))
        fill.remove(NOW)

    assert counts[0] == counts[1]


@FILLED
def test_a_second_look_reads_nothing_twice(browser):
    browser.get("/history")
    with counted(browser) as statements:
        browser.get("/history")

    assert [s for s in statements if re.search(r"FROM (rollup|reading|cycle)\b", s)] == []


@TWO_ACCOUNTS
@pytest.mark.usefixtures("database")
def test_the_page_works_on_both_databases(browser):
    for path in ("/history?line=alice&line=bob", "/accounts/alice", "/accounts/alice/lane.svg"):
        assert browser.get(path).status_code == 200


@FILLED
def test_a_token_may_look(browser):
    script = Script(browser)
    for path in ("/history", "/history/compare.svg?line=alice", "/history/hours.csv"):
        assert script.get(path).status_code == 200
