"""Following a folder: accounts come, change and go with their files; files are only ever read."""

import json
import os
import time
from pathlib import Path

import pytest

from quota_web import store
from quota_web.accounts import account_service, folder_sync
from quota_web.accounts.folder_sync import SyncResult
from quota_web.codex import auth_file
from quota_web.core.errors import AccountNotFound
from quota_web.core.quota import Status
from tests.fakes import NOW, FakeResponse, auth_document, make_jwt, usage_body

pytestmark = pytest.mark.usefixtures("database")

DAY = "(until 2026-11-21)"


def words(installation, name):
    fault = installation.account(name).fault
    return None if fault is None else fault.text(str)


def problems(report):
    return {p.name: p.fault.text(str) for p in report.problems}


def version(installation):
    return installation.rows("SELECT data_version FROM site_state")[0][0]


def test_each_file_is_an_account(installation):
    for name in ("alice", "Bob Müller", "团队"):
        installation.file(name, f"acct-{len(name)}")
    report = installation.follow()

    assert (report.problems, report.folder_fault) == ((), None)
    assert set(installation.names()) == {"alice", "Bob Müller", "团队"}
    found = installation.account("alice")
    assert (found.origin, found.source_path, found.status) == (
        "followed",
        str(installation.accounts / "alice.auth.json"),
        Status.PENDING,
    )
    assert found.email == "alice@example.com"


def test_other_files_are_none_of_its_business(installation):
    for name in (
        "notes.txt",
        "alice.json",
        "auth.json",
        ".hidden.auth.json",
        ".auth.json",
        "alice.auth.json.bak",
    ):
        (installation.accounts / name).write_text("{}")

    assert installation.follow() == SyncResult()
    assert installation.names() == []


def test_only_the_access_token_is_stored(installation):
    installation.file("alice")
    installation.follow()

    assert installation.rows("SELECT refresh_sealed, id_sealed, refresh_fp FROM credential") == [
        (None, None, None)
    ]


def test_a_second_look_changes_nothing(installation):
    installation.file("alice")
    installation.raw_file("broken", b"{")
    installation.file("taken")
    installation.follow()
    before = installation.rows("SELECT * FROM account"), version(installation)

    installation.now += 60
    installation.follow()

    assert (installation.rows("SELECT * FROM account"), version(installation)) == before


def test_files_are_never_written(installation):
    path = installation.file("alice")
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode
    installation.refresh()

    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) == before
    assert list(installation.accounts.iterdir()) == [path]


# Changes


def test_a_new_token_is_taken_over_and_asked_with_at_once(installation, codex):
    installation.file("alice")
    installation.refresh()
    installation.now += 60
    installation.file("alice", exp=NOW + 99_999)
    installation.follow()

    found = installation.account("alice")
    assert (found.status, found.next_due_at) == (Status.PENDING, NOW + 60)
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.rows("SELECT version, access_expires_at FROM credential") == [
        (2, NOW + 99_999)
    ]


@pytest.mark.parametrize(
    "scene",
    [FakeResponse(body=usage_body()), FakeResponse(429), FakeResponse(401), FakeResponse(403)],
)
def test_a_file_written_anew_with_the_same_token_says_nothing_new(installation, codex, scene):
    codex.answers("acct-alice", scene)
    path = installation.file("alice")
    installation.refresh()
    before = installation.account("alice")
    path.write_text(
        json.dumps(json.loads(path.read_bytes()) | {"last_refresh": "2026-11-21T12:00:00Z"})
    )
    installation.follow()

    after = installation.account("alice")
    assert (after.status, after.fault, after.next_due_at) == (
        before.status,
        before.fault,
        before.next_due_at,
    )
    assert after.source_hash != before.source_hash


def test_a_file_that_is_gone_keeps_its_account_and_comes_back(installation, codex):
    path = installation.file("alice")
    installation.refresh()
    content = path.read_bytes()
    path.unlink()
    installation.follow()

    assert installation.account("alice").status is Status.INVALID_CREDENTIALS
    assert words(installation, "alice") == "file is gone; put it back or delete the account"
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.ask()["alice"].status is Status.INVALID_CREDENTIALS
    assert len(codex.seen) == 1

    path.write_bytes(content)
    assert installation.refresh()["alice"].status is Status.OK
    assert installation.account("alice").source_gone_at is None
    assert len(installation.names()) == 1


