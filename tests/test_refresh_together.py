"""The refresh act among others: how much runs at once, who else asks, what a stop leaves, and what the schedule does of it."""

import sqlite3
import threading
import time
from typing import Any

import pytest
from sqlalchemy import event

from quota_web import accounts, asking, refresh
from quota_web.asking import CLAIM_LASTS
from quota_web.codex import auth_file
from quota_web.due import Pace
from quota_web.quota import NETWORK, Status
from quota_web.store import accounts as store
from quota_web.store import engine
from quota_web.store.extension import db
from tests.fakes import NOW, Scene, auth_document, make_jwt, usage_body
from tests.house import Beside, wait_until

pytestmark = pytest.mark.usefixtures("database")


def refused(status: int, **headers: str) -> Scene:
    return Scene(status, body={"detail": "no"}, headers=headers)


def claim_for_somebody_else(house, name: str, at: int = NOW) -> None:
    house.execute("UPDATE account SET claim_id = 5, claimed_at = :at WHERE name = :name", at=at, name=name)


# How much at once


def test_results_come_as_they_are_there(house, codex):
    house.file("slow")
    house.file("quick")
    codex.answers("acct-slow", Scene(body=usage_body(), delay=1.5))
    house.follow()

    seen = [(r.name, house.account("slow").status) for r in refresh.refresh(house.crew(), refresh.select(house.scope)[0])]

    assert seen == [("quick", Status.PENDING), ("slow", Status.OK)]


def test_no_more_requests_run_at_once_than_there_are_slots(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.02)
    for number in range(30):
        house.file(f"account {number}", f"acct-{number}")

    found = house.refresh(slots=4)

    assert len(found) == len(codex.seen) == 30
    assert codex.max_in_flight == 4
    assert codex.connections <= 4


def test_never_more_is_claimed_than_there_are_slots(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.02)
    for number in range(12):
        house.file(f"account {number}", f"acct-{number}")
    house.follow()
    counts = []
    for _ in refresh.refresh(house.crew(slots=3), refresh.select(house.scope)[0]):
        counts += house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL")[0]

    assert max(counts) <= 3
    assert len(counts) == 12


def test_answers_that_are_there_together_are_stored_together(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.3)
    for number in range(48):
        house.file(f"account {number}", f"acct-{number}")
    house.follow()
    commits: list[Any] = []
    event.listen(db.engine, "commit", commits.append)

    found = house.ask(slots=48)

    assert len(found) == 48
    assert len([conn for conn in commits if conn.get_execution_options().get("quota_write")]) < 30


# Who else is there


def test_two_runs_at_once_ask_each_account_once(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.02)
    names = [f"account {number:02}" for number in range(40)]
    for name in names:
        house.file(name, f"acct-{name[-2:]}")
    house.follow()

    with Beside(house, lambda: house.ask(slots=8)) as other:
        mine = house.ask(slots=8)

    assert sorted(mine) == sorted(other.result) == names
    assert {r.status for r in [*mine.values(), *other.result.values()]} == {Status.OK}
    assert len(codex.seen) == 40


def test_a_run_goes_on_behind_accounts_that_somebody_else_holds(house, codex, monkeypatch):
    monkeypatch.setattr(refresh, "AWAIT_FOR", 0.3)
    for number in range(20):
        house.file(f"account {number:02}", f"acct-{number:02}")
    house.follow()
    for number in range(10):
        claim_for_somebody_else(house, f"account {number:02}")

    found = house.ask(slots=4)

    assert {seen.account_id for seen in codex.seen} == {f"acct-{number}" for number in range(10, 20)}
    assert {r.source for name, r in found.items() if name < "account 10"} == {None}
    assert {r.status for name, r in found.items() if name >= "account 10"} == {Status.OK}


def test_an_account_that_somebody_else_asks_is_awaited_not_asked_twice(house, codex):
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(33, 44), delay=0.4))

    with Beside(house, lambda: house.ask()):
        wait_until(lambda: bool(codex.seen))
        mine = house.ask()["alice"]

    assert (mine.status, mine.source) == (Status.OK, NETWORK)
    assert house.used("alice") == {"five_hour": 33, "weekly": 44}
    assert len(codex.seen) == 1


@pytest.mark.parametrize(("given_at", "asked"), [(NOW - 1, 1), (NOW, 2)])
def test_what_somebody_else_asked_after_the_command_was_given_answers_it(house, codex, given_at, asked):
    house.file("alice")
    house.refresh()
    house.now += 8
    mine = house.ask(since=given_at)["alice"]

    assert (mine.status, mine.source) == (Status.OK, NETWORK)
    assert len(codex.seen) == asked


