"""Pages in Chinese: nothing scrolls sideways or complains, and the browser writes times as the
server does.
"""

import json
import time
from datetime import UTC

import pytest

from quota_web.core.language import use_language
from quota_web.web import formats
from tests.chromium import PASSWORD, PHONE, WIDE, overflows, visit
from tests.fakes import FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.servers import Server

PAGES = ["/", "/history", "/accounts/alice", "/events", "/resets", "/auth", "/auth/new"]
PAGES += ["/auth/edit?name=alice", "/auth/delete?name=alice", "/settings", "/refresh"]
NOW = 1_795_262_700  # 2026-11-21T12:05:00Z, a Saturday
HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    now = int(time.time())
    with FakeCodex() as codex:
        server = Server(tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD)
        codex.answers("acct-alice", FakeResponse(body=usage_body(12, 100, at=now)))
        token = make_jwt("acct-alice", exp=now + 10 * DAY)
        document = json.dumps(auth_document("acct-alice", access_token=token))
        (server.account_dir / "alice.auth.json").write_text(document)
        with server.classic():
            server.wait_for(
                lambda: server.rows("SELECT count(*) FROM account WHERE status = 'ok'") == [(1,)]
            )
            yield server


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=lambda size: str(size["width"]))
def test_chinese_pages_fit_and_are_silent(tabs, size):
    with tabs.visit(viewport=size, locale="zh-CN") as page:
        for path in PAGES:
            page.goto(path)
            assert page.locator("html").get_attribute("lang") == "zh-Hans"
            assert (path, max(0, overflows(page))) == (path, 0)


def test_the_switch_changes_the_language_of_every_page(tabs):
    with tabs.visit(locale="zh-CN") as page:
        page.goto("/settings")
        page.get_by_label("English").check()
        page.get_by_role("button", name="切换语言").click()
        assert page.locator("h1").inner_text() == "Settings"

        page.goto("/events")
        assert page.locator("h1").inner_text() == "Events"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_browser_writes_times_as_the_server_does(chromium, server, language):
    moments = [0, 30, 90, -90, 3 * HOUR + 720, -5 * HOUR, 2 * DAY, -9 * DAY - HOUR, 41 * DAY]
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with visit(chromium, server.url, locale=locale, timezone_id="UTC") as page:
        page.goto("/login")
        drawn = page.evaluate(DRAW, [NOW, moments])
    with use_language(language):
        written = [
            [
                formats.clock_time(NOW + away, NOW, UTC).removesuffix(" UTC"),
                formats.countdown(NOW + away, NOW),
                formats.ago(NOW + away, NOW) if away <= 0 else "",
            ]
            for away in moments
        ]

    assert drawn == written


DRAW = """([now, moments]) => {
  const at = new Date(now * 1000);
  Date = class extends Date { constructor(...a) { super(...(a.length ? a : [at])); } };
  return moments.map((away) => {
    const write = (kind) => {
      const place = document.createElement("div");
      const when = new Date((now + away) * 1000).toISOString();
      place.innerHTML = `<time data-t="${kind}" datetime="${when}"></time>`;
      window.quota.localise(place);
      return place.textContent;
    };
    return [write("clock"), write("countdown"), away <= 0 ? write("ago") : ""];
  });
}"""
