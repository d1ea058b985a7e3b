"""Lanes in a real browser: pictures first, charts while in view, one cursor, keys, zoom, colours,
paper.
"""

import gzip
import re

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import (
    PASSWORD,
    PHONE,
    asked,
    barriers,
    flask_quota,
    library,
    overflows,
    visit,
)
from tests.fakes import FakeCodex
from tests.servers import Server

ACCOUNTS = 25
#: What the first load may weigh, packed, with the chart library and without pictures.
MOST_BYTES = 60_000
#: What was drawn has also been painted: uPlot tells of a chart's cursor in a task of its own.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true))))"
#: Notes where the page says that the cursor is, from now on.
TOLD = """() => {
  window.told = [];
  document.addEventListener("lane-cursor", (event) => told.push(String(event.detail?.index)));
}"""
DRAWN = "() => document.getElementById('history').dataset.charts === 'drawn'"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    library()
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        flask_quota(server, "demo", "--accounts", str(ACCOUNTS), "--days", "10")
        with server.classic():
            yield server


@pytest.fixture
def page(tabs):
    with tabs.visit(expected=("getImageData",)) as page:
        yield page


def opened(page: Page, path: str = "/history") -> None:
    page.goto(path)
    page.wait_for_function(DRAWN)


def charted(page: Page) -> list[str]:
    """The accounts whose lane is a chart now."""
    return page.locator(".lane:has(canvas)").evaluate_all(
        "all => all.map((lane) => lane.dataset.account)"
    )


def pictured(page: Page) -> int:
    """How many pictures have arrived and are as large as their place."""
    return page.locator(".lane-plot img").evaluate_all(
        "all => all.filter((i) => i.complete && i.naturalWidth && i.clientHeight > 30).length"
    )


def test_only_lanes_in_view_are_charts(page):
    opened(page)
    first = charted(page)
    assert 3 < len(first) < ACCOUNTS - 4, "as many as fit, and some at the edge"

    page.locator(".lane").last.scroll_into_view_if_needed()
    last = page.locator(".lane").last
    expect(last.locator("canvas")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('.lane:first-child canvas')")
    assert len(charted(page)) < ACCOUNTS - 4
    expect(page.locator(".lane").first.locator("img")).to_be_attached()


def test_a_chart_shows_what_its_picture_shows(page):
    opened(page)
    lane = page.locator(".lane:has(canvas)").first
    filled = lane.locator("canvas").evaluate("""(canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length / (data.length / 4);
    }""")
    assert filled > 0.1
    label = lane.locator(".lane-plot").get_attribute("aria-label")
    assert re.fullmatch(r".+\. (Weekly|Monthly): lowest .+, last .+", label)


def test_one_cursor_goes_through_all_lanes_and_writes_their_values(page):
    opened(page)
    lanes = page.locator(".lane:has(canvas)")
    before = lanes.nth(1).locator("[data-value=area]").inner_text()
    box = lanes.first.locator(".u-over").bounding_box()

    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
    expect(page.locator("#cursor-time")).to_have_text(re.compile(r"\d\d:\d\d"))
    places = page.eval_on_selector_all(
        ".u-cursor-x", "all => all.map((line) => getComputedStyle(line).transform)"
    )
    assert len(places) > 3
    assert len(set(places)) == 1
    page.mouse.move(5, 5)
    expect(page.locator("#cursor-time")).to_have_text("")
    expect(lanes.nth(1).locator("[data-value=area]")).to_have_text(before)


def test_arrow_keys_move_the_cursor_and_read_it_out(page):
    opened(page)
    page.focus("#lanes")

    page.keyboard.press("End")
    last = page.inner_text("#cursor-time")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("#cursor-time")).not_to_have_text(last)
    expect(page.locator("#lanes-said")).to_have_text(
        re.compile(rf"^.*\d\d:\d\d: {charted(page)[0]} Weekly (\d|–|<)")
    )
    page.keyboard.press("Escape")
    expect(page.locator("#cursor-time")).to_have_text("")