@pytest.mark.parametrize("reason", ["to see the answer itself", "a new token", "a clock that is ahead"])
def test_who_has_a_reason_asks_in_spite_of_an_answer_since(house, codex, reason):
    house.file("alice")
    house.refresh()
    house.now += -8 if reason == "a clock that is ahead" else 8
    if reason == "a new token":
        house.file("alice", exp=NOW + 864_000)
    house.refresh(since=NOW - 60, keep_raw=reason == "to see the answer itself")

    assert len(codex.seen) == 2


def test_an_account_that_somebody_else_gave_up_is_asked_after_all(house, codex):
    house.file("alice")
    house.follow()
    claim_for_somebody_else(house, "alice")

    with Beside(house, lambda: house.ask()) as waiting:
        time.sleep(0.3)
        assert codex.seen == []
        house.execute("UPDATE account SET claim_id = NULL, claimed_at = NULL")

    assert waiting.result["alice"].status is Status.OK
    assert len(codex.seen) == 1


@pytest.mark.parametrize("change", ["paused", "its file gone"])
def test_an_account_that_changes_while_it_is_awaited_is_not_asked_as_it_was(house, codex, change):
    path = house.file("alice")
    house.follow()
    claim_for_somebody_else(house, "alice")

    with Beside(house, lambda: house.ask()) as waiting:
        time.sleep(0.2)
        if change == "paused":
            accounts.pause("alice", NOW, "test")
        else:
            path.unlink()
            house.follow()
        house.execute("UPDATE account SET claim_id = NULL, claimed_at = NULL")

    assert waiting.result["alice"].status is (Status.PAUSED if change == "paused" else Status.INVALID_CREDENTIALS)
    assert codex.seen == []


def test_who_wants_to_see_the_answer_itself_asks_again(house, codex):
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(33, 44), delay=0.4), Scene(body=usage_body(34, 44)))

    with Beside(house, lambda: house.ask()):
        wait_until(lambda: bool(codex.seen))
        mine = house.ask(keep_raw=True)["alice"]

    assert mine.answer is not None
    assert b"34" in (mine.answer.body_bytes or b"")
    assert len(codex.seen) == 2


@pytest.mark.parametrize("claimed_at", [NOW - CLAIM_LASTS, NOW - 10_000, NOW + 31, NOW + 10**9])
def test_the_claim_of_a_process_that_died_runs_out(house, codex, claimed_at):
    house.file("alice")
    house.follow()
    claim_for_somebody_else(house, "alice", claimed_at)

    assert house.ask()["alice"].status is Status.OK
    assert len(codex.seen) == 1


def test_a_claim_holds_until_its_last_second(house, codex, monkeypatch):
    monkeypatch.setattr(refresh, "AWAIT_FOR", 0.2)
    house.file("alice")
    house.follow()
    claim_for_somebody_else(house, "alice", NOW - CLAIM_LASTS + 1)

    assert house.ask()["alice"].source is None
    assert codex.seen == []


def test_a_run_that_waits_long_keeps_its_claim(house, codex, monkeypatch):
    monkeypatch.setattr(asking, "RENEW_S", 0.1)
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(), delay=2))

    with Beside(house, lambda: house.ask()) as running:
        wait_until(lambda: bool(codex.seen))
        house.now += CLAIM_LASTS - 1
        wait_until(lambda: house.account("alice").claimed_at == house.now)
        house.now += CLAIM_LASTS - 1
        assert list(refresh.refresh_due(house.crew(), house.scope)) == []

    assert running.result["alice"].status is Status.OK
    assert len(codex.seen) == 1


def test_the_late_answer_of_a_lost_claim_changes_nothing_and_the_account_is_asked_anew(house, codex):
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(99, 99), delay=0.4), Scene(body=usage_body(12, 40)))
    new_token = make_jwt("acct-alice", user_id="user-acct-alice", exp=NOW + 99_999)

    with Beside(house, lambda: house.ask()) as running:
        wait_until(lambda: bool(codex.seen))
        document = auth_document("acct-alice", access_token=new_token)
        with engine.transaction() as tx:
            found = store.by_name(tx, "alice")
            accounts.put(tx, house.world.sealer, found.id, auth_file.parse(document), NOW)

    assert running.result["alice"].status is Status.OK
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.rows("SELECT count(*) FROM reading") == [(2,)]
    assert [seen.headers["authorization"].endswith(new_token) for seen in codex.seen] == [False, True]


