"""A page that was left open means what it showed: not another login that has the name by now, and
not a state that is over.
"""

import re
from html import unescape
from typing import Any

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.maintenance import prune
from tests.fakes import NOW
from tests.logins import document, managed
from tests.pages import Script

#: Where forms about one account stand, and the path that each of them is sent to.
PAGES = {
    "/auth": {"/auth/pause"},
    "/auth/delete?name=alice": {"/auth/delete", "/auth/pause"},
    "/accounts/alice": {"/auth/pause", "/auth/renewal"},
    "/auth/edit?name=alice": {"/auth/save"},
}
#: What a person ticks before such a form is sent.
TICKED = {"/auth/renewal": {"alone": "1"}}
FORM = re.compile(r'<form method="post" action="([^"]+)".*?</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@pytest.fixture
def alice(installation):
    return managed(installation)


def forms(browser, path: str) -> dict[str, dict[str, str]]:
    """What each form of a page sends by itself, by where it goes."""
    found = FORM.finditer(browser.get(path).text)
    return {
        form[1]: {name: unescape(value) for name, value in HIDDEN.findall(form[0])}
        for form in found
    }


def replace_alice(installation, account_id: str = "acct-new") -> None:
    """Delete alice, history and row, and give her name to another login."""
    account_service.remove("alice", installation.now, "test")
    while prune.purge_deleted():
        pass
    account_service.add(
        installation.services.cipher,
        "alice",
        auth_file.parse(document(account_id)),
        installation.now,
        "test",
    )


@pytest.mark.parametrize("path", PAGES)
def test_every_form_about_an_account_says_which_it_showed(alice, browser, path):
    found = {
        where: fields
        for where, fields in forms(browser, path).items()
        if where.startswith("/auth/")
    }

    assert set(found) == PAGES[path]
    assert {fields["id"] for fields in found.values()} == {str(alice.account("alice").id)}
    assert all(("version" in fields) == (where == "/auth/save") for where, fields in found.items())


@pytest.mark.parametrize(
    ("path", "act"), [(path, act) for path, acts in PAGES.items() for act in sorted(acts)]
)
def test_a_page_left_open_does_nothing_to_another_login_of_the_name(alice, browser, path, act):
    fields = forms(browser, path)[act]
    replace_alice(alice)
    before = alice.rows("SELECT id, name, chatgpt_account_id, paused_at, deleted_at FROM account")

    answer = browser.post(act, **fields, **TICKED.get(act, {}))

    assert answer.status_code == 409
    assert "alice: has changed since that page was loaded" in answer.text
    assert (
        alice.rows("SELECT id, name, chatgpt_account_id, paused_at, deleted_at FROM account")
        == before
    )


def test_an_id_is_never_given_twice(alice):
    before = alice.account("alice").id

    replace_alice(alice)

    assert alice.account("alice").id > before


def test_a_page_that_still_holds_acts(alice, browser):
    saved = browser.post(
        "/auth/save", **forms(browser, "/auth/edit?name=alice")["/auth/save"], name="alice 2"
    )
    deleted = browser.post(
        "/auth/delete", **forms(browser, "/auth/delete?name=alice 2")["/auth/delete"]
    )

    assert (saved.status_code, deleted.status_code) == (303, 303)
    assert alice.names() == []


def test_a_rename_is_a_change_too(alice, browser):
    fields = forms(browser, "/auth/delete?name=alice")["/auth/delete"]
    account_service.edit(alice.services.cipher, "alice", "carol", None, NOW, "test")

    assert browser.post("/auth/delete", **fields).status_code == 409
    assert alice.names() == ["carol"]


def test_an_edit_knows_the_tokens_that_it_replaces(alice, browser):
    fields = forms(browser, "/auth/edit?name=alice")["/auth/save"]
    account_service.edit(
        alice.services.cipher,
        "alice",
        "alice",
        auth_file.parse(document(user_id="user-1")),
        NOW,
        "test",
    )

    assert browser.post("/auth/save", **fields, name="alice 2").status_code == 409
    assert alice.names() == ["alice"]


@pytest.mark.parametrize("said", ["x", "-1", "1e3", "9" * 40, "٣"])
def test_what_is_no_id_was_shown_on_no_page(alice, browser, said):
    assert browser.post("/auth/pause", name="alice", id=said).status_code == 409


def test_a_script_acts_by_name_or_by_both(alice, browser):
    script = Script(browser, write=True)
    known = alice.account("alice").id

    told = [
        script.post("/auth/pause", name="alice", **more).status_code
        for more in (dict[str, Any](), {"id": ""}, {"id": str(known)}, {"id": str(known + 1)})
    ]

    assert told == [303, 303, 303, 409]
    wrong = script.post("/auth/delete", name="alice", id=str(known + 1))
    assert wrong.get_json()["error"]["code"] == "changed"
    assert script.post("/auth/delete", name="nobody", id=str(known + 1)).status_code == 404


def test_a_list_of_tokens_left_open_revokes_no_other_token(installation, browser):
    browser.post("/settings/tokens", name="nightly")
    fields = forms(browser, "/settings")["/settings/tokens/revoke"]
    browser.post("/settings/tokens/revoke", **fields)
    installation.execute(
        "INSERT INTO api_token (name, hash, can_write, created_at) VALUES ('nightly', 'x', false, "
        ":at)",
        at=NOW + 60,
    )

    assert browser.post("/settings/tokens/revoke", **fields).status_code == 409
    assert installation.rows("SELECT name FROM api_token") == [("nightly",)]
