"""Accounts and their refresh, with a real browser on the real service: paste, files, errors,
renaming, deleting, the button and the live page.
"""

import json
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import Route, expect

from tests.chromium import PASSWORD, asked, flask_quota, overflows, visit
from tests.fakes import (
    FakeCodex,
    FakeResponse,
    auth_document,
    holds_jwt,
    make_jwt,
    usage_body,
)
from tests.servers import Server

CANARY = "canary-of-a-refresh-token"


@pytest.fixture(scope="module")
def codex():
    with FakeCodex() as fake:
        fake.default = answer()
        yield fake


@pytest.fixture(scope="module")
def server(tmp_path_factory, codex):
    with Server(
        tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD
    ).classic() as server:
        yield server


@pytest.fixture
def page(tabs):
    with tabs.visit(expected=("status of 422",)) as page:
        yield page


def answer(five_hour: float = 12) -> FakeResponse:
    return FakeResponse(body=usage_body(five_hour, at=int(time.time())))


def auth_json(account_id: str) -> str:
    soon = int(time.time()) + 864_000
    access, identity = (
        make_jwt(account_id, exp=soon, user_id=f"user-{account_id}"),
        make_jwt(account_id, exp=soon, email=f"{account_id}@example.com"),
    )
    return json.dumps(
        auth_document(account_id, access_token=access, id_token=identity, refresh_token=CANARY)
    )


def file(name: str, content: str) -> dict[str, object]:
    return {"name": name, "mimeType": "application/json", "buffer": content.encode()}


def row_of(page, name: str):
    return page.locator("tbody tr", has=page.get_by_role("link", name=name, exact=True))


def add(page) -> None:
    """Send the form, look at what was found, and save it."""
    page.click("button:has-text('Add')")
    page.click("#found-form button.main")


def paste(page, name: str) -> None:
    page.goto("/auth/new")
    page.fill("#name", name)
    page.fill("#auth_json", auth_json(f"acct-{name}"))
    add(page)
    page.wait_for_url("**/auth")


def test_a_pasted_file_becomes_an_account_that_is_refreshed_at_once(page, server):
    page.goto("/")
    page.click("text=Add an account") if page.locator(
        "text=No accounts yet"
    ).count() else page.goto("/auth/new")
    page.fill("#name", "pasted")
    page.fill("#auth_json", auth_json("acct-pasted"))
    expect(page.locator("#found-now")).to_contain_text("acct-pasted@example.com · token expires")
    add(page)

    expect(page.locator(".note-good")).to_contain_text("Saved pasted.")
    answered(server, "pasted")
    page.goto("/auth/new")
    page.fill("#auth_json", auth_json("acct-pasted"))
    expect(page.locator("#found-now")).to_contain_text("pasted: acct-pasted@example.com")
    expect(page.locator("#found-now")).to_contain_text(". Here already: it gets this token")
    page.fill("#auth_json", "no account")
    expect(page.locator("#found-now")).to_be_empty()
    page.goto("/")
    expect(row_of(page, "pasted").locator("[data-label=Five-hour]")).to_contain_text("88\u202f%")
    expect(row_of(page, "pasted")).to_have_attribute("data-group", "usable")


def test_what_is_pasted_before_the_script_is_there_is_looked_at_too(page):
    held: list[Route] = []
    page.route("**/js/auth.js*", lambda route: held.append(route))
    page.goto("/auth/new", wait_until="commit")
    page.fill("#auth_json", auth_json("acct-early"))
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()

    expect(page.locator("#found-now")).to_contain_text("acct-early@example.com")


def test_a_file_names_its_account(page):
    page.goto("/auth/new")
    page.set_input_files("#auth_file", file("fiona.auth.json", auth_json("acct-fiona")))

    assert page.input_value("#name") == "fiona"
    expect(page.locator("#drop-said")).to_have_text("fiona.auth.json, ready to save.")
    expect(page.locator("#found-now")).to_contain_text("acct-fiona@example.com")
    add(page)
    expect(row_of(page, "fiona")).to_contain_text("acct-fiona@example.com")


