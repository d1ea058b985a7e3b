"""Every page in every look, with accounts in every state and with hostile names: nothing scrolls
sideways, nothing complains, axe finds nothing.
"""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.chromium import PASSWORD, PHONE, WIDE, barriers, library, overflows, show_charts
from tests.fakes import FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.pages import HOSTILE
from tests.servers import Server

HARM = '"><img src=x onerror=alert(1)>'
#: Both themes and both layouts; four looks would tell no more of contrast or width.
LOOKS = [("light", WIDE), ("dark", PHONE)]
PAGES = [
    "/", "/?range=30d", "/?q=nobody", "/accounts/alice", "/accounts/expired", "/accounts/failing",
    "/accounts/fresh", "/history", "/events", "/resets", "/alerts", "/alerts?add=mail",
    "/alerts?add=webhook", "/auth", "/auth/new", "/auth/sign-in",
    "/auth/edit?name=alice", "/auth/delete?name=alice", "/settings", "/accounts/nobody",
]  # fmt: skip
STATES = (
    "rows => rows.map((row) => ['.who a', '.lasts'].map((part) => "
    "row.querySelector(part).innerText))"
)
GROUPS = (
    "rows => rows.map((row) => [row.querySelector('.who a').innerText, "
    "row.closest('tbody').querySelector('.group label').innerText])"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    library()
    now = int(time.time())
    with FakeCodex() as codex:
        server = Server(
            tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD, QUOTA_RETRIES="0"
        )
        scenes = {
            "alice": FakeResponse(
                body=usage_body(12, 40, at=now, additional_rate_limits=[other_limit(now, HARM)])
            ),
            "blocked": FakeResponse(body=usage_body(20, 100, at=now)),
            "low": FakeResponse(body=usage_body(93.4, 61, at=now, plan="pro")),
            "weekly-only": FakeResponse(body=usage_body(None, 40, at=now, plan="free")),
            "failing": FakeResponse(status=503, body={"detail": HARM}),
            "expired": FakeResponse(status=401, body={"detail": {"message": HARM}}),
            "deactivated": FakeResponse(
                status=402, body={"detail": {"code": "deactivated_workspace"}}
            ),
            "odd": FakeResponse(raw=b"<html>" + HARM.encode()),
            **{
                name: FakeResponse(body=usage_body(30, 30, at=now, plan=name))
                for name in HOSTILE
                if "/" not in name
            },
        }
        for number, (name, scene) in enumerate(scenes.items()):
            codex.answers(f"acct-{number}", scene)
            (server.account_dir / f"{name}.auth.json").write_text(
                auth_json(f"acct-{number}", name, now)
            )
        (server.account_dir / "broken.auth.json").write_text("{}")
        with server.classic():
            server.wait_for(
                lambda: (
                    server.rows("SELECT count(*) FROM account WHERE status = 'pending'") == [(0,)]
                )
            )
            yield server


def auth_json(account_id: str, name: str, now: int) -> str:
    access, identity = (
        make_jwt(account_id, exp=now + 864_000),
        make_jwt(account_id, exp=now + 864_000, email=f"{name[:40]}@example.com"),
    )
    return json.dumps(auth_document(account_id, access_token=access, id_token=identity))


def other_limit(now: int, name: str) -> dict[str, Any]:
    window = {
        "used_percent": 8,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 7200,
        "reset_at": now + 7200,
    }
    return {
        "limit_name": name,
        "metered_feature": name,
        "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": window},
    }


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]['width']}")
def page(request, tabs):
    scheme, size = request.param
    with tabs.visit(color_scheme=scheme, viewport=size, expected=("status of 404",)) as page:
        yield page


def unfold(page: Page) -> None:
    """Have a page draw its charts and show everything."""
    if page.locator(".plot").count():
        show_charts(page)
        page.evaluate("document.getElementById('numbers').open = true")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_is_silent_and_can_be_used_by_everybody(page, path):
    page.goto(path)
    unfold(page)

    assert overflows(page) <= 0
    assert barriers(page) == []
    assert page.locator("h1").count() == 1
    assert (
        page.locator("main").count()
        == page.locator("header.top").count()
        == page.locator("footer").count()
        == 1
    )
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("path", ["/login", "/refresh"])
def test_a_page_at_the_door_too(tabs, path):
    for scheme, size in LOOKS:
        with tabs.visit(color_scheme=scheme, viewport=size) as page:
            if path == "/login":
                page.context.clear_cookies()
            else:
                page.set_extra_http_headers({"Sec-Purpose": "prefetch"})
            page.goto(path)
            assert overflows(page) <= 0
            assert barriers(page) == []


def test_every_state_is_said_in_words(tabs):
    with tabs.visit() as page:
        page.goto("/")
        # All rows in one look: the page may be replaced between two.
        said = dict(page.locator("tr[data-account]").evaluate_all(STATES))
        groups = dict(page.locator("tr[data-account]").evaluate_all(GROUPS))

    wanted = {
        "blocked": "back", "low": "Low",
        "failing": "ChatGPT has a fault since", "expired": "Needs sign-in",
        "deactivated": "Deactivated", "odd": "Answer not understood since",
        "broken": "Needs credentials",
    }  # fmt: skip
    assert {name: said[name] for name, words in wanted.items() if words not in said[name]} == {}
    assert "Can be used" in groups["alice"]
    assert "Used up" in groups["blocked"]


def test_a_hostile_name_is_nothing_but_a_name(tabs):
    names = [name for name in HOSTILE if "/" not in name]
    with tabs.visit() as page:
        for name in names:
            page.goto("/")
            page.get_by_role("link", name=name, exact=True).first.click()
            page.wait_for_selector("#account-h")

            assert page.locator("#account-h").inner_text() == name
            unfold(page)
        page.goto("/auth")
        for name in names:
            assert page.get_by_role("link", name=name, exact=True).first.is_visible(), name
        assert (
            page.locator("main img, main svg:not(.bar):not(.spark), main script[src]").count() == 0
        )
