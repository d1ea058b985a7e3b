"""Signing in to ChatGPT with a real browser on the real service: a code, a link, a second tab."""

import json
import re
import time

import pytest
from playwright.sync_api import expect

from tests.chromium import PASSWORD, PHONE, WIDE, overflows, visit
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.issuer import CANARY, FakeIssuer
from tests.servers import Server

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def issuer():
    with FakeIssuer(now=lambda: int(time.time())) as issuer:
        yield issuer
        issuer.assert_gentle()


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    with FakeCodex() as codex:
        for name in ("acct-1", "acct-2", "acct-3"):
            codex.answers(name, FakeResponse(body=usage_body(23, 34, at=int(time.time()))))
        folder = tmp_path_factory.mktemp("service")
        settings = {"QUOTA_PASSWORD": PASSWORD, "QUOTA_AUTH_URL": issuer.url}
        server = Server(folder, codex, **settings)
        with server.classic():
            yield server
            assert CANARY not in server.log()


def begin(page, name, button="Get a code"):
    page.goto("/auth/new")
    page.get_by_role("link", name="Sign in with ChatGPT").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=button).click()
    page.wait_for_url(re.compile(r"/auth/sign-in/\d+"))


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=lambda size: str(size["width"]))
def test_an_approved_code_ends_on_its_own_page(chromium, server, state, issuer, size):
    number = 1 if size == WIDE else 2
    with visit(chromium, server.url, storage_state=state, viewport=size) as page:
        begin(page, f"alice {number}")
        assert overflows(page) <= 0
        code = page.locator("#user-code").input_value()
        expect(page.locator("#sign-in")).to_contain_text("Waiting for you to sign in.")
        issuer.decide(code, "approved", account_id=f"acct-{number}", user_id=f"user-{number}")

        expect(page.locator(".note-good")).to_contain_text("Signed in.", timeout=PATIENCE_MS)
        page.goto("/")
        row = page.locator(f'[data-account="alice {number}"]').first
        expect(row).to_contain_text("77 %", timeout=PATIENCE_MS)


def test_a_denied_code_says_so_and_leads_on(chromium, server, state, issuer):
    with visit(chromium, server.url, storage_state=state) as page:
        begin(page, "bob")
        issuer.decide(page.locator("#user-code").input_value(), "denied")
        expect(page.locator("main .note-bad")).to_contain_text("declined", timeout=PATIENCE_MS)
        page.get_by_role("link", name="Start again").click()
        expect(page.get_by_role("button", name="Get a code")).to_be_visible()


def test_what_is_pasted_goes_on_in_a_second_tab_too(chromium, server, state, issuer):
    with visit(chromium, server.url, storage_state=state, expected=("status of 422",)) as page:
        begin(page, "carol", "Use a link instead")
        address = page.get_by_role("link", name="Open ChatGPT's sign-in").get_attribute("href")
        given = re.search(r"[?&]state=([\w-]+)", address or "")
        assert given is not None
        second = page.context.new_page()
        second.goto(page.url)
        second.get_by_label("Address at the end").fill("http://localhost:1455/success?id_token=x")
        second.get_by_role("button", name="Sign in", exact=True).click()
        expect(second.locator("#url-error")).to_contain_text("a Codex CLI on that computer")

        issuer.grant("ac_tab", account_id="acct-3", user_id="user-3")
        end = f"http://localhost:1455/auth/callback?code=ac_tab&state={given[1]}"
        second.get_by_label("Address at the end").fill(end)
        second.get_by_role("button", name="Sign in", exact=True).click()
        expect(second.locator(".note-good")).to_be_visible()
        expect(page.locator(".note-good")).to_be_visible(timeout=PATIENCE_MS)


def test_without_a_script_the_page_looks_again_by_itself(chromium, server, state, issuer):
    options = {"storage_state": state, "java_script_enabled": False}
    with visit(chromium, server.url, **options) as page:
        begin(page, "dave")
        issuer.decide(page.locator("#user-code").input_value(), "denied")
        expect(page.locator("main .note-bad")).to_contain_text("declined", timeout=PATIENCE_MS)


def test_another_browser_sees_nothing_of_it(chromium, server, state, issuer):
    with visit(chromium, server.url, storage_state=state) as page:
        begin(page, "erin")
        path = page.url.removeprefix(server.url)
        page.get_by_role("button", name="Cancel").click()
    stranger = json.loads(json.dumps(state)) if isinstance(state, dict) else state
    with visit(chromium, server.url, storage_state=stranger, expected=("status of 404",)) as page:
        page.goto(path)
        expect(page.locator("h1")).not_to_contain_text("erin")
