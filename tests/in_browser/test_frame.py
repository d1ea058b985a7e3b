"""The frame around every page in a real browser: navigation, the phone's bottom bar, the refresh
button, and what a home screen needs.
"""

import json

import pytest
from playwright.sync_api import expect

from tests.chromium import PASSWORD, PHONE, flask_quota, overflows
from tests.fakes import FakeCodex
from tests.servers import Server

#: Each page, and the entry of the navigation that is marked on it.
PAGES = {
    "/": ["Now"],
    "/events": ["Events"],
    "/accounts/alice": [],
    "/auth": ["Accounts"],
    "/settings": ["Settings"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        flask_quota(server, "demo", "--accounts", "3", "--days", "2")
        with server.classic():
            yield server


def test_every_page_has_the_same_frame_and_says_where_one_is(tabs):
    with tabs.visit() as page:
        for path, current in PAGES.items():
            page.goto(path)
            entries = page.locator(".pages a:visible").all_inner_texts()
            assert [e for e in entries if e not in ("History", "Alerts")] == [
                "Now", "Events", "Accounts", "Settings"
            ]  # fmt: skip
            marked = page.locator(".pages [aria-current=page]").all_inner_texts()
            assert marked == current
            expect(page.locator("#updated")).to_contain_text("updated")
            expect(page.locator(".more")).to_be_hidden()


def test_on_a_phone_pages_stand_at_the_bottom_and_the_rest_behind_more(tabs):
    with tabs.visit(viewport=PHONE) as page:
        page.goto("/")
        bar = page.locator(".pages").bounding_box()
        assert bar is not None
        assert bar["y"] + bar["height"] == pytest.approx(PHONE["height"], abs=1)
        assert all(
            box["height"] >= 44
            for box in (link.bounding_box() for link in page.locator(".pages > :visible").all())
            if box
        )
        expect(page.get_by_role("link", name="Settings")).to_be_hidden()

        page.click(".more")
        page.get_by_role("link", name="Settings").click()
        page.wait_for_url("**/settings")
        assert overflows(page) <= 0


@pytest.mark.parametrize("script", [True, False])
def test_more_opens_by_keyboard_and_without_javascript(tabs, script):
    with tabs.visit(viewport=PHONE, java_script_enabled=script) as page:
        page.goto("/events")
        page.focus(".more")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Accounts")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Accounts")).to_be_hidden()


def test_a_home_screen_gets_a_name_and_icons_and_no_worker(tabs):
    with tabs.visit() as page:
        page.goto("/")
        link = page.locator("link[rel=manifest]").get_attribute("href") or ""
        answer = page.request.get(link)
        assert answer.headers["content-type"].startswith("application/manifest+json")
        manifest = json.loads(answer.body())
        assert manifest["name"] == "Codex Quota"
        assert {icon["sizes"] for icon in manifest["icons"]} == {"any", "192x192", "512x512"}
        assert any(icon.get("purpose") == "maskable" for icon in manifest["icons"])
        for icon in manifest["icons"]:
            assert page.request.get(f"/static/{icon['src']}").status == 200
        assert page.locator("meta[name=theme-color]").count() == 2
        assert page.locator("meta[name=description]").get_attribute("content")
        assert (
            page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)")
            == 0
        )