def test_a_range_is_in_the_address_and_the_back_button_leads_back(page):
    opened(page)
    page.click("#ranges a:has-text('24 h')")
    page.wait_for_url("**range=24h*")
    expect(page.locator("#ranges [aria-current]")).to_have_text("24 h")
    page.wait_for_function(DRAWN)
    page.go_back()
    expect(page.locator("#ranges [aria-current]")).to_have_text("7 d")


def test_dragging_zooms_all_lanes_and_the_address_keeps_it(page):
    opened(page)
    box = page.locator(".u-over").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 22, steps=6)
    page.mouse.up()

    page.wait_for_url("**from=*to=*")
    here = dict(re.findall(r"(from|to)=(\d+)", page.url))
    assert 28 * 3600 < int(here["to"]) - int(here["from"]) < 40 * 3600, "a fifth of a week"
    page.reload()
    page.wait_for_function(DRAWN)
    page.click("#unzoom")
    page.wait_for_url(lambda url: "from=" not in url)
    expect(page.locator("#ranges [aria-current]")).to_have_text("7 d")


def test_the_axis_has_the_viewers_days(page, tabs):
    opened(page)
    with tabs.visit(timezone_id="America/Los_Angeles") as elsewhere:
        opened(elsewhere)
        found = [p.locator(".lane-axis text").first.get_attribute("x") for p in (page, elsewhere)]
    assert found[0] != found[1], "midnight is somewhere else"