def test_a_file_that_breaks_keeps_its_history_and_mends(installation, codex):
    path = installation.file("alice")
    installation.refresh()
    content = path.read_bytes()
    path.write_bytes(b"not json at all")
    installation.follow()

    assert installation.account("alice").status is Status.INVALID_CREDENTIALS
    assert words(installation, "alice").startswith("auth file not found or invalid: not valid JSON")
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}

    path.write_bytes(content)
    assert installation.refresh()["alice"].status is Status.OK


def test_another_login_in_the_same_file_starts_a_new_history(installation, codex):
    installation.file("alice", "acct-1")
    installation.refresh()
    installation.file("alice", "acct-2")
    codex.answers("acct-2", FakeResponse(body=usage_body(77, 78)))
    installation.refresh()

    assert installation.names() == ["alice", f"alice {DAY}"]
    old = installation.account(f"alice {DAY}")
    assert (old.status, old.chatgpt_account_id, old.origin, old.source_path) == (
        Status.PAUSED,
        "acct-1",
        "managed",
        None,
    )
    assert installation.used("alice") == {"five_hour": 77, "weekly": 78}
    assert installation.rows(
        "SELECT used_percent FROM snapshot WHERE account = :name ORDER BY 1", name=old.name
    ) == [(12,), (40,)]


def test_a_login_that_returns_to_its_file_starts_anew_again(installation, codex):
    for account_id in ("acct-1", "acct-2", "acct-1"):
        installation.file("alice", account_id)
        installation.refresh()

    assert installation.names() == ["alice", f"alice {DAY}", "alice (until 2026-11-21, 2)"]
    assert installation.account("alice").chatgpt_account_id == "acct-1"


def test_a_file_that_never_worked_takes_whoever_comes_first(installation):
    installation.raw_file("alice", b"{}")
    installation.follow()
    installation.file("alice", "acct-1")
    installation.follow()

    assert installation.names() == ["alice"]
    assert installation.account("alice").chatgpt_account_id == "acct-1"


def test_a_paused_account_stays_paused_whatever_its_file_does(installation):
    path = installation.file("alice")
    installation.follow()
    account_service.pause("alice", NOW, "test")
    installation.file("alice", exp=NOW + 5)
    installation.follow()
    assert installation.account("alice").status is Status.PAUSED

    path.unlink()
    installation.follow()
    assert installation.account("alice").status is Status.PAUSED


def test_many_half_written_files_are_waited_for_together(installation):
    for number in range(12):
        installation.raw_file(f"account {number}", b'{"tokens": {')
    started = time.monotonic()
    installation.follow()

    assert time.monotonic() - started < 8
    assert {installation.account(name).status for name in installation.names()} == {
        Status.INVALID_CREDENTIALS
    }


# Names


def test_of_names_that_differ_in_case_alone_the_first_in_byte_order_wins(installation):
    installation.file("alice", "acct-lower")
    installation.file("Alice", "acct-upper")
    installation.file("ALICE", "acct-shouting")
    report = installation.follow()

    assert installation.names() == ["ALICE"]
    taken = "the name is already taken by the file ALICE.auth.json; rename the file"
    assert [(p.name, p.fault.text(str)) for p in report.problems] == [
        ("Alice", taken),
        ("alice", taken),
    ]


def test_a_name_that_a_managed_account_has_is_refused_with_one_line(installation):
    credentials = auth_file.parse(auth_document("acct-9", access_token=make_jwt("acct-9")))
    account_service.add(installation.services.cipher, "alice", credentials, NOW, "test")
    installation.file("Alice")

    assert problems(installation.follow()) == {
        "Alice": "the name is already taken by a managed account; rename the file"
    }
    before = version(installation)
    assert problems(installation.follow()) == {
        "Alice": "the name is already taken by a managed account; rename the file"
    }
    assert version(installation) == before
    assert installation.account("alice").chatgpt_account_id == "acct-9"


def test_a_name_that_another_login_has_in_another_folder_is_refused(installation, tmp_path):
    installation.file("alice", "acct-1")
    installation.follow()
    other = tmp_path / "other"
    other.mkdir()
    (other / "alice.auth.json").write_text(json.dumps(auth_document("acct-2")))

    found = problems(installation.follow(other))
    assert found == {
        "alice": (
            f"the name is already taken by the file {installation.accounts}/alice.auth.json; "
            f"rename the file"
        )
    }
    assert installation.account("alice").chatgpt_account_id == "acct-1"


def test_a_folder_that_was_moved_or_copied_goes_on_with_its_histories(
    installation, tmp_path, codex
):
    installation.file("alice")
    installation.file("bob")
    installation.refresh()
    installation.accounts.rename(tmp_path / "moved")
    installation.follow(tmp_path / "moved")

    assert installation.names() == ["alice", "bob"]
    found = installation.account("alice")
    assert (found.source_path, found.status) == (
        str(tmp_path / "moved" / "alice.auth.json"),
        Status.OK,
    )
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


