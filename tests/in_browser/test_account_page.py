"""One account's page in a real browser: fan, hours of the week and anchors; without a script, on a
phone, in both languages.
"""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chromium import PASSWORD, PHONE, flask_quota, library, overflows
from tests.fakes import FakeCodex
from tests.servers import Server

BROKEN = """() => [...document.querySelectorAll('main :is(td, th, dt, time, b, button, h2, h3)')]
  .filter((e) => e.children.length === 0 && /^\\S+$/.test(e.textContent) && e.offsetWidth > 0)
  .filter((e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
  }).map((e) => e.textContent)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    library()
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        flask_quota(server, "demo", "--accounts", "7", "--days", "45")
        flask_quota(server, "forecast")
        with server.classic():
            yield server


@pytest.fixture
def page(tabs):
    with tabs.visit() as page:
        yield page


def fan(page: Page) -> Locator:
    return page.locator("figure[data-chart=fan]").first


def box_of(place: Locator) -> dict[str, float]:
    box = place.bounding_box()
    assert box is not None
    return dict(box)  # type: ignore[arg-type]


def first_hours(page: Page) -> list[dict[str, float]]:
    """Where the first two hours of Monday stand."""
    cells = page.locator(".hours tbody tr").first.locator("td")
    return [box_of(cells.nth(i)) for i in (0, 1)]


def test_the_fan_lies_inside_of_its_plot_from_now_to_the_reset(page):
    page.goto("/accounts/carol")
    expect(fan(page)).to_be_visible(timeout=20_000)
    box, wide, line = (
        box_of(fan(page).locator(name)) for name in (".fan-grid", ".fan-80", ".fan-line")
    )
    for inner in (wide, line):
        assert inner["y"] >= box["y"] - 2
        assert inner["y"] + inner["height"] <= box["y"] + box["height"] + 2
    assert abs(wide["x"] + wide["width"] - box["x"] - box["width"]) < 4
    assert abs(line["x"] + line["width"] - wide["x"]) < box["width"] / 50


def test_every_part_is_on_the_page_and_its_anchor_leads_there(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/accounts/alice")
        anchors = page.locator("nav.anchors a").evaluate_all(
            "all => all.map((a) => a.getAttribute('href'))"
        )
        assert anchors == [
            "#history", "#cycles", "#hours", "#events", "#plan", "#credentials", "#attempts",
        ]  # fmt: skip
        for anchor in anchors:
            expect(page.locator(f"section{anchor} h2")).to_be_visible()
        expect(page.locator(".fan").first).to_be_visible()
        assert page.locator(".hours tbody td").count() == 168


def test_the_hours_of_a_phone_stand_in_columns_of_days(tabs):
    with tabs.visit(viewport=PHONE) as page:
        page.goto("/accounts/alice")
        first, second = first_hours(page)
        assert first["x"] == second["x"]
        assert first["y"] < second["y"]
        assert overflows(page) <= 0


def test_the_hours_of_a_wide_screen_stand_in_rows_of_days(page):
    page.goto("/accounts/alice")
    first, second = first_hours(page)
    assert first["y"] == second["y"]
    assert first["x"] < second["x"]


@pytest.mark.parametrize("width", [390, 820, 1280, 1440])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_no_word_breaks_and_nothing_scrolls_sideways(tabs, width, locale):
    look = {"viewport": {"width": width, "height": 900}, "locale": locale}
    with tabs.visit(**look) as page:
        for path in ("/accounts/carol", "/accounts/frank", "/history"):
            page.goto(path)
            assert page.evaluate(BROKEN) == [], path
            assert overflows(page) <= 0, path


def test_the_page_speaks_chinese(tabs):
    with tabs.visit(locale="zh-CN") as page:
        page.goto("/accounts/alice")
        for words in ("本周期", "周期", "一周中的时段", "最近的请求"):
            expect(page.locator("main")).to_contain_text(words)
        page.goto("/history")
        expect(page.locator(".lane-key")).to_contain_text("OpenAI 统一重置")
