"""Signing in to ChatGPT with a real browser on the real service, and renewing what was: a code, a
link, a second tab, and workers that are killed meanwhile.
"""

import json
import os
import re
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import PASSWORD, PHONE, WIDE, overflows, visit
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.installation import wait_until
from tests.issuer import CANARY, FakeIssuer, Turn
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
        codex.default = FakeResponse(body=usage_body(23, 34, at=int(time.time())))
        folder = tmp_path_factory.mktemp("service")
        settings = {"QUOTA_PASSWORD": PASSWORD, "QUOTA_AUTH_URL": issuer.url}
        server = Server(folder, codex, **settings)
        with server.gunicorn("--workers", "2", "--preload"):
            yield server
            assert CANARY not in server.log()


def begin(page, name, button="Get a code"):
    page.goto("/auth/new")
    page.get_by_role("link", name="Sign in with ChatGPT").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=button).click()
    page.wait_for_url(re.compile(r"/auth/sign-in/\d+"))


def test_a_code_ends_as_it_was_decided_on_its_own_page_with_a_script_and_without(
    chromium, server, state, issuer
):
    with (
        visit(chromium, server.url, storage_state=state, viewport=WIDE) as wide,
        visit(chromium, server.url, storage_state=state, viewport=PHONE) as phone,
        visit(chromium, server.url, storage_state=state) as denied,
        visit(chromium, server.url, storage_state=state, java_script_enabled=False) as still,
    ):
        for number, page in enumerate((wide, phone), 1):
            begin(page, f"alice {number}")
            assert overflows(page) <= 0
            expect(page.locator("#sign-in")).to_contain_text("Waiting for you to sign in.")
            approve(page, issuer, number)
        for name, page in (("bob", denied), ("dave", still)):
            begin(page, name)
            issuer.decide(page.locator("#user-code").input_value(), "denied")

        for number, page in enumerate((wide, phone), 1):
            expect(page.locator(".note-good")).to_contain_text("Signed in.", timeout=PATIENCE_MS)
            page.goto("/")
            row = page.locator(f'[data-account="alice {number}"]').first
            expect(row).to_contain_text("77 %", timeout=PATIENCE_MS)
        for page in (denied, still):
            expect(page.locator("main .note-bad")).to_contain_text("declined", timeout=PATIENCE_MS)
        denied.get_by_role("link", name="Start again").click()
        expect(denied.get_by_role("button", name="Get a code")).to_be_visible()


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


def test_another_browser_sees_nothing_of_it(chromium, server, state, issuer):
    with visit(chromium, server.url, storage_state=state) as page:
        begin(page, "erin")
        path = page.url.removeprefix(server.url)
        page.get_by_role("button", name="Cancel").click()
    stranger = json.loads(json.dumps(state)) if isinstance(state, dict) else state
    with visit(chromium, server.url, storage_state=stranger, expected=("status of 404",)) as page:
        page.goto(path)
        expect(page.locator("h1")).not_to_contain_text("erin")


def test_sign_ins_and_renewals_go_on_in_other_workers(chromium, server, state, issuer):
    with visit(chromium, server.url, storage_state=state, expected=("net::ERR_",)) as page:
        begin(page, "frank")
        kill_workers(server)
        approve(page, issuer, 4)
        expect(page.locator(".note-good")).to_contain_text("Signed in.", timeout=PATIENCE_MS)
        renew_in_two_tabs(page, issuer)
        still = {"storage_state": state, "java_script_enabled": False}
        with visit(chromium, server.url, **still) as other:
            renew_while_workers_are_killed(page, other, server, issuer)
        sign_in_with_another_login(page, issuer)

        begin(page, "heidi")
        change(server, "UPDATE sign_in SET expires_at = 1 WHERE name = 'heidi'")
        expect(page.locator("main .note-bad")).to_contain_text(
            "The time for this sign-in is over", timeout=PATIENCE_MS
        )


def kill_workers(server: Server) -> None:
    """Kill all processes that answer; others come in their place."""
    killed = set(server.workers())
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(server.workers()) - killed) == len(killed))


def change(server: Server, sql: str) -> None:
    """Change the service's database behind its back: what time would do."""
    with closing(sqlite3.connect(server.instance / "quota.sqlite", timeout=20)) as conn:
        conn.execute(sql)
        conn.commit()


def approve(page: Page, issuer: FakeIssuer, number: int) -> None:
    code = page.locator("#user-code").input_value()
    issuer.decide(code, "approved", account_id=f"acct-{number}", user_id=f"user-{number}")


def renew_in_two_tabs(page: Page, issuer: FakeIssuer) -> None:
    """What both tabs ask for is sent once."""
    sent = issuer.calls
    second = page.context.new_page()
    for tab in (page, second):
        tab.goto("/accounts/frank")
        expect(tab.locator("#renewal")).to_contain_text("Renewed by itself")
    page.get_by_role("button", name="Renew now").click()
    expect(page.locator("main")).to_contain_text("frank: renewed.")
    second.get_by_role("button", name="Renew now").click()
    expect(second.locator("main")).to_contain_text("one renewal a minute")
    assert issuer.calls == sent + 1
    second.close()


def renew_while_workers_are_killed(
    page: Page, other: Page, server: Server, issuer: FakeIssuer
) -> None:
    """Whether its answer came is not known: that is said, and nothing sends the token again. The
    *other* page does not change by itself.
    """
    sent, held = issuer.calls, threading.Event()
    issuer.plays(Turn(hold=held))
    change(server, "UPDATE site_state SET renewal_after = NULL")
    cut = page.context.new_page()
    cut.goto("/accounts/frank")
    cut.get_by_role("button", name="Renew now").click(no_wait_after=True)
    wait_until(lambda: issuer.calls > sent)
    kill_workers(server)
    held.set()
    other.goto("/accounts/frank")
    change(server, "UPDATE renewal SET started_at = started_at - 61 WHERE outcome IS NULL")
    other.get_by_role("button", name="Renew now").click()
    expect(other.locator("main")).to_contain_text("nothing was sent")
    expect(other.locator("#renewal")).to_contain_text("the service ended meanwhile")
    assert issuer.calls == sent + 1
    cut.close()


def sign_in_with_another_login(page: Page, issuer: FakeIssuer) -> None:
    page.goto("/auth/sign-in?account=frank")
    page.get_by_role("button", name="Get a code").click()
    page.wait_for_url(re.compile(r"/auth/sign-in/\d+"))
    approve(page, issuer, 5)
    expect(page.locator("main .note-warn")).to_contain_text("another login", timeout=PATIENCE_MS)
    page.get_by_label("Add it as a new account?").fill("grace")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".note-good")).to_contain_text("grace")