def test_an_account_deleted_meanwhile_is_no_trouble(house, codex):
    house.file("alice")
    house.file("bob")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(), delay=0.3))

    with Beside(house, lambda: house.ask()) as running:
        wait_until(lambda: len(codex.seen) == 2)
        accounts.remove("alice", NOW, "test")

    assert set(running.result) == {"bob"}
    assert house.rows("SELECT count(*) FROM reading") == [(2,)]


def test_claims_are_given_back_when_nobody_listens_any_more(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.2)
    for number in range(6):
        house.file(f"account {number}", f"acct-{number}")
    house.file("quick")
    codex.answers("acct-quick", Scene(body=usage_body()))
    house.follow()

    running: Any = refresh.refresh(house.crew(), refresh.select(house.scope)[0])
    next(running)
    running.close()

    assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_a_stop_cuts_requests_and_stores_nothing_of_them(house, codex):
    house.file("alice")
    house.file("bob")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(), delay=20))

    started = time.monotonic()
    found = []
    for result in refresh.refresh(house.crew(), refresh.select(house.scope)[0]):
        found.append(result.name)
        house.world.client.cut()
        house.world.stop.set()

    assert time.monotonic() - started < 10
    assert found == ["bob"]
    assert house.account("alice").status is Status.PENDING
    assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_a_database_that_is_busy_for_a_while_loses_no_answer(house, codex, monkeypatch):
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(), delay=0.2))
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 300)

    def hold() -> None:
        conn = sqlite3.connect(house.database, isolation_level=None)
        conn.execute("BEGIN IMMEDIATE")
        time.sleep(0.8)
        conn.execute("ROLLBACK")
        conn.close()

    db.engine.dispose()
    holder = threading.Thread(target=hold)
    results = refresh.refresh(house.crew(), refresh.select(house.scope)[0])
    starter = threading.Timer(0.1, holder.start)
    starter.start()
    found = list(results)
    starter.join()
    holder.join()

    assert [r.status for r in found] == [Status.OK]
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}


# The schedule


def due_results(house, **crew: Any) -> list[str]:
    return sorted(r.name for r in refresh.refresh_due(house.crew(**crew), house.scope))


def test_the_schedule_asks_those_whose_time_has_come(house, codex):
    house.file("alice")
    house.file("bob")
    house.follow()
    assert due_results(house, limit=4) == ["alice", "bob"]
    assert due_results(house, limit=4) == []

    house.execute("UPDATE account SET next_due_at = :at WHERE name = 'bob'", at=NOW)
    assert due_results(house, limit=4) == ["bob"]


def test_the_schedules_limit_counts_the_claims_of_all_processes(house, codex):
    codex.default = Scene(body=usage_body(), delay=0.05)
    for number in range(10):
        house.file(f"account {number}", f"acct-{number}")
    house.follow()
    for number in range(3):
        claim_for_somebody_else(house, f"account {number}")

    assert len(due_results(house, limit=4, slots=4)) == 7
    assert codex.max_in_flight == 1


def test_the_schedule_is_stopped_by_a_blocked_address_and_a_person_is_not(house, codex):
    codex.default = refused(403, **{"cf-mitigated": "challenge"})
    for number in range(10):
        house.file(f"account {number}", f"acct-{number}")
    house.follow()

    asked = due_results(house, limit=4, slots=2)
    assert len(asked) == len(codex.seen) <= 4
    assert house.rows("SELECT address_blocked_until FROM site_state")[0][0] == NOW + 900
    assert due_results(house, limit=4) == []

    codex.default = Scene(body=usage_body())
    assert house.ask("account 9")["account 9"].status is Status.OK
    assert house.rows("SELECT address_blocked_until FROM site_state") == [(None,)]
    assert len(due_results(house, limit=4)) == 9 - len(asked)


def test_a_request_of_a_person_is_served_by_the_schedule_in_spite_of_back_off(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(500), Scene(body=usage_body()))
    house.refresh()
    refresh.request([house.account("alice")], NOW)

    assert due_results(house, limit=4) == ["alice"]
    assert house.account("alice").requested_at is None
    assert house.account("alice").status is Status.OK


def test_an_account_that_rises_is_asked_more_often(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body(12, 40)), Scene(body=usage_body(13, 40)), Scene(body=usage_body(13, 40)))
    intervals = []
    for _ in range(3):
        house.refresh(pace=Pace(3_600, 300))
        intervals.append(house.account("alice").interval_s)
        house.now += 1_801

    assert intervals == [3_600, 300, 3_600]


def test_a_bug_ends_the_refresh_and_gives_its_claims_back(house, codex):
    house.file("alice")
    house.follow()

    class Broken:
        def fetch(self, *_: object, **__: object) -> None:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        house.ask(client=Broken())

    assert house.rows("SELECT claim_id, status FROM account") == [(None, "pending")]