def test_several_files_become_several_accounts(page):
    page.goto("/auth/new")
    page.set_input_files(
        "#auth_file",
        [file(f"{name}.auth.json", auth_json(f"acct-{name}")) for name in ("gina", "hugo", "iris")],
    )

    expect(page.locator("#drop-said")).to_have_text(
        "3 files: gina.auth.json, hugo.auth.json, iris.auth.json"
    )
    add(page)
    expect(page.locator(".note-good").first).to_contain_text(
        "Saved acct-gina@example.com, acct-hugo@example.com, acct-iris@example.com."
    )
    for name in ("gina", "hugo", "iris"):
        expect(row_of(page, f"acct-{name}@example.com")).to_be_visible()


def test_a_file_can_be_dropped(page):
    page.goto("/auth/new")
    given = page.evaluate_handle(
        "text => { const given = new DataTransfer(); given.items.add(new File([text], "
        "'dropped.auth.json')); return given }",
        auth_json("acct-dropped"),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": given})

    assert page.input_value("#name") == "dropped"
    add(page)
    expect(row_of(page, "dropped")).to_be_visible()


def test_an_error_stands_at_its_field_and_keeps_what_was_typed(page):
    page.goto("/auth/new")
    page.fill("#name", "with a typo")
    page.click("summary:has-text('Or give token')")
    page.fill("#access_token", "sess-a-session-token-canary")
    page.fill("#account_id", "acct-typed")
    page.click("button:has-text('Add')")

    expect(page.locator("#access_token-error")).to_contain_text("looks like a session token")
    assert page.get_attribute("#access_token", "aria-invalid") == "true"
    assert "access_token-error" in page.get_attribute("#access_token", "aria-describedby")
    assert (page.input_value("#name"), page.input_value("#account_id")) == (
        "with a typo",
        "acct-typed",
    )
    assert page.input_value("#access_token") == ""
    assert "canary" not in page.content()
    expect(page.locator("[role=alert]")).to_contain_text(
        "Nothing was saved. 1 field below needs another look."
    )


def test_half_a_file_is_noticed_before_it_is_sent(page):
    page.goto("/auth/new")
    page.fill("#auth_json", auth_json("acct-half")[:50])
    page.click("button:has-text('Add')")

    assert page.eval_on_selector("#auth_json", "field => field.validationMessage").startswith(
        "This is no complete JSON yet"
    )
    assert not [path for path in asked(page) if path in ("/auth/save", "/auth/preview")]


def test_two_files_pasted_one_after_the_other_are_shown_before_they_are_saved(page):
    page.goto("/auth/new")
    page.fill("#auth_json", f"```json\n{auth_json('acct-nora')}\n```\n{auth_json('acct-otto')}")
    page.click("button:has-text('Add')")

    expect(page.locator("h1")).to_have_text("2 accounts found")
    assert not holds_jwt(page.content())
    page.uncheck("#take-1")
    page.fill("#name-0", "nora")
    page.click("#found-form button.main")
    expect(row_of(page, "nora")).to_be_visible()
    assert row_of(page, "acct-otto@example.com").count() == 0


def test_a_file_without_tokens_is_refused_at_the_field(page):
    page.goto("/auth/new")
    page.set_input_files("#auth_file", file("empty.auth.json", "{}"))
    page.click("button:has-text('Add')")

    expect(page.locator("#auth_json-error")).to_be_visible()
    assert page.input_value("#name") == "empty"


def test_renaming_pausing_and_deleting(page):
    paste(page, "mona")

    page.click("a:has-text('Edit mona')")
    page.fill("#name", "mona lisa")
    page.click("button:has-text('Save')")
    expect(row_of(page, "mona lisa")).to_be_visible()
    page.click("button:has-text('Pause mona lisa')")
    expect(row_of(page, "mona lisa")).to_contain_text("Paused")
    page.click("button:has-text('Resume mona lisa')")
    expect(page.locator("button:has-text('Pause mona lisa')")).to_be_visible()
    page.click("a:has-text('Delete mona lisa')")
    expect(page.locator("h1")).to_have_text("Delete mona lisa?")
    expect(page.locator(".losses")).to_contain_text("its stored tokens")
    page.click("button:has-text('Delete mona lisa')")
    expect(page.locator(".note-good")).to_have_text("Deleted mona lisa.")
    expect(row_of(page, "mona lisa")).to_have_count(0)


def test_the_refresh_button_says_what_happens(page, server, codex):
    paste(page, "rosa")
    let_a_minute_pass(server)
    codex.answers("acct-rosa", FakeResponse(body=usage_body(70, at=int(time.time())), delay=0.4))
    page.goto("/accounts/rosa")
    live = page.locator("#said")
    assert (live.get_attribute("role"), live.get_attribute("aria-live")) == ("status", "polite")
    page.evaluate("window.sameDocument = true")

    page.click("#refresh-account button")
    expect(page.locator("#refresh-account button")).to_be_disabled()
    expect(live).to_have_text("Refreshing.")
    expect(live).to_have_text("Asked 1: 1 new reading.")
    expect(page.locator(".cards .card").first).to_contain_text("30\u202f%")
    expect(page.locator("#refresh-account button")).to_be_enabled()
    assert page.evaluate("window.sameDocument"), "the page was not loaded anew"


def test_the_refresh_of_all_names_who_did_not_answer(page, server, codex):
    paste(page, "otto")
    let_a_minute_pass(server)
    codex.answers("acct-otto", FakeResponse(status=401, body={"detail": "the token was revoked"}))
    page.goto("/")

    page.click("#refresh button")
    expect(page.locator("#said")).to_contain_text("1 needs a sign-in")
    expect(row_of(page, "otto")).to_contain_text("Needs sign-in")
    expect(page.locator(".hands")).to_contain_text("otto: needs sign-in")


def test_an_account_shows_its_first_answer_without_a_reload(page, codex):
    codex.answers("acct-vera", FakeResponse(body=usage_body(33, at=int(time.time())), delay=1))
    paste(page, "vera")
    page.goto("/")

    expect(row_of(page, "vera")).to_contain_text("Not read yet")
    expect(row_of(page, "vera")).to_contain_text("67\u202f%")


def test_a_change_elsewhere_shows_within_a_poll(chromium, server, state, page, codex):
    paste(page, "lea")
    answered(server, "lea")
    with visit(chromium, server.url, storage_state=state) as page:
        page.clock.install()
        page.goto("/")
        expect(row_of(page, "lea")).to_contain_text("88\u202f%")
        page.evaluate("window.sameDocument = true")
        page.focus("#q")

        codex.answers("acct-lea", answer(55))
        flask_quota(server, "refresh", "lea", "--force")
        page.clock.fast_forward(16_000)

        expect(row_of(page, "lea")).to_contain_text("45\u202f%")
        assert page.evaluate("window.sameDocument"), "the page was not loaded anew"
        expect(page.locator("#q")).to_be_focused()


def test_no_token_is_on_any_page(page):
    paste(page, "tina")
    for path in ("/", "/auth", "/auth/edit?name=tina", "/accounts/tina", "/settings"):
        page.goto(path)
        assert CANARY not in page.content()
        assert not holds_jwt(page.content())
        assert overflows(page) <= 0


def answered(server, name: str) -> None:
    """Wait for an account's first answer."""
    wait_until(
        lambda: server.rows(f"SELECT 1 FROM account WHERE name = '{name}' AND status = 'ok'")
    )


def let_a_minute_pass(server) -> None:
    """What was asked for within the last half minute is not asked for again by a button."""
    wait_until(
        lambda: (
            server.rows(
                "SELECT count(*) FROM account WHERE attempted_at IS NULL OR claim_id IS NOT NULL"
            )
            == [(0,)]
        )
    )
    with closing(sqlite3.connect(server.instance / "quota.sqlite", timeout=10)) as conn, conn:
        conn.execute("UPDATE account SET attempted_at = attempted_at - 60")


def wait_until(there) -> None:
    until = time.monotonic() + 15
    while not there():
        assert time.monotonic() < until
        time.sleep(0.05)