def test_a_file_whose_name_changes_its_case_goes_on_with_its_history(installation, codex):
    installation.file("alice")
    installation.refresh()
    (installation.accounts / "alice.auth.json").rename(installation.accounts / "Alice.auth.json")
    report = installation.follow()

    assert report.problems == ()
    assert installation.names() == ["Alice"]
    assert installation.account("alice").status is Status.OK
    assert installation.account("alice").source_gone_at is None


def test_a_renamed_file_is_another_account(installation, codex):
    path = installation.file("alice")
    installation.refresh()
    path.rename(installation.accounts / "bob.auth.json")
    installation.follow()

    assert {name: installation.account(name).status for name in installation.names()} == {
        "alice": Status.INVALID_CREDENTIALS,
        "bob": Status.PENDING,
    }


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        (b"x" * 81, "x" * 81, "at most 80 characters"),
        (b"a\nb\x1b[31m", r"a\nb\x1b[31m", "printable"),
        (b"a\xffb", r"a\udcffb", "printable"),
        (b".x", ".x", None),
        (b"   ", "   ", "give the account a name"),
        (b"a\\b", "a\\b", "no / and no"),
    ],
)
def test_a_file_name_that_is_no_name_is_said_in_one_harmless_line(
    installation, name, shown, reason
):
    (
        Path(os.fsdecode(os.fsencode(installation.accounts) + b"/" + name + b".auth.json"))
    ).write_text("{}")
    report = installation.follow()

    assert installation.names() == []
    if reason is None:
        assert report.problems == ()
    else:
        [(found, text)] = problems(report).items()
        assert found == shown
        assert reason in text


def test_two_accounts_of_one_login_are_allowed(installation, codex):
    installation.file("alice", "acct-1")
    installation.file("bob", "acct-1")

    assert {r.status for r in installation.refresh().values()} == {Status.OK}


# The folder itself


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_a_folder_that_cannot_be_read_changes_nothing(installation, codex, what):
    installation.file("alice")
    installation.refresh()
    installation.accounts.rename(installation.folder / "away")
    if what == "a file":
        installation.accounts.write_text("in the way")
    before = installation.rows("SELECT * FROM account"), version(installation)
    report = installation.follow()

    reason = "No such file or directory" if what == "missing" else "Not a directory"
    assert str(report.folder_fault) == f"account folder {installation.accounts}: {reason}"
    assert (installation.rows("SELECT * FROM account"), version(installation)) == before


def test_a_folder_whose_name_no_database_takes_is_said(installation, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()

    assert (
        str(installation.follow(folder).folder_fault)
        == rf"account folder {tmp_path}/\udcff: its name is not UTF-8"
    )


def test_without_a_named_folder_all_folders_of_before_are_followed(installation, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "bob.auth.json").write_text(json.dumps(auth_document("acct-2")))
    installation.file("alice")
    installation.follow()
    installation.follow(other)

    assert folder_sync.folders(installation.accounts, is_named=True) == [installation.accounts]
    assert folder_sync.folders(installation.accounts, is_named=False) == [
        installation.accounts,
        other,
    ]
    (other / "bob.auth.json").unlink()
    other.rmdir()
    assert folder_sync.folders(installation.accounts, is_named=False) == [installation.accounts]


def test_one_folder_leaves_the_accounts_of_another_alone(installation, tmp_path):
    installation.file("alice")
    installation.follow()
    empty = tmp_path / "empty"
    empty.mkdir()
    installation.follow(empty)

    assert installation.account("alice").status is Status.PENDING


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_file_that_another_process_followed_a_moment_before_is_left_to_it(
    installation, monkeypatch, is_seen
):
    path = installation.file("alice", "acct-1")
    installation.follow()
    path.write_text(path.read_text() + "\n")
    look_up, looks = store.accounts.get_by_name, []

    def as_of_a_moment_before(tx, name):
        looks.append(name)
        if len(looks) == 1 and not is_seen:
            raise AccountNotFound(name)
        return look_up(tx, name)

    before = installation.rows("SELECT version, source_hash FROM account")
    monkeypatch.setattr(store.accounts, "by_paths", lambda *_: {})
    monkeypatch.setattr(store.accounts, "get_by_name", as_of_a_moment_before)

    assert problems(installation.follow()) == {}
    assert installation.names() == ["alice"]
    assert installation.rows("SELECT version, source_hash FROM account") == before
