"""The refresh act among others: how much runs at once, who else asks, what a stop leaves, and what
the schedule does of it.
"""

import sqlite3
import threading
import time
from typing import Any

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.accounts import account_service, stored_credentials
from quota_web.codex import auth_file
from quota_web.core.policy import Intervals
from quota_web.core.quota import NETWORK, Status
from quota_web.refresh import refresh_service, worker
from quota_web.refresh.worker import CLAIM_LASTS
from tests.fakes import NOW, FakeResponse, auth_document, make_jwt, usage_body
from tests.installation import OtherProcess, wait_until

pytestmark = pytest.mark.usefixtures("database")


def refused(status: int, **headers: str) -> FakeResponse:
    return FakeResponse(status, body={"detail": "no"}, headers=headers)


def claim_for_somebody_else(installation, name: str, at: int = NOW) -> None:
    installation.execute(
        "UPDATE account SET claim_id = 5, claimed_at = :at WHERE name = :name", at=at, name=name
    )


# How much at once


def test_results_come_as_they_are_there(installation, codex):
    installation.file("slow")
    installation.file("quick")
    codex.answers("acct-slow", FakeResponse(body=usage_body(), delay=1.5))
    installation.follow()

    seen = [
        (r.name, installation.account("slow").status)
        for r in refresh_service.refresh(
            installation.refresh_context(), refresh_service.select(installation.scope)[0]
        )
    ]

    assert seen == [("quick", Status.PENDING), ("slow", Status.OK)]


def test_no_more_requests_run_at_once_than_there_are_slots(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.02)
    for number in range(30):
        installation.file(f"account {number}", f"acct-{number}")

    found = installation.refresh(slots=4)

    assert len(found) == len(codex.seen) == 30
    assert codex.max_in_flight == 4
    assert codex.connections <= 4


def test_never_more_is_claimed_than_there_are_slots(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.02)
    for number in range(12):
        installation.file(f"account {number}", f"acct-{number}")
    installation.follow()
    counts = []
    for _ in refresh_service.refresh(
        installation.refresh_context(slots=3), refresh_service.select(installation.scope)[0]
    ):
        counts += installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL")[0]

    assert max(counts) <= 3
    assert len(counts) == 12


def test_answers_that_are_there_together_are_stored_together(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.3)
    for number in range(48):
        installation.file(f"account {number}", f"acct-{number}")
    installation.follow()
    commits: list[Any] = []
    event.listen(store.database.bound(), "commit", commits.append)

    found = installation.ask(slots=48)

    assert len(found) == 48
    assert len([conn for conn in commits if conn.get_execution_options().get("quota_write")]) < 30


# Who else is there


def test_two_runs_at_once_ask_each_account_once(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.02)
    names = [f"account {number:02}" for number in range(40)]
    for name in names:
        installation.file(name, f"acct-{name[-2:]}")
    installation.follow()

    with OtherProcess(installation, lambda: installation.ask(slots=8)) as other:
        mine = installation.ask(slots=8)

    assert sorted(mine) == sorted(other.result) == names
    assert {r.status for r in [*mine.values(), *other.result.values()]} == {Status.OK}
    assert len(codex.seen) == 40


def test_a_run_goes_on_behind_accounts_that_another_run_holds(installation, codex, monkeypatch):
    monkeypatch.setattr(refresh_service, "AWAIT_FOR", 0.3)
    for number in range(20):
        installation.file(f"account {number:02}", f"acct-{number:02}")
    installation.follow()
    for number in range(10):
        claim_for_somebody_else(installation, f"account {number:02}")

    found = installation.ask(slots=4)

    assert {seen.account_id for seen in codex.seen} == {
        f"acct-{number}" for number in range(10, 20)
    }
    assert {r.source for name, r in found.items() if name < "account 10"} == {None}
    assert {r.status for name, r in found.items() if name >= "account 10"} == {Status.OK}


def test_an_account_that_another_run_refreshes_is_awaited_not_refreshed_twice(installation, codex):
    installation.file("alice")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(33, 44), delay=0.4))

    with OtherProcess(installation, lambda: installation.ask()):
        wait_until(lambda: bool(codex.seen))
        mine = installation.ask()["alice"]

    assert (mine.status, mine.source) == (Status.OK, NETWORK)
    assert installation.used("alice") == {"five_hour": 33, "weekly": 44}
    assert len(codex.seen) == 1


@pytest.mark.parametrize(("given_at", "asked"), [(NOW - 1, 1), (NOW, 2)])
def test_a_refresh_elsewhere_after_the_command_was_given_answers_it(
    installation, codex, given_at, asked
):
    installation.file("alice")
    installation.refresh()
    installation.now += 8
    mine = installation.ask(since=given_at)["alice"]

    assert (mine.status, mine.source) == (Status.OK, NETWORK)
    assert len(codex.seen) == asked


