"""What a killed process was asking for is free at once: its lock on a file in the instance folder goes with it."""

import os
import time

import pytest

from quota_web import clock
from quota_web.quota import Status
from quota_web.rounds import Rounds
from quota_web.store import holders
from tests.fakes import Scene, usage_body
from tests.house import Beside, wait_until

pytestmark = pytest.mark.usefixtures("database")


def claim_for_somebody_else(house, name: str) -> None:
    house.execute("UPDATE account SET claim_id = 5, claimed_at = :at WHERE name = :name", at=house.now, name=name)


def test_the_claim_of_a_process_that_was_killed_is_free_at_once(house, codex):
    house.file("alice")
    house.file("bob")
    house.follow()
    claim_for_somebody_else(house, "alice")
    (house.instance / ".asking.5").touch()

    assert {r.status for r in house.ask().values()} == {Status.OK}
    assert [path.name for path in house.instance.glob(".asking.*")] == []


def test_a_process_that_is_killed_while_it_is_awaited_is_not_awaited_any_longer(house, codex):
    house.file("alice")
    house.follow()
    claim_for_somebody_else(house, "alice")
    living = holders.Holder(5)

    with Beside(house, lambda: house.ask()) as waiting:
        time.sleep(0.3)
        assert codex.seen == []
        # What the system does for a process that dies: the lock goes, the file stays.
        os.close(living._descriptor)

    assert waiting.result["alice"].status is Status.OK


def test_a_living_run_is_not_taken_for_a_dead_one(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.3)
    house.file("alice")
    house.follow()

    with Beside(house, lambda: house.ask()):
        wait_until(lambda: bool(codex.seen))
        with holders.abandoned() as claims:
            assert claims == []
        assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(1,)]
    assert list(house.instance.glob(".asking.*")) == []


def test_what_could_not_be_freed_is_found_again(house):
    (house.instance / ".asking.5").touch()
    (house.instance / ".asking.not-a-number").touch()
    with pytest.raises(KeyError), holders.abandoned() as claims:
        raise KeyError(*claims)

    with holders.abandoned() as claims:
        assert claims == [5]
    with holders.abandoned() as claims:
        assert claims == []


def test_the_schedule_asks_for_whom_a_killed_process_was_asking(house, codex):
    house.file("alice")
    house.follow()
    rounds = Rounds(house.world)
    with clock.frozen(house.now):
        claim_for_somebody_else(house, "alice")
        assert rounds.agenda().due == ()
        (house.instance / ".asking.5").touch()

        assert [found.name for found in rounds.agenda().due] == ["alice"]
