"""Following a folder: accounts come, change and go with their files; files are only ever read."""

import json
import os
import time
from pathlib import Path

import pytest

from quota_web import accounts, follow
from quota_web.codex import auth_file
from quota_web.follow import Report
from quota_web.quota import Status
from tests.fakes import NOW, Scene, auth_document, make_jwt, usage_body

pytestmark = pytest.mark.usefixtures("database")

DAY = "(until 2026-11-21)"


def words(house, name):
    fault = house.account(name).fault
    return None if fault is None else fault.text(str)


def problems(report):
    return {p.name: p.fault.text(str) for p in report.problems}


def version(house):
    return house.rows("SELECT data_version FROM site_state")[0][0]


def test_each_file_is_an_account(house):
    for name in ("alice", "Bob Müller", "团队"):
        house.file(name, f"acct-{len(name)}")
    report = house.follow()

    assert (report.problems, report.folder_fault) == ((), None)
    assert set(house.names()) == {"alice", "Bob Müller", "团队"}
    found = house.account("alice")
    assert (found.origin, found.source_path, found.status) == ("followed", str(house.accounts / "alice.auth.json"), Status.PENDING)
    assert found.email == "alice@example.com"


def test_other_files_are_none_of_its_business(house):
    for name in ("notes.txt", "alice.json", "auth.json", ".hidden.auth.json", ".auth.json", "alice.auth.json.bak"):
        (house.accounts / name).write_text("{}")

    assert house.follow() == Report()
    assert house.names() == []


def test_only_the_access_token_is_stored(house):
    house.file("alice")
    house.follow()

    assert house.rows("SELECT refresh_sealed, id_sealed, refresh_fp FROM credential") == [(None, None, None)]


def test_a_second_look_changes_nothing(house):
    house.file("alice")
    house.raw_file("broken", b"{")
    house.file("taken")
    house.follow()
    before = house.rows("SELECT * FROM account"), version(house)

    house.now += 60
    house.follow()

    assert (house.rows("SELECT * FROM account"), version(house)) == before


def test_files_are_never_written(house):
    path = house.file("alice")
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode
    house.refresh()

    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) == before
    assert list(house.accounts.iterdir()) == [path]


# Changes


def test_a_new_token_is_taken_over_and_asked_with_at_once(house, codex):
    house.file("alice")
    house.refresh()
    house.now += 60
    house.file("alice", exp=NOW + 99_999)
    house.follow()

    found = house.account("alice")
    assert (found.status, found.next_due_at) == (Status.PENDING, NOW + 60)
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.rows("SELECT version, access_expires_at FROM credential") == [(2, NOW + 99_999)]


@pytest.mark.parametrize("scene", [Scene(body=usage_body()), Scene(429), Scene(401), Scene(403)])
def test_a_file_written_anew_with_the_same_token_says_nothing_new(house, codex, scene):
    codex.answers("acct-alice", scene)
    path = house.file("alice")
    house.refresh()
    before = house.account("alice")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"last_refresh": "2026-11-21T12:00:00Z"}))
    house.follow()

    after = house.account("alice")
    assert (after.status, after.fault, after.next_due_at) == (before.status, before.fault, before.next_due_at)
    assert after.source_hash != before.source_hash


def test_a_file_that_is_gone_keeps_its_account_and_comes_back(house, codex):
    path = house.file("alice")
    house.refresh()
    content = path.read_bytes()
    path.unlink()
    house.follow()

    assert house.account("alice").status is Status.INVALID_CREDENTIALS
    assert words(house, "alice") == "file is gone; put it back or delete the account"
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.ask()["alice"].status is Status.INVALID_CREDENTIALS
    assert len(codex.seen) == 1

    path.write_bytes(content)
    assert house.refresh()["alice"].status is Status.OK
    assert house.account("alice").source_gone_at is None
    assert len(house.names()) == 1


def test_a_file_that_breaks_keeps_its_history_and_mends(house, codex):
    path = house.file("alice")
    house.refresh()
    content = path.read_bytes()
    path.write_bytes(b"not json at all")
    house.follow()

    assert house.account("alice").status is Status.INVALID_CREDENTIALS
    assert words(house, "alice").startswith("auth file not found or invalid: not valid JSON")
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}

    path.write_bytes(content)
    assert house.refresh()["alice"].status is Status.OK


def test_another_login_in_the_same_file_starts_a_new_history(house, codex):
    house.file("alice", "acct-1")
    house.refresh()
    house.file("alice", "acct-2")
    codex.answers("acct-2", Scene(body=usage_body(77, 78)))
    house.refresh()

    assert house.names() == ["alice", f"alice {DAY}"]
    old = house.account(f"alice {DAY}")
    assert (old.status, old.chatgpt_account_id, old.origin, old.source_path) == (Status.PAUSED, "acct-1", "managed", None)
    assert house.used("alice") == {"five_hour": 77, "weekly": 78}
    assert house.rows("SELECT used_percent FROM snapshot WHERE account = :name ORDER BY 1", name=old.name) == [(12,), (40,)]


def test_a_login_that_returns_to_its_file_starts_anew_again(house, codex):
    for account_id in ("acct-1", "acct-2", "acct-1"):
        house.file("alice", account_id)
        house.refresh()

    assert house.names() == ["alice", f"alice {DAY}", "alice (until 2026-11-21, 2)"]
    assert house.account("alice").chatgpt_account_id == "acct-1"


def test_a_file_that_never_worked_takes_whoever_comes_first(house):
    house.raw_file("alice", b"{}")
    house.follow()
    house.file("alice", "acct-1")
    house.follow()

    assert house.names() == ["alice"]
    assert house.account("alice").chatgpt_account_id == "acct-1"


