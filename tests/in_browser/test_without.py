"""What is left of the dashboard without JavaScript, without the chart library, and on paper."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from quota_web.core import clock
from quota_web.demo import fill
from quota_web.web import formats
from tests.browser import Browser, make_app
from tests.chromium import (
    PASSWORD,
    PHONE,
    asked,
    flask_quota,
    library,
    overflows,
    show_charts,
)
from tests.fakes import FakeCodex, auth_document, holds_jwt, make_jwt
from tests.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    library()
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        flask_quota(server, "demo", "--accounts", "14", "--days", "3")
        with server.classic():
            yield server


def loaded(page: Page) -> list[tuple[int, int]]:
    """Width and height of the server's charts that have arrived."""
    page.wait_for_load_state("networkidle")
    return [
        tuple(size)
        for size in page.eval_on_selector_all(
            ".still img, .lane-plot img", "all => all.map((i) => [i.naturalWidth, i.naturalHeight])"
        )
        if all(size)
    ]


def scroll_through(page: Page) -> None:
    """As a reader does; pictures further down wait for it."""
    for _ in range(12):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(30)


def test_without_javascript_every_number_is_readable(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        # A browser without scripts names no zone.
        page.context.clear_cookies(name="codex_quota_zone")
        results = page.request.get("/api/results").json()["results"]
        page.goto("/")

        assert page.locator("tr[data-account]").count() == len(results) == 14
        page.click(".group label:has-text('Paused')")
        for result in results:
            row = page.locator(
                "tbody tr", has=page.get_by_role("link", name=result["account"], exact=True)
            )
            for label, value in (
                ("Five-hour", result["five_hour_percent"]),
                ("Weekly", result["weekly_percent"]),
            ):
                if value is not None:
                    expect(row.locator(f"[data-label={label}] ")).to_contain_text(
                        formats.percent(value)
                    )
            for window in result["windows"]:
                expect(row).to_contain_text(formats.percent(window["remaining_percent"]))
        others = page.locator("tr[data-account]:has(summary)").first
        others.locator("summary").click()
        expect(others.locator("li").first).to_be_visible()
        expect(page.locator("#updated")).to_contain_text(re.compile(r"updated \d\d:\d\d \S+"))
        expect(page.locator("#zone-note")).to_have_text("Times in the server’s zone")
        expect(page.locator("#theme")).to_be_hidden()


def test_without_javascript_an_account_is_shown_before_it_is_saved(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/auth/new")
        page.fill(
            "#auth_json",
            json.dumps(
                auth_document("acct-new", access_token=make_jwt("acct-new", user_id="user-new"))
            ),
        )
        page.click("button:has-text('Add')")
        expect(page.locator("h1")).to_have_text("1 account found")
        assert not holds_jwt(page.content())
        page.fill("#name-0", "without a script")
        page.click("#found-form button.main")
        expect(page.get_by_role("link", name="without a script", exact=True)).to_be_visible()
        page.click("a:has-text('Delete without a script')")
        page.click("button:has-text('Delete without a script')")
        expect(page.locator(".note-good")).to_have_text("Deleted without a script.")


def test_without_javascript_the_server_draws_the_charts(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/")
        scroll_through(page)
        assert len(loaded(page)) > 4
        assert any("/lane.svg" in path for path in asked(page))
        expect(page.locator(".lane")).to_have_count(8)
        expect(page.locator(".lanes .all")).to_have_text("6 more, all in History")
        page.goto("/accounts/alice?range=7d")
        assert loaded(page)[0][0] == 720
        assert any("chart.svg?range=7d" in path for path in asked(page))


def test_without_javascript_a_phone_gets_charts_that_can_be_read(tabs):
    with tabs.visit(
        java_script_enabled=False,
        viewport=PHONE,
        color_scheme="dark",
    ) as page:
        page.goto("/accounts/alice")
        scroll_through(page)
        assert loaded(page)[0][0] == 360
        assert any("size=narrow&theme=dark" in path for path in asked(page))
        assert overflows(page) <= 0


def test_without_javascript_sorting_filtering_and_refreshing_work(tabs):
    with tabs.visit(java_script_enabled=False) as page:
        page.goto("/")
        # Each answer is waited for as a whole: its address is there before its rows are.
        page.click("thead a:has-text('Account')")
        page.wait_for_url("**sort=account*")
        page.hover(".group >> nth=0")
        page.click(".group:has-text('Can be used') .only")
        page.wait_for_url("**show=usable*")
        page.fill("#q", "a")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=a*")
        page.click("#ranges a:has-text('24 h')")
        page.wait_for_url("**range=24h*")
        assert all(part in page.url for part in ("sort=account", "show=usable", "q=a", "range=24h"))
        shown = page.locator("tbody .who a").all_inner_texts()
        assert shown
        assert shown == sorted(shown)
        page.click(".group label:has-text('Can be used')")
        expect(page.locator("tr[data-account]").first).to_be_hidden()
        page.click("#refresh button")
        expect(page.locator("h1")).to_contain_text(" now")


def test_without_the_library_one_line_says_so_and_the_server_draws(tabs):
    with tabs.visit(expected=("ERR_FAILED",)) as page:
        page.route("**/vendor/**", lambda route: route.abort())
        page.goto("/")
        page.evaluate("document.getElementById('history').scrollIntoView()")

        expect(page.locator("#history-fault")).to_have_text(
            "The interactive charts could not be loaded. python scripts/assets.py fetches them."
        )
        expect(page.locator(".lane-plot img").first).to_be_visible()
        scroll_through(page)
        assert loaded(page)


def test_a_service_without_the_library_says_how_to_get_it(instance_dir, tmp_path):
    app = make_app(instance_dir)
    with app.app_context():
        fill.fill(1, 1, clock.now())
    browser = Browser(app).signed_in()
    app.static_folder = str(tmp_path)
    page, account = browser.get("/").text, browser.get("/accounts/alice").text

    assert "data-library" not in page + account
    assert "/accounts/alice/lane.svg?" in page
    assert "<code>python scripts/assets.py</code> fetches the interactive" in account
    assert "/accounts/alice/chart.svg?range=24h" in account


def test_with_javascript_an_account_loads_nothing_that_is_not_shown(tabs):
    with tabs.visit() as page:
        page.goto("/accounts/alice")
        show_charts(page)

        expect(page.locator(".still")).to_be_hidden()
        assert not [path for path in asked(page) if "chart.svg" in path]


def test_a_print_of_trends_that_were_not_seen_has_the_servers(tabs):
    with tabs.visit(color_scheme="dark") as page:
        page.goto("/")
        with page.expect_request(re.compile(r"lane\.svg")):
            page.pdf()

        page.emulate_media(media="print")
        picture = page.locator(".lane-plot img").first
        expect(picture).to_be_visible()
        assert "theme=dark" not in picture.evaluate("i => i.currentSrc"), "paper is white"
        for screen_only in (".pages", "#refresh", "#search", ".bottom", ".seg >> nth=0"):
            expect(page.locator(screen_only)).to_be_hidden()
        expect(page.locator("tr[data-account]").first).to_contain_text("%")
        expect(page.locator("tr[data-group=paused]").first).to_be_visible()
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )


def test_a_print_of_drawn_trends_has_the_servers_pictures_in_light_colours(tabs):
    with tabs.visit(color_scheme="dark") as page:
        page.goto("/")
        show_charts(page)
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        expect(page.locator(".lane canvas")).to_have_count(0)
        page.emulate_media(media="print")
        expect(page.locator(".lane-plot img").first).to_be_visible()
        # Which moment a sheet is of is to be told on any later day.
        expect(page.locator("#updated")).to_contain_text(
            re.compile(r"^updated \w{3} \d+ \w{3} \d{4}, \d\d:\d\d")
        )
        expect(page.locator("#updated")).to_be_visible()
        page.emulate_media(media="screen")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        expect(page.locator("html")).not_to_have_attribute("data-theme", "light")