@pytest.mark.parametrize(
    "reason", ["to see the answer itself", "a new token", "a clock that is ahead"]
)
def test_a_run_with_a_reason_sends_in_spite_of_an_answer_since(installation, codex, reason):
    installation.file("alice")
    installation.refresh()
    installation.now += -8 if reason == "a clock that is ahead" else 8
    if reason == "a new token":
        installation.file("alice", exp=NOW + 864_000)
    installation.refresh(since=NOW - 60, keep_raw=reason == "to see the answer itself")

    assert len(codex.seen) == 2


def test_an_account_that_another_run_gave_up_is_refreshed_after_all(installation, codex):
    installation.file("alice")
    installation.follow()
    claim_for_somebody_else(installation, "alice")

    with OtherProcess(installation, lambda: installation.ask()) as waiting:
        time.sleep(0.3)
        assert codex.seen == []
        installation.execute("UPDATE account SET claim_id = NULL, claimed_at = NULL")

    assert waiting.result["alice"].status is Status.OK
    assert len(codex.seen) == 1


@pytest.mark.parametrize("change", ["paused", "its file gone"])
def test_an_account_that_changes_while_it_is_awaited_is_not_asked_as_it_was(
    installation, codex, change
):
    path = installation.file("alice")
    installation.follow()
    claim_for_somebody_else(installation, "alice")

    with OtherProcess(installation, lambda: installation.ask()) as waiting:
        time.sleep(0.2)
        if change == "paused":
            account_service.pause("alice", NOW, "test")
        else:
            path.unlink()
            installation.follow()
        installation.execute("UPDATE account SET claim_id = NULL, claimed_at = NULL")

    assert waiting.result["alice"].status is (
        Status.PAUSED if change == "paused" else Status.INVALID_CREDENTIALS
    )
    assert codex.seen == []


def test_who_wants_to_see_the_answer_itself_asks_again(installation, codex):
    installation.file("alice")
    installation.follow()
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(33, 44), delay=0.4),
        FakeResponse(body=usage_body(34, 44)),
    )

    with OtherProcess(installation, lambda: installation.ask()):
        wait_until(lambda: bool(codex.seen))
        mine = installation.ask(keep_raw=True)["alice"]

    assert mine.answer is not None
    assert b"34" in (mine.answer.body_bytes or b"")
    assert len(codex.seen) == 2


@pytest.mark.parametrize("claimed_at", [NOW - CLAIM_LASTS, NOW - 10_000, NOW + 31, NOW + 10**9])
def test_the_claim_of_a_process_that_died_runs_out(installation, codex, claimed_at):
    installation.file("alice")
    installation.follow()
    claim_for_somebody_else(installation, "alice", claimed_at)

    assert installation.ask()["alice"].status is Status.OK
    assert len(codex.seen) == 1


def test_a_claim_holds_until_its_last_second(installation, codex, monkeypatch):
    monkeypatch.setattr(refresh_service, "AWAIT_FOR", 0.2)
    installation.file("alice")
    installation.follow()
    claim_for_somebody_else(installation, "alice", NOW - CLAIM_LASTS + 1)

    assert installation.ask()["alice"].source is None
    assert codex.seen == []


def test_a_run_that_waits_long_keeps_its_claim(installation, codex, monkeypatch):
    monkeypatch.setattr(worker, "RENEW_S", 0.1)
    installation.file("alice")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=2))

    with OtherProcess(installation, lambda: installation.ask()) as running:
        wait_until(lambda: bool(codex.seen))
        installation.now += CLAIM_LASTS - 1
        wait_until(lambda: installation.account("alice").claimed_at == installation.now)
        installation.now += CLAIM_LASTS - 1
        assert (
            list(refresh_service.refresh_due(installation.refresh_context(), installation.scope))
            == []
        )

    assert running.result["alice"].status is Status.OK
    assert len(codex.seen) == 1


def test_the_late_answer_of_a_lost_claim_changes_nothing_and_the_account_is_asked_anew(
    installation, codex
):
    installation.file("alice")
    installation.follow()
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(99, 99), delay=0.4),
        FakeResponse(body=usage_body(12, 40)),
    )
    new_token = make_jwt("acct-alice", user_id="user-acct-alice", exp=NOW + 99_999)

    with OtherProcess(installation, lambda: installation.ask()) as running:
        wait_until(lambda: bool(codex.seen))
        document = auth_document("acct-alice", access_token=new_token)
        with store.database.transaction() as tx:
            found = store.accounts.get_by_name(tx, "alice")
            stored_credentials.put(
                tx, installation.services.cipher, found.id, auth_file.parse(document), NOW
            )

    assert running.result["alice"].status is Status.OK
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.rows("SELECT count(*) FROM reading") == [(2,)]
    assert [seen.headers["authorization"].endswith(new_token) for seen in codex.seen] == [
        False,
        True,
    ]


def test_an_account_deleted_meanwhile_is_no_trouble(installation, codex):
    installation.file("alice")
    installation.file("bob")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=0.3))

    with OtherProcess(installation, lambda: installation.ask()) as running:
        wait_until(lambda: len(codex.seen) == 2)
        account_service.remove("alice", NOW, "test")

    assert set(running.result) == {"bob"}
    assert installation.rows("SELECT count(*) FROM reading") == [(2,)]


