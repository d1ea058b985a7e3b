"""The account form, saved by people and by programs: what it takes, what it says, and what it keeps
of what was typed.
"""

import io
import re

import pytest

from quota_web import store
from tests.fakes import NOW
from tests.logins import managed, text, upload
from tests.pages import HOSTILE, Script, error_at, read, said, value_of, world_of

MIB = 1024 * 1024


@pytest.fixture
def script(browser):
    return Script(browser, write=True)


@pytest.fixture
def alice(installation, codex):
    """A managed account with a reading."""
    return managed(installation)


def test_a_pasted_account_is_saved_and_asked_soon(installation, browser, codex):
    woken = []
    world_of(browser.client.application).wake = lambda: woken.append(
        installation.account("alice").next_due_at
    )
    answer = browser.post("/auth/save", name="  alice ", auth_json=text())

    assert (answer.status_code, answer.location) == (303, "/auth")
    assert installation.names() == ["alice"]
    assert woken == [NOW]
    assert said(browser.get("/auth").text) == ["Saved alice. A refresh follows at once."]
    assert said(browser.get("/auth").text) == []


def test_uploaded_files_are_saved_one_or_several(installation, browser):
    assert browser.post("/auth/save", name="alice", auth_json=upload("x.json")).status_code == 303
    assert said(browser.get("/auth").text) == ["Saved alice. A refresh follows at once."]
    files = [
        upload("bob.auth.json", "b", "user-b", email=None),
        upload("carol.json", "c", "user-c", email=None),
    ]
    assert browser.post("/auth/save", name="", auth_json=files).status_code == 303

    assert installation.names() == ["alice", "bob", "carol"]
    assert said(browser.get("/auth").text) == ["Saved bob, carol. A refresh follows at once."]


def test_token_and_account_id_are_enough(installation, browser):
    answer = browser.post(
        "/auth/save",
        name="alice",
        access_token=" opaque-token ",
        account_id=" acct-1 ",
        auth_json="",
    )

    assert answer.status_code == 303
    assert installation.account("alice").chatgpt_account_id == "acct-1"


def test_a_file_field_without_a_file_is_no_file(installation, browser):
    answer = browser.post("/auth/save", name="alice", auth_json=(io.BytesIO(b""), ""))

    assert answer.status_code == 422
    assert error_at(answer.text, "auth_json") == "give an auth.json, or a token and an account id"


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"name": "a/b", "auth_json": text()}, "name", "a name has no / and no \\"),
        ({"name": "alice", "auth_json": "{"}, "auth_json", "auth file not found or invalid: "),
        (
            {"name": "alice", "access_token": "sess-x", "account_id": "a"},
            "access_token",
            "looks like a session token",
        ),
        (
            {"name": "alice", "access_token": "opaque", "account_id": "a b"},
            "account_id",
            "account_id may hold",
        ),
        ({"name": "alice", "access_token": "opaque"}, "account_id", "missing account_id"),
    ],
)
def test_errors_stand_at_their_field_and_what_was_typed_is_kept_but_tokens(
    installation, browser, typed, field, told
):
    answer = browser.post("/auth/save", **typed)
    page = answer.text

    assert answer.status_code == 422
    assert (error_at(page, field) or "").replace("&#39;", "'").startswith(told)
    assert said(page)[0].startswith("Nothing was saved.")
    assert value_of(page, "name") == typed["name"]
    assert value_of(page, "account_id") == typed.get("account_id", "")
    assert value_of(page, "access_token") == ""
    assert re.search(r"<textarea[^>]*></textarea>", page)
    assert "sess-x" not in page
    assert installation.names() == []


def test_what_was_saved_beside_errors_is_said_and_asked_soon(installation, browser):
    woken = []
    world_of(browser.client.application).wake = lambda: woken.append(installation.names())
    answer = browser.post(
        "/auth/save",
        name="",
        auth_json=[upload("good.json", email=None), (io.BytesIO(b"{"), "bad.json")],
    )

    assert answer.status_code == 422
    assert said(answer.text)[0].startswith("Saved good; the rest was not.")
    assert (error_at(answer.text, "auth_json") or "").startswith(
        "bad: auth file not found or invalid"
    )
    assert woken == [["good"]]


def test_editing_keeps_a_typed_name_and_the_account_that_is_meant(alice, browser):
    answer = browser.post(
        "/auth/save",
        original_name="alice",
        name="a/b",
        account_id="other",
        access_token="sess-secret",
    )

    assert answer.status_code == 422
    assert '<input type="hidden" name="original_name" value="alice">' in answer.text
    assert (value_of(answer.text, "name"), value_of(answer.text, "account_id")) == ("a/b", "other")
    assert "sess-secret" not in answer.text


def test_a_rename_keeps_the_history(alice, browser):
    answer = browser.post(
        "/auth/save",
        original_name="alice",
        name="bob",
        account_id="acct-1",
        auth_json="",
        access_token="",
    )

    assert answer.status_code == 303
    assert alice.used("bob") == {"five_hour": 12, "weekly": 40}
    assert said(browser.get("/auth").text) == ["Saved bob."]
    assert browser.get("/accounts/alice").status_code == 404


