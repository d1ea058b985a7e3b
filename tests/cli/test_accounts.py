"""`flask quota accounts` beside import: list, rename, pause, resume, remove, export; each names
what it did, in one line.
"""

import json
import os
import subprocess
import sys

import pytest

from quota_web.core.quota import Status
from tests.accounts.test_importing import lines
from tests.fakes import NOW, auth_document, make_jwt
from tests.logins import managed


def test_the_list_shows_state_plan_and_where_accounts_come_from(installation):
    installation.file("alice", "acct-1", exp=NOW + 3_600)
    installation.run(
        "accounts",
        "add",
        "bob",
        input=json.dumps({"access_token": "an-opaque-token", "account_id": "a"}),
    )

    gap = " " * len(str(installation.accounts))
    assert installation.run("accounts", "list").stdout.splitlines() == [
        (
            f"account  status   state         plan  origin{gap}{' ' * 10}  e-mail             "
            f"token expires            renewal"
        ),
        (
            f"alice    pending  not read yet  -     {installation.accounts}/alice.auth.json  "
            f"alice@example.com  2026-11-21 21:00:00 CST  file"
        ),
        f"bob      pending  not read yet  -     managed{gap}{' ' * 9}  -                  "
        f"-                        copy, off",
    ]


def test_the_list_as_json_has_no_token_in_it(installation, codex):
    managed(installation)
    installation.file("bob", "acct-1", user_id="user-1")

    ran = installation.run("accounts", "list", "--json")
    [alice, bob] = json.loads(ran.stdout)["accounts"]
    assert alice == {
        "account": "alice",
        "id": alice["id"],
        "status": "ok",
        "message": None,
        "group": "usable",
        "plan_type": "plus",
        "origin": "managed",
        "source_path": None,
        "email": "a@example.com",
        "account_id": "acct-1",
        "expires_at": "2100-01-01T00:00:00Z",
        "same_login_as": None,
        "credentials": {
            "kind": "copy",
            "access_ends_at": "2100-01-01T00:00:00Z",
            "renewal": {
                "state": "off",
                "next_at": None,
                "last_at": None,
                "code": None,
                "sign_in_by": "2100-01-01T00:00:00Z",
            },
        },
    }
    assert (bob["origin"], bob["same_login_as"]) == ("followed", "alice")
    assert "eyJ" not in ran.stdout


def test_a_rename_keeps_the_history_and_renames_the_file_that_is_followed(installation, codex):
    path = installation.file("alice")
    installation.refresh()

    new = path.with_name("Alice Two.auth.json")
    ran = installation.run("accounts", "rename", "ALICE", "Alice Two")
    assert lines(ran) == ([f"Alice Two: renamed from ALICE; its file is {new} now"], [], 0)
    assert (new.exists(), path.exists()) == (True, False)
    assert installation.used("Alice Two") == {"five_hour": 12, "weekly": 40}
    assert lines(installation.run("accounts", "rename", "alice two", "bob"))[2] == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rename", "alice", "bob"], "bob: name already taken by another account"),
        (["rename", "alice", "a/b"], "a name has no / and no \\"),
        (["rename", "nobody", "carol"], "nobody: unknown account"),
        (["pause", "nobody"], "nobody: unknown account"),
        (["resume", "nobody"], "nobody: unknown account"),
        (["remove", "nobody"], "nobody: unknown account"),
        (["export", "nobody", "out.json"], "nobody: unknown account"),
    ],
)
def test_what_cannot_be_done_is_one_line(installation, arguments, line):
    installation.file("alice")
    installation.file("bob")

    assert lines(installation.run("accounts", *arguments)) == ([], [line], 1)
    assert installation.names() == ["alice", "bob"]


def test_an_account_is_paused_and_resumed(installation):
    installation.file("alice")

    assert lines(installation.run("accounts", "pause", "ALICE")) == (["alice: paused"], [], 0)
    assert installation.account("alice").status is Status.PAUSED
    assert lines(installation.run("accounts", "resume", "alice")) == (["alice: resumed"], [], 0)
    assert installation.account("alice").status is Status.PENDING


def test_an_account_is_removed_without_a_question_where_nobody_can_answer(installation):
    path = installation.file("alice")

    assert lines(installation.run("accounts", "remove", "ALICE")) == (["alice: removed"], [], 0)
    assert not path.exists()


def test_a_removal_says_how_much_history_goes(installation, codex):
    managed(installation)

    ran = installation.run("accounts", "remove", "alice", "--yes")
    assert lines(ran) == (["alice: removed, with 2 readings since 2026-11-21 20:00:00 CST"], [], 0)


def on_a_terminal(installation, *arguments, typed):
    """A command whose standard input is a terminal, where somebody types."""
    ours, theirs = os.openpty()
    os.write(ours, typed.encode())
    try:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "quota", "accounts", *arguments],
            stdin=theirs,
            capture_output=True,
            text=True,
            env=installation.process_environment(),
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("typed", "names", "code"), [("n\n", ["alice"], 1), ("y\n", [], 0)])
def test_on_a_terminal_a_removal_asks_first(installation, typed, names, code):
    path = installation.file("alice")
    ran = on_a_terminal(installation, "remove", "Alice", typed=typed)

    assert f"Remove alice with its credentials, its file {path} and no readings yet?" in ran.stderr
    assert ran.returncode == code
    assert installation.names() == names
    assert path.exists() == bool(names)


def test_with_yes_a_terminal_is_not_asked(installation):
    installation.file("alice")

    ran = on_a_terminal(installation, "remove", "alice", "--yes", typed="")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("alice: removed\n", "", 0)


def test_an_export_says_that_it_holds_tokens(installation, tmp_path):
    installation.run("accounts", "add", "alice", input=json.dumps(auth_document("acct-1")))
    file = tmp_path / "out.json"

    assert lines(installation.run("accounts", "export", "Alice", str(file))) == (
        [f"{file}: written, mode 0600; it holds tokens"],
        [],
        0,
    )
    assert installation.run("accounts", "add", "again", str(file)).exit_code == 0


def test_an_export_overwrites_only_where_it_is_told_to(installation, tmp_path):
    token = make_jwt("acct-1")
    installation.run("accounts", "add", "alice", input=json.dumps({"access_token": token}))
    file = tmp_path / "out.json"
    file.write_text("precious")

    ran = installation.run("accounts", "export", "alice", str(file))
    assert lines(ran) == (
        [],
        [f"{file} exists already; nothing was written (--force overwrites it)"],
        1,
    )
    assert file.read_text() == "precious"
    assert installation.run("accounts", "export", "alice", str(file), "--force").exit_code == 0
    assert token in file.read_text()
