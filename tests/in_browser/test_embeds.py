"""Embeds on a page of another site in a real browser: what may be framed, what a board does by
itself, and that it leaves nothing behind.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.chromium import (
    PASSWORD,
    PATIENCE_MS,
    PHONE,
    barriers,
    flask_quota,
    library,
    overflows,
    visit,
)
from tests.fakes import FakeCodex
from tests.servers import Server

KINDS = ("badge", "chart", "board")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    library()
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        flask_quota(server, "demo", "--accounts", "5", "--days", "9")
        with server.classic():
            yield server


@pytest.fixture(scope="module")
def links(server, tabs) -> dict[str, str]:
    """The address of a link of each kind, made on the page as a person makes it."""
    found = {}
    with tabs.visit() as page:
        for kind in KINDS:
            page.goto("/settings")
            page.select_option("#share_kind", kind)
            page.get_by_role("button", name="Create a share link").click()
            found[kind] = page.locator("#new-link").input_value()
            assert found[kind] in page.locator("#new-link-2").input_value()
    return found


class Elsewhere(BaseHTTPRequestHandler):
    """Another site: another port is another origin."""

    body: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elsewhere(chromium: Browser, body: str) -> Iterator[tuple[BrowserContext, Page]]:
    """A page of another site with that body, in a browser that knows nothing of ours."""
    Elsewhere.body = body
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as site:
        serving = threading.Thread(target=site.serve_forever, daemon=True)
        serving.start()
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        try:
            page.goto(f"http://127.0.0.1:{site.server_port}/")
            yield context, page
        finally:
            context.close()
            site.shutdown()
            serving.join()


def test_another_site_shows_embeds_and_no_other_page_and_gets_no_cookie(chromium, server, links):
    body = (
        f'<img id="badge" src="{links["badge"]}"><img id="chart" src="{links["chart"]}">'
        f'<iframe id="board" src="{links["board"]}" width="900" height="500"></iframe>'
        '<iframe id="other"></iframe>'
    )
    with elsewhere(chromium, body) as (context, page):
        board = page.frame_locator("#board")
        expect(board.locator("tr[data-account]")).to_have_count(5)
        expect(board.locator("h1")).to_have_text(re.compile(r"^Use .+ now$"))
        for name in ("badge", "chart"):
            page.wait_for_function(f"document.getElementById('{name}').naturalWidth > 0")
        assert context.cookies() == []
        # Nothing else of ours comes into a frame.
        with page.expect_console_message(lambda told: "frame-ancestors" in told.text):
            page.evaluate(
                "url => { document.getElementById('other').src = url }", f"{server.url}/login"
            )
        expect(page.frame_locator("#other").locator("#password")).to_have_count(0)
        expect(page.frame_locator("#other").locator("form")).to_have_count(0)


def test_a_board_has_nothing_to_press_fits_a_phone_and_can_be_used_by_everybody(chromium, links):
    for look in ({"viewport": PHONE}, {"color_scheme": "dark"}):
        with visit(chromium, links["board"].partition("/embed")[0], **look) as page:
            page.goto(f"{links['board']}?zone=Asia/Tokyo")
            expect(page.locator("tr[data-account]")).to_have_count(5)
            assert page.locator("a[href], button, input, form, summary").count() == 0
            assert overflows(page) <= 0
            assert barriers(page) == []
            expect(page.locator(".board-age")).to_contain_text(
                re.compile("updated .+ · invented accounts")
            )
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (dark == "rgb(23, 29, 28)") == ("color_scheme" in look)
            page.goto(f"{links['board']}?theme=dark&size=large&lang=zh")
            assert overflows(page) <= 0
            expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
            assert page.evaluate("localStorage.length") == 0
            assert page.context.cookies() == []


def test_a_board_renews_itself_says_when_it_cannot_and_comes_back(chromium, links):
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.clock.install()
    try:
        page.goto(links["board"])
        row = page.locator("tr[data-account]").first
        row.evaluate("row => row.dataset.account = 'before'")

        page.clock.run_for(61_000)
        expect(page.locator("[data-account=before]")).to_have_count(0)
        expect(page.locator("tr[data-account]")).to_have_count(5)
        page.route("**/board", lambda route: route.abort())
        page.clock.run_for(61_000)
        expect(page.locator(".lost")).to_contain_text("The service does not answer. This is as of")
        expect(page.locator("tr[data-account]")).to_have_count(5)
        page.unroute("**/board")
        page.clock.run_for(61_000)
        expect(page.locator(".lost")).to_be_hidden()
    finally:
        context.close()


def test_without_javascript_a_board_reloads_itself(chromium, links):
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(links["board"])
        reload = page.locator("noscript meta, head > meta[http-equiv=refresh]").first
        expect(reload).to_have_attribute("content", "60")
        expect(page.locator("tr[data-account]")).to_have_count(5)
    finally:
        context.close()