def test_lanes_follow_the_colours_that_were_chosen(page):
    opened(page)
    page.click("#theme")
    page.click("#theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.locator(".lane-plot source").first.get_attribute("media") == "screen"
    page.locator(".lane").last.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('.lane:last-child canvas')")
    assert any("lane.svg" in path and "theme=dark" in path for path in asked(page))


def test_without_javascript_the_pictures_stay(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/history?range=24h")
        page.wait_for_load_state("networkidle")
        assert pictured(page) > 5
        expect(page.locator(".lane-axis text").first).to_be_attached()
        page.click("#ranges a:has-text('7 d')")
        page.wait_for_url(re.compile(r"/history(#history)?$"))
        assert page.locator(".lane [data-value=area]").first.inner_text().endswith("%")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_gets_lower_lanes_that_fit(tabs, scheme):
    with tabs.visit(viewport=PHONE, color_scheme=scheme) as page:
        opened(page)
        assert overflows(page) <= 0
        assert page.locator(".lane-plot").first.evaluate("(plot) => plot.clientHeight") == 40


def test_a_tap_shows_the_values_of_its_place(tabs):
    with tabs.visit(viewport=PHONE, has_touch=True) as page:
        opened(page)
        page.locator(".lane:has(canvas) .u-over").first.tap(position={"x": 60, "y": 20})

        expect(page.locator("#cursor-time")).to_have_text(re.compile(r"\d\d:\d\d"))


def test_paper_gets_the_pictures_in_light(tabs):
    with tabs.visit(color_scheme="dark") as page:
        opened(page)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert charted(page) == []
        page.wait_for_load_state("networkidle")
        assert pictured(page) > 3
        assert (
            page.locator(".lane-plot img").first.evaluate("(i) => i.currentSrc").count("dark") == 0
        )


def test_without_the_library_one_line_says_so_and_the_pictures_stay(tabs):
    with tabs.visit(expected=("ERR_FAILED",)) as page:
        page.route("**/vendor/**", lambda route: route.abort())
        page.goto("/history")

        expect(page.locator("#history-fault")).to_have_text(
            "The interactive charts could not be loaded. python scripts/assets.py fetches them."
        )
        page.wait_for_load_state("networkidle")
        assert pictured(page) > 3
        assert charted(page) == []


def test_the_states_follow_the_cursor(page):
    opened(page)
    strips = page.locator(".strips li")
    before = strips.first.locator(".lane-values").inner_text()
    page.focus("#lanes")
    page.keyboard.press("End")

    expect(strips.first.locator(".lane-values")).to_have_text(
        re.compile("^(can be used|low|used up|not known|paused)$")
    )
    expect(page.locator("#lanes > .lane-cursor")).to_be_visible()
    page.keyboard.press("Escape")
    expect(strips.first.locator(".lane-values")).to_have_text(before)


def test_lanes_that_come_into_view_join_the_cursor_where_it_is(page):
    opened(page)
    state, time = page.locator(".strips li .lane-values").first, page.locator("#cursor-time")
    page.focus("#lanes")
    page.keyboard.press("End")
    said = re.compile("^(can be used|low|used up|not known|paused)$")
    expect(state).to_have_text(said)
    end = time.inner_text()
    page.evaluate(TOLD)

    last = page.locator(".lane:has(.lane-plot)").last
    last.scroll_into_view_if_needed()
    expect(last.locator("canvas")).to_be_visible()
    page.wait_for_function(PAINTED)
    expect(state).to_have_text(said)
    expect(last.locator(".u-cursor-x")).to_be_visible()
    # Several came at once: each has its scales before it is told where the cursor is.
    assert page.evaluate("told") == []
    assert time.inner_text() == end
    page.keyboard.press("Shift+ArrowLeft")
    expect(time).not_to_have_text(end)
    places = page.eval_on_selector_all(
        ".u-cursor-x", "all => all.map((line) => getComputedStyle(line).transform)"
    )
    assert len(places) > 3
    assert len(set(places)) == 1


def test_ticked_accounts_are_drawn_in_one_chart_and_stand_in_the_address(page):
    opened(page)
    boxes = page.locator(".lane [name=line]")
    for number in range(2):
        boxes.nth(number).check()
        expect(page.locator(".compare-lines li b")).to_have_count(number + 1)
        expect(page.locator("#compare")).to_have_attribute("data-charts", "drawn")
    assert page.url.count("line=") == 2
    # A window that an account does not have is left empty.
    expect(page.locator("#compare [data-line]:not(:empty)").first).to_have_text(re.compile("%|–"))
    page.reload()
    expect(page.locator("#compare canvas").first).to_be_visible()
    for number in range(2, 4):
        boxes.nth(number).check()
        expect(page.locator(".compare-lines li b")).to_have_count(number + 1)
    boxes.nth(4).click()
    expect(boxes.nth(4)).not_to_be_checked()
    boxes.nth(0).uncheck()
    expect(page.locator(".compare-lines li b")).to_have_count(3)


def test_without_javascript_accounts_are_compared_by_a_button(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/history?range=24h")
        for number in range(2):
            page.locator(".lane [name=line]").nth(number).check()
        page.click("#compare-form button")
        page.wait_for_url("**line=*line=*")
        picture = page.locator("#compare img")
        picture.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        assert picture.evaluate("(i) => i.naturalWidth") == 720
        assert "range=24h" in page.url


def test_the_first_load_is_small(chromium, server, state, record_testsuite_property):
    sizes: dict[str, int] = {}

    def weigh(response):
        packed = response.headers.get("content-encoding") == "gzip"
        body = response.body()
        sizes[response.url] = (
            int(response.headers.get("content-length", 0)) if packed else len(gzip.compress(body))
        )

    with visit(chromium, server.url, storage_state=state) as page:
        page.on("requestfinished", lambda request: weigh(request.response()))
        page.goto("/history", wait_until="networkidle")

    kinds = {url: size for url, size in sizes.items() if "lane.svg" not in url}
    record_testsuite_property("history, first load", f"{sum(sizes.values())} bytes")
    assert any("uPlot" in url for url in kinds)
    assert sum(kinds.values()) <= MOST_BYTES, kinds


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_page(tabs, scheme):
    with tabs.visit(color_scheme=scheme) as page:
        for path in ("/history?line=alice&line=bob", "/accounts/alice"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert barriers(page) == []


def test_new_readings_are_drawn_without_a_reload(page, server):
    opened(page)
    lane = page.locator(".lane[data-account=alice]")
    before = lane.get_attribute("data-version")
    page.evaluate("() => { document.querySelector('main').dataset.stays = 'yes'; }")
    flask_quota(server, "accounts", "pause", "alice")
    page.evaluate("() => document.dispatchEvent(new CustomEvent('swapped'))")

    expect(lane).not_to_have_attribute("data-version", before or "")
    expect(page.locator("main")).to_have_attribute("data-stays", "yes")
