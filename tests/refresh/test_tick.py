"""What the schedule does in a round: looks at folders without reading them, asks, logs a line an
account, and leaves the state file.
"""

import json
import logging
import os
import shutil
from functools import partial

import pytest

from quota_web.codex import auth_file
from quota_web.core import clock
from quota_web.refresh import context, hooks, refresh_service, tick
from quota_web.refresh.tick import Tick
from quota_web.reports import state_file
from quota_web.services import services
from quota_web.sign_ins import signing_in
from tests.fakes import NOW, FakeResponse, usage_body

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def reads(monkeypatch):
    """The files that are opened."""
    opened: list[str] = []
    read = auth_file.read_file

    def noted(path):
        opened.append(path.name)
        return read(path)

    monkeypatch.setattr(auth_file, "read_file", noted)
    return opened


@pytest.fixture
def looking(installation):
    with clock.frozen(NOW):
        yield Tick(services(), partial(state_file.write_or_log, services()))


def test_files_are_read_when_they_change_and_not_otherwise(installation, looking, reads):
    file = installation.file("alice")
    looking.follow()
    assert reads
    reads.clear()
    looking.follow()
    assert reads == []
    os.utime(file, ns=(1, 1))
    looking.follow()
    assert "alice.auth.json" in reads


@pytest.mark.parametrize("change", ["new", "gone", "replaced"])
def test_every_kind_of_change_is_seen(installation, looking, change):
    file = installation.file("alice")
    looking.follow()
    if change == "new":
        installation.file("bob")
    elif change == "gone":
        file.unlink()
    else:
        other = installation.file("bob", "acct-other")
        os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
        other.replace(file)
    before = installation.rows("SELECT name, status, chatgpt_account_id FROM account ORDER BY id")
    looking.follow()

    assert (
        installation.rows("SELECT name, status, chatgpt_account_id FROM account ORDER BY id")
        != before
    )


def test_all_files_are_read_after_a_while_even_if_nothing_seems_to_have_changed(
    installation, looking, reads, monkeypatch
):
    installation.file("alice")
    looking.follow()
    reads.clear()
    later = clock.monotonic() + tick.FOLLOW_FULLY_S
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    looking.follow()

    assert "alice.auth.json" in reads


def test_a_folder_that_is_gone_is_said_once_and_changes_nothing(installation, looking, caplog):
    installation.file("alice")
    looking.follow()
    shutil.move(installation.accounts, installation.folder / "away")
    for _ in range(3):
        looking.follow()
    shutil.move(installation.folder / "away", installation.accounts)
    looking.follow()

    assert [r.message for r in caplog.records] == [
        f"account folder {installation.accounts}: No such file or directory"
    ]
    assert installation.account("alice").source_gone_at is None


def test_a_name_that_is_taken_is_said_once(installation, looking, caplog):
    installation.file("alice")
    installation.file("ALICE", "acct-other")
    for _ in range(3):
        looking.follow()

    assert len(caplog.records) == 1
    assert "name" in caplog.text


def test_each_refresh_is_one_line_with_its_fields(installation, looking, codex, caplog):
    codex.answers("acct-bob", FakeResponse(status=500))
    installation.file("alice")
    installation.file("bob")
    looking.follow()
    caplog.set_level(logging.INFO, "quota_web")
    looking.refresh(looking.due_accounts().due, by_person=False)

    lines = {r.account: r for r in caplog.records}
    assert lines["alice"].message.startswith("alice: ok, five-hour 88 %, weekly 60 %, ")
    assert (lines["alice"].levelname, lines["alice"].status, lines["alice"].source) == (
        "INFO",
        "ok",
        "network",
    )
    assert lines["bob"].message.startswith("bob: upstream_error, HTTP 500")
    assert lines["bob"].levelname == "WARNING"
    assert len(caplog.records) == 2


def test_the_state_file_is_written_after_a_refresh(installation, looking, tmp_path):
    present = services()
    state_file = tmp_path / "state.json"
    present.settings = present.settings.with_options(state_file=state_file)
    installation.file("alice")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)

    document = json.loads(state_file.read_text())
    assert [r["five_hour_percent"] for r in document["results"]] == [88]


def test_the_state_file_is_written_before_what_follows_a_refresh(installation, looking, tmp_path):
    present = services()
    state_file = tmp_path / "state.json"
    present.settings = present.settings.with_options(state_file=state_file)
    written = []
    hooks.hooks().on_finished.append(lambda: written.append(state_file.exists()))
    installation.file("alice")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)

    assert written == [True]


def test_the_schedule_asks_four_at_once_and_a_person_as_many_as_the_settings_say(
    installation, looking, codex
):
    codex.default = FakeResponse(body=usage_body(), delay=0.2)
    for number in range(10):
        installation.file(f"a{number}")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)
    assert codex.max_in_flight == 4
    with clock.frozen(NOW + 60):
        chosen = refresh_service.select(services().scope)[0]
        refresh_service.request(chosen, NOW + 60)
        found = looking.due_accounts().requested
        looking.refresh(found, by_person=True)

    assert len(found) == 10
    assert codex.max_in_flight == min(10, context.make_context(services()).slots)


@pytest.mark.parametrize(("age", "asked"), [(59, 1), (60, 2)])
def test_a_pressed_button_asks_for_an_exhausted_account_again_after_a_minute(
    installation, looking, codex, age, asked
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(100, 40)))
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)
    with clock.frozen(NOW + age):
        refresh_service.request(refresh_service.select(services().scope)[0], NOW + age)
        looking.refresh(looking.due_accounts().requested, by_person=True)

    assert len(codex.seen) == asked
    assert installation.account("alice").requested_at is None


def test_an_idle_look_is_one_small_query(installation, looking):
    installation.file("alice")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)
    assert looking.due_accounts().accounts == 1
    assert looking.due_accounts().accounts == 0
    with clock.frozen(NOW - 1):
        assert looking.due_accounts().accounts == 1


def test_an_account_that_becomes_due_is_seen_without_any_change(installation, looking):
    installation.file("alice")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)
    looking.due_accounts()
    due_at = installation.account("alice").next_due_at
    with clock.frozen(due_at):
        assert [a.name for a in looking.due_accounts().due] == ["alice"]


def test_a_request_is_seen_at_once(installation, looking):
    installation.file("alice")
    looking.follow()
    looking.refresh(looking.due_accounts().due, by_person=False)
    looking.due_accounts()
    refresh_service.request(refresh_service.select(services().scope)[0], NOW)

    assert [a.name for a in looking.due_accounts().requested] == ["alice"]


def test_a_look_says_whether_a_sign_in_is_under_way_whatever_else_is_due(installation, looking):
    looking.due_accounts()
    assert not looking.has_sign_ins

    wanted = signing_in.Wanted("alice", None, signing_in.LINK, None)
    signing_in.begin(services(), wanted, NOW)
    # Nothing of the accounts has changed.
    looking.due_accounts()
    assert looking.has_sign_ins