def test_claims_are_given_back_when_no_reader_listens_any_more(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.2)
    for number in range(6):
        installation.file(f"account {number}", f"acct-{number}")
    installation.file("quick")
    codex.answers("acct-quick", FakeResponse(body=usage_body()))
    installation.follow()

    running: Any = refresh_service.refresh(
        installation.refresh_context(), refresh_service.select(installation.scope)[0]
    )
    next(running)
    running.close()

    assert installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_a_stop_cuts_requests_and_stores_nothing_of_them(installation, codex):
    installation.file("alice")
    installation.file("bob")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=20))

    started = time.monotonic()
    found = []
    for result in refresh_service.refresh(
        installation.refresh_context(), refresh_service.select(installation.scope)[0]
    ):
        found.append(result.name)
        installation.services.client.cut()
        installation.services.stop.set()

    assert time.monotonic() - started < 10
    assert found == ["bob"]
    assert installation.account("alice").status is Status.PENDING
    assert installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_a_database_that_is_busy_for_a_while_loses_no_answer(installation, codex, monkeypatch):
    installation.file("alice")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=0.2))
    monkeypatch.setattr(store.database, "BUSY_TIMEOUT_MS", 300)

    def hold() -> None:
        # Not before: what claims the account would meet the lock as well.
        wait_until(lambda: bool(codex.seen))
        conn = sqlite3.connect(installation.database, isolation_level=None)
        conn.execute("BEGIN IMMEDIATE")
        time.sleep(0.8)
        conn.execute("ROLLBACK")
        conn.close()

    store.database.bound().dispose()
    holder = threading.Thread(target=hold)
    results = refresh_service.refresh(
        installation.refresh_context(), refresh_service.select(installation.scope)[0]
    )
    holder.start()
    found = list(results)
    holder.join()

    assert [r.status for r in found] == [Status.OK]
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


# The schedule


def due_results(installation, **context: Any) -> list[str]:
    return sorted(
        r.name
        for r in refresh_service.refresh_due(
            installation.refresh_context(**context), installation.scope
        )
    )


def test_the_schedule_asks_those_whose_time_has_come(installation, codex):
    installation.file("alice")
    installation.file("bob")
    installation.follow()
    assert due_results(installation, limit=4) == ["alice", "bob"]
    assert due_results(installation, limit=4) == []

    installation.execute("UPDATE account SET next_due_at = :at WHERE name = 'bob'", at=NOW)
    assert due_results(installation, limit=4) == ["bob"]


def test_the_schedules_limit_counts_the_claims_of_all_processes(installation, codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.05)
    for number in range(10):
        installation.file(f"account {number}", f"acct-{number}")
    installation.follow()
    for number in range(3):
        claim_for_somebody_else(installation, f"account {number}")

    assert len(due_results(installation, limit=4, slots=4)) == 7
    assert codex.max_in_flight == 1


def test_the_schedule_is_stopped_by_a_blocked_address_and_a_person_is_not(installation, codex):
    codex.default = refused(403, **{"cf-mitigated": "challenge"})
    for number in range(10):
        installation.file(f"account {number}", f"acct-{number}")
    installation.follow()

    asked = due_results(installation, limit=4, slots=2)
    assert len(asked) == len(codex.seen) <= 4
    assert installation.rows("SELECT address_blocked_until FROM site_state")[0][0] == NOW + 900
    assert due_results(installation, limit=4) == []

    codex.default = FakeResponse(body=usage_body())
    assert installation.ask("account 9")["account 9"].status is Status.OK
    assert installation.rows("SELECT address_blocked_until FROM site_state") == [(None,)]
    assert len(due_results(installation, limit=4)) == 9 - len(asked)


def test_a_request_of_a_person_is_served_by_the_schedule_in_spite_of_back_off(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", refused(500), FakeResponse(body=usage_body()))
    installation.refresh()
    refresh_service.request([installation.account("alice")], NOW)

    assert due_results(installation, limit=4) == ["alice"]
    assert installation.account("alice").requested_at is None
    assert installation.account("alice").status is Status.OK


def test_an_account_that_rises_is_asked_more_often(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(12, 40)),
        FakeResponse(body=usage_body(13, 40)),
        FakeResponse(body=usage_body(13, 40)),
    )
    intervals = []
    for _ in range(3):
        installation.refresh(pace=Intervals(3_600, 300))
        intervals.append(installation.account("alice").interval_s)
        installation.now += 1_801

    assert intervals == [3_600, 300, 3_600]


def test_a_bug_ends_the_refresh_and_gives_its_claims_back(installation, codex):
    installation.file("alice")
    installation.follow()

    class Broken:
        def fetch(self, *_: object, **__: object) -> None:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        installation.ask(client=Broken())

    assert installation.rows("SELECT claim_id, status FROM account") == [(None, "pending")]