def test_another_login_under_the_same_name_is_said(alice, browser):
    browser.post(
        "/auth/save", original_name="alice", name="alice", auth_json=text("acct-2", "user-2")
    )
    page = browser.get("/auth").text

    assert (
        "That was another login: the history of before is kept as alice (until 2026-11-21)."
        in said(page)
    )
    assert alice.names() == ["alice", "alice (until 2026-11-21)"]


def test_a_file_that_cannot_be_written_is_said_on_the_form(installation, browser):
    (installation.accounts / "alice.auth.json").mkdir()
    installation.follow()
    answer = browser.post(
        "/auth/save", original_name="alice", name="alice", auth_json=text("acct-1")
    )

    assert answer.status_code == 422
    assert "not a regular file" in answer.text


@pytest.mark.parametrize("name", ["nobody", "a\x00", "../alice"])
def test_an_unknown_account_cannot_be_edited(alice, browser, name):
    answer = browser.post("/auth/save", original_name=name, name="new", auth_json=text())

    assert answer.status_code == 404
    assert alice.names() == ["alice"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("original", ["", "alice"])
def test_hostile_words_are_shown_back_as_text(alice, browser, hostile, original):
    answer = browser.post(
        "/auth/save",
        original_name=original,
        name=hostile + "/",
        account_id=hostile,
        access_token="token",
    )

    assert answer.status_code == 422
    assert read(answer.text).dangers == []


@pytest.mark.parametrize("hostile", [h.replace("/", "|") for h in HOSTILE])
def test_hostile_names_stay_text_in_what_is_said(alice, browser, hostile):
    assert browser.post("/auth/save", original_name="alice", name=hostile).status_code == 303
    page = browser.get("/auth").text
    assert said(page)
    assert read(page).dangers == []
    for path in ("/auth/edit", "/auth/delete"):
        shown = browser.client.get(path, query_string={"name": hostile})
        assert (shown.status_code, read(shown.text).dangers) == (200, [])
    assert browser.post("/auth/delete", name=hostile).status_code == 303
    assert read(browser.get("/auth").text).dangers == []


def send(browser, *parts):
    """Post a form in parts of (field, file name or None, content), made by hand: the client's own
    would go through a temporary file.
    """
    body = b""
    for field, name, content in (("csrf_token", None, browser.csrf_token().encode()), *parts):
        disposition = f'form-data; name="{field}"' + (f'; filename="{name}"' if name else "")
        body += f"--cut\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    headers = {"Origin": browser.base}
    return browser.client.post(
        "/auth/save",
        data=body + b"--cut--\r\n",
        content_type="multipart/form-data; boundary=cut",
        headers=headers,
    )


@pytest.mark.parametrize(
    "parts",
    [
        [("auth_json", "big.json", b" " * (2 * MIB + 1))],
        [("auth_json", "big.json", b" " * (3 * MIB))],
        [("auth_json", None, b" " * (2 * MIB + 1))],
        [("name", None, b"x" * (3 * MIB))],
        [(f"field{number}", None, b"x") for number in range(60)],
    ],
)
def test_too_much_is_413(installation, browser, parts):
    assert send(browser, ("name", None, b"alice"), *parts).status_code == 413
    assert installation.names() == []


@pytest.mark.parametrize("size", [2 * MIB + 1, 3 * MIB])
def test_too_much_in_a_plain_form_is_413(installation, browser, size):
    assert browser.post("/auth/save", name="alice", auth_json=" " * size).status_code == 413


def test_a_file_of_the_full_size_is_read(installation, browser):
    assert (
        send(
            browser,
            ("name", None, b"alice"),
            ("auth_json", "auth.json", text().encode().ljust(2 * MIB)),
        ).status_code
        == 303
    )
    assert installation.names() == ["alice"]


# Programs with a token that may write


def test_a_token_that_may_write_saves_and_deletes(installation, script, codex):
    answer = script.post("/auth/save", name="alice", auth_json=text())
    assert (answer.status_code, answer.location, "Set-Cookie" in answer.headers) == (
        303,
        "/auth",
        False,
    )
    assert installation.names() == ["alice"]

    assert script.post("/auth/pause", name="alice").status_code == 303
    assert script.post("/auth/resume", name="alice").status_code == 303
    assert script.post("/auth/delete", name="alice").status_code == 303
    assert installation.names() == []
    with store.database.reading() as conn:
        found = [
            (e.kind, e.actor)
            for e in reversed(store.audit_log.newest(conn))
            if e.kind.startswith("account")
        ]
    assert found == [
        (kind, "token script True")
        for kind in ("account_added", "account_paused", "account_resumed", "account_deleted")
    ]


def test_a_programs_errors_are_json(alice, script):
    refused = script.post("/auth/save", name="a/b", auth_json=text())
    assert (refused.status_code, refused.get_json()) == (
        422,
        {"error": {"code": "bad_input", "message": "a name has no / and no \\"}},
    )
    assert (
        script.post("/auth/save", original_name="nobody").get_json()["error"]["code"]
        == "unknown_account"
    )
    assert (
        script.post("/auth/delete", name="nobody").get_json()["error"]["code"] == "unknown_account"
    )
    assert script.post("/auth/delete").get_json()["error"] == {
        "code": "bad_input",
        "message": "no account is named",
    }
