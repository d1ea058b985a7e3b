"""What a killed process was asking for is free at once: its lock on a file in the instance folder
goes with it.
"""

import fcntl
import os
import time

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import DatabaseFull
from quota_web.core.quota import Status
from quota_web.refresh.tick import Tick
from tests.fakes import FakeResponse, usage_body
from tests.installation import OtherProcess, wait_until
from tests.open_files import open_files

pytestmark = pytest.mark.usefixtures("database")


def claim_for_somebody_else(installation, name: str) -> None:
    installation.execute(
        "UPDATE account SET claim_id = 5, claimed_at = :at WHERE name = :name",
        at=installation.now,
        name=name,
    )


def test_the_claim_of_a_process_that_was_killed_is_free_at_once(installation, codex):
    installation.file("alice")
    installation.file("bob")
    installation.follow()
    claim_for_somebody_else(installation, "alice")
    (installation.instance / ".asking.5").touch()

    assert {r.status for r in installation.ask().values()} == {Status.OK}
    assert [path.name for path in installation.instance.glob(".asking.*")] == []


def test_a_process_that_is_killed_while_it_is_awaited_is_not_awaited_any_longer(
    installation, codex
):
    installation.file("alice")
    installation.follow()
    claim_for_somebody_else(installation, "alice")
    living = os.open(installation.instance / ".asking.5", os.O_RDWR | os.O_CREAT)
    fcntl.flock(living, fcntl.LOCK_EX)

    with OtherProcess(installation, lambda: installation.ask()) as waiting:
        time.sleep(0.3)
        assert codex.seen == []
        # What the system does for a process that dies: the lock goes, the file stays.
        os.close(living)

    assert waiting.result["alice"].status is Status.OK


def test_a_living_run_is_not_taken_for_a_dead_one(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.3)
    installation.file("alice")
    installation.follow()

    with OtherProcess(installation, lambda: installation.ask()):
        wait_until(lambda: bool(codex.seen))
        with store.locks.dead_runs() as claims:
            assert claims == []
        assert installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [
            (1,)
        ]
    assert list(installation.instance.glob(".asking.*")) == []


def test_what_could_not_be_freed_is_found_again(installation):
    (installation.instance / ".asking.5").touch()
    (installation.instance / ".asking.not-a-number").touch()
    with pytest.raises(KeyError), store.locks.dead_runs() as claims:
        raise KeyError(*claims)

    with store.locks.dead_runs() as claims:
        assert claims == [5]
    with store.locks.dead_runs() as claims:
        assert claims == []


def test_claims_that_a_full_disk_kept_from_being_released_are_free_at_the_next_look(
    installation, monkeypatch
):
    def refuse(*_):
        raise DatabaseFull("no room")

    installation.file("alice")
    installation.follow()
    with monkeypatch.context() as patch:
        patch.setattr(store.recording, "record", refuse)
        patch.setattr(store.claims, "release", refuse)
        with pytest.raises(DatabaseFull):
            installation.ask()

    assert [name for name in open_files() if "/.asking." in name] == []
    assert installation.ask()["alice"].status is Status.OK
    assert list(installation.instance.glob(".asking.*")) == []


def test_the_schedule_refreshes_the_accounts_that_a_killed_process_held(installation, codex):
    installation.file("alice")
    installation.follow()
    rounds = Tick(installation.services, lambda: None)
    with clock.frozen(installation.now):
        claim_for_somebody_else(installation, "alice")
        assert rounds.due_accounts().due == ()
        (installation.instance / ".asking.5").touch()

        assert [found.name for found in rounds.due_accounts().due] == ["alice"]