def test_a_paused_account_stays_paused_whatever_its_file_does(house):
    path = house.file("alice")
    house.follow()
    accounts.pause("alice", NOW, "test")
    house.file("alice", exp=NOW + 5)
    house.follow()
    assert house.account("alice").status is Status.PAUSED

    path.unlink()
    house.follow()
    assert house.account("alice").status is Status.PAUSED


def test_many_half_written_files_are_waited_for_together(house):
    for number in range(12):
        house.raw_file(f"account {number}", b'{"tokens": {')
    started = time.monotonic()
    house.follow()

    assert time.monotonic() - started < 8
    assert {house.account(name).status for name in house.names()} == {Status.INVALID_CREDENTIALS}


# Names


def test_of_names_that_differ_in_case_alone_the_first_in_byte_order_wins(house):
    house.file("alice", "acct-lower")
    house.file("Alice", "acct-upper")
    house.file("ALICE", "acct-shouting")
    report = house.follow()

    assert house.names() == ["ALICE"]
    taken = "the name is already taken by the file ALICE.auth.json; rename the file"
    assert [(p.name, p.fault.text(str)) for p in report.problems] == [("Alice", taken), ("alice", taken)]


def test_a_name_that_a_managed_account_has_is_refused_with_one_line(house):
    credentials = auth_file.parse(auth_document("acct-9", access_token=make_jwt("acct-9")))
    accounts.add(house.world.sealer, "alice", credentials, NOW, "test")
    house.file("Alice")

    assert problems(house.follow()) == {"Alice": "the name is already taken by a managed account; rename the file"}
    before = version(house)
    assert problems(house.follow()) == {"Alice": "the name is already taken by a managed account; rename the file"}
    assert version(house) == before
    assert house.account("alice").chatgpt_account_id == "acct-9"


def test_a_name_that_another_login_has_in_another_folder_is_refused(house, tmp_path):
    house.file("alice", "acct-1")
    house.follow()
    other = tmp_path / "other"
    other.mkdir()
    (other / "alice.auth.json").write_text(json.dumps(auth_document("acct-2")))

    found = problems(house.follow(other))
    assert found == {"alice": f"the name is already taken by the file {house.accounts}/alice.auth.json; rename the file"}
    assert house.account("alice").chatgpt_account_id == "acct-1"


def test_a_folder_that_was_moved_or_copied_goes_on_with_its_histories(house, tmp_path, codex):
    house.file("alice")
    house.file("bob")
    house.refresh()
    house.accounts.rename(tmp_path / "moved")
    house.follow(tmp_path / "moved")

    assert house.names() == ["alice", "bob"]
    found = house.account("alice")
    assert (found.source_path, found.status) == (str(tmp_path / "moved" / "alice.auth.json"), Status.OK)
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}


def test_a_file_whose_name_changes_its_case_goes_on_with_its_history(house, codex):
    house.file("alice")
    house.refresh()
    (house.accounts / "alice.auth.json").rename(house.accounts / "Alice.auth.json")
    report = house.follow()

    assert report.problems == ()
    assert house.names() == ["Alice"]
    assert house.account("alice").status is Status.OK
    assert house.account("alice").source_gone_at is None


def test_a_renamed_file_is_another_account(house, codex):
    path = house.file("alice")
    house.refresh()
    path.rename(house.accounts / "bob.auth.json")
    house.follow()

    assert {name: house.account(name).status for name in house.names()} == {"alice": Status.INVALID_CREDENTIALS, "bob": Status.PENDING}


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
def test_a_file_name_that_is_no_name_is_said_in_one_harmless_line(house, name, shown, reason):
    (Path(os.fsdecode(os.fsencode(house.accounts) + b"/" + name + b".auth.json"))).write_text("{}")
    report = house.follow()

    assert house.names() == []
    if reason is None:
        assert report.problems == ()
    else:
        [(found, text)] = problems(report).items()
        assert found == shown
        assert reason in text


def test_two_accounts_of_one_login_are_allowed(house, codex):
    house.file("alice", "acct-1")
    house.file("bob", "acct-1")

    assert {r.status for r in house.refresh().values()} == {Status.OK}


# The folder itself


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_a_folder_that_cannot_be_read_changes_nothing(house, codex, what):
    house.file("alice")
    house.refresh()
    house.accounts.rename(house.folder / "away")
    if what == "a file":
        house.accounts.write_text("in the way")
    before = house.rows("SELECT * FROM account"), version(house)
    report = house.follow()

    reason = "No such file or directory" if what == "missing" else "Not a directory"
    assert report.folder_fault == f"account folder {house.accounts}: {reason}"
    assert (house.rows("SELECT * FROM account"), version(house)) == before


def test_a_folder_whose_name_no_database_takes_is_said(house, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()

    assert house.follow(folder).folder_fault == rf"account folder {tmp_path}/\udcff: its name is not UTF-8"


def test_without_a_named_folder_all_folders_of_before_are_followed(house, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "bob.auth.json").write_text(json.dumps(auth_document("acct-2")))
    house.file("alice")
    house.follow()
    house.follow(other)

    assert follow.folders(house.accounts, is_named=True) == [house.accounts]
    assert follow.folders(house.accounts, is_named=False) == [house.accounts, other]
    (other / "bob.auth.json").unlink()
    other.rmdir()
    assert follow.folders(house.accounts, is_named=False) == [house.accounts]


def test_one_folder_leaves_the_accounts_of_another_alone(house, tmp_path):
    house.file("alice")
    house.follow()
    empty = tmp_path / "empty"
    empty.mkdir()
    house.follow(empty)

    assert house.account("alice").status is Status.PENDING
