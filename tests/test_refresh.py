"""The refresh act, against a real upstream and a real database: who is asked, how often, by whom, and what is stored of it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from quota_web import accounts, refresh
from quota_web.codex import auth_file
from quota_web.due import Pace
from quota_web.extensions import db
from quota_web.quota import CACHE, NETWORK, Status
from quota_web.store import accounts as store
from quota_web.store import engine
from tests.fakes import NOW, Scene, auth_document, make_jwt, usage_body

EXHAUSTED = usage_body(100, 40)


def refused(status: int, **headers: str) -> Scene:
    return Scene(status, body={"detail": "no"}, headers=headers)


class Beside:
    """Something that goes on in another process: a thread with an app, a database connection and a client of its own."""

    def __init__(self, house, act: Callable[[], Any]) -> None:
        self._act, self._app = act, house.another()
        self._thread = threading.Thread(target=self._run)
        self.result: Any = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)

    def _run(self) -> None:
        with self._app.app_context():
            try:
                self.result = self._act()
            finally:
                self._app.extensions["quota_world"].client.close()
                db.engine.dispose()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.005)


def claim_for_somebody_else(house, name: str, at: int = NOW) -> None:
    house.execute("UPDATE account SET claim_id = 5, claimed_at = :at WHERE name = :name", at=at, name=name)


def test_everybody_is_asked_and_what_they_have_left_is_stored(house, codex):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-bob", Scene(body=usage_body(None, 7, plan="pro")))

    found = house.refresh()

    assert {name: (r.status, r.source, r.fault) for name, r in found.items()} == {
        "alice": (Status.OK, NETWORK, None),
        "bob": (Status.OK, NETWORK, None),
    }
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.used("bob") == {"weekly": 7}
    assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_the_request_carries_the_accounts_own_token(house, codex):
    house.file("alice")
    house.refresh()

    [seen] = codex.seen
    assert seen.headers["authorization"] == f"Bearer {make_jwt('acct-alice', user_id='user-acct-alice')}"
    assert seen.account_id == "acct-alice"


def test_only_those_who_are_named_are_asked(house, codex):
    for name in ("alice", "bob", "carol"):
        house.file(name)

    assert set(house.refresh("BOB", "carol")) == {"bob", "carol"}
    assert {seen.account_id for seen in codex.seen} == {"acct-bob", "acct-carol"}


def test_names_that_nobody_has_are_told(house):
    house.file("alice")
    house.follow()

    chosen, missing = refresh.select(house.scope, ["nobody", "Alice", "alice", "a\udcff\0"])

    assert [a.name for a in chosen] == ["alice"]
    assert [error.name for error in missing] == ["nobody", "a\udcff\0"]


# Who is not asked


def test_an_exhausted_account_is_answered_from_the_cache(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED))
    house.refresh()
    house.now += 60

    again = house.refresh()["alice"]

    assert (again.status, again.source) == (Status.OK, CACHE)
    assert len(codex.seen) == 1
    assert house.report("alice").source == CACHE
    assert house.account("alice").taken_at == NOW


def test_a_cached_answer_is_data_that_did_not_change(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED))
    house.refresh()
    house.refresh()
    before = house.rows("SELECT data_version, updated_at FROM site_state")
    house.now += 60
    house.refresh()

    assert house.rows("SELECT data_version, updated_at FROM site_state") == before


@pytest.mark.parametrize("how", ["force", "after the reset", "to keep the raw answer"])
def test_an_exhausted_account_is_asked_all_the_same(house, codex, how):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), Scene(body=usage_body(3, 41)))
    house.refresh()
    house.now += 7_200 if how == "after the reset" else 60

    again = house.refresh(force=how == "force", **({"keep_raw": True} if how == "to keep the raw answer" else {}))["alice"]

    assert again.source == NETWORK
    assert house.used("alice") == {"five_hour": 3, "weekly": 41}


def test_an_exhausted_account_whose_last_attempt_failed_is_asked(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), refused(500), Scene(body=EXHAUSTED))
    house.refresh()
    house.refresh(force=True)

    assert house.refresh()["alice"].source == NETWORK


def test_credits_keep_an_exhausted_account_in_use(house, codex):
    house.file("alice")
    body = usage_body(100, 40, credits={"has_credits": True, "unlimited": False, "balance": "14"})
    body["rate_limit"]["allowed"] = True  # type: ignore[index]
    codex.answers("acct-alice", Scene(body=body))
    house.refresh()

    assert house.refresh()["alice"].source == NETWORK


def test_a_paused_account_is_left_alone_even_by_force(house, codex):
    house.file("alice")
    house.follow()
    accounts.pause("alice", NOW, "test")

    result = house.refresh(force=True)["alice"]

    assert (result.status, result.source, result.fault) == (Status.PAUSED, None, None)
    assert codex.seen == []


@pytest.mark.parametrize(("exp", "asked"), [(NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (None, 1)])
def test_nothing_is_sent_with_a_token_that_has_expired(house, codex, exp, asked):
    house.file("alice", exp=exp)

    result = house.refresh(force=True)["alice"]

    assert len(codex.seen) == asked
    if not asked:
        assert result.fault is not None
        assert result.fault.text(str) == f"access token expired at {exp}; sign in again"
        assert house.account("alice").status is Status.EXPIRED


def test_nothing_is_sent_for_credentials_that_cannot_work(house, codex):
    house.raw_file("alice", b'{"tokens": {"access_token": "sess-abc", "account_id": "a"}}')

    result = house.refresh(force=True)["alice"]

    assert result.status is Status.INVALID_CREDENTIALS
    assert codex.seen == []


def test_a_limited_account_waits_as_it_was_told(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "120"}), Scene(body=usage_body()))
    assert house.refresh()["alice"].status is Status.RATE_LIMITED
    house.now += 119

    waiting = house.refresh()["alice"]
    assert (waiting.status, waiting.source, len(codex.seen)) == (Status.RATE_LIMITED, None, 1)
    assert waiting.fault is not None
    assert waiting.fault.text(str) == f"HTTP 429: too many requests; the next attempt is after {NOW + 120}"

    house.now += 1
    assert house.refresh()["alice"].status is Status.OK


def test_a_limited_account_is_asked_by_force(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429), Scene(body=usage_body()))
    house.refresh()

    assert house.refresh(force=True)["alice"].status is Status.OK


def test_a_wait_of_days_is_cut_to_what_is_done(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "500000"}))

    fault = house.refresh()["alice"].fault

    assert fault.data["at"] == house.account("alice").next_due_at == NOW + 21_600


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500])
def test_a_person_may_try_again_at_once_whatever_went_wrong(house, codex, status):
    house.file("alice")
    codex.answers("acct-alice", refused(status), Scene(body=usage_body()))

    assert house.refresh()["alice"].status is not Status.OK
    assert house.refresh()["alice"].status is Status.OK


# What is stored


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        (refused(401), Status.EXPIRED),
        (refused(402), Status.UPSTREAM_ERROR),
        (Scene(402, body={"detail": {"code": "deactivated_workspace"}}), Status.DEACTIVATED),
        (refused(403), Status.FORBIDDEN),
        (refused(403, **{"cf-mitigated": "challenge"}), Status.ADDRESS_BLOCKED),
        (refused(404), Status.UPSTREAM_ERROR),
        (refused(429), Status.RATE_LIMITED),
        (refused(302, Location="http://127.0.0.1:1/"), Status.UPSTREAM_ERROR),
        (refused(503), Status.UPSTREAM_ERROR),
        (Scene(drop="request"), Status.UNREACHABLE),
        (Scene(raw=b"<html>", headers={"Content-Type": "text/html"}), Status.BAD_RESPONSE),
        (Scene(raw=b""), Status.BAD_RESPONSE),
        (Scene(body=[1]), Status.BAD_RESPONSE),
    ],
)
def test_a_failure_is_a_value_and_keeps_the_last_reading(house, codex, scene, status):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-alice", Scene(body=usage_body(12, 40)), scene)
    house.refresh()
    house.now += 600

    found = house.refresh()

    assert found["alice"].status is status
    assert found["bob"].status is Status.OK
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    kept = house.account("alice")
    assert (kept.status, kept.taken_at, kept.attempted_at, kept.failures, kept.paused_at) == (status, NOW, NOW + 600, 1, None)
    assert house.rows("SELECT count(*) FROM attempt WHERE status = :status", status=status) == [(1,)]


def test_failures_count_up_and_a_success_ends_them(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(500), refused(500), Scene(body=usage_body()))
    counts = []
    for _ in range(3):
        house.refresh()
        counts.append(house.account("alice").failures)
        house.now += 1

    assert counts == [1, 2, 0]


def test_an_answer_about_another_account_here_stores_nothing(house, codex):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-alice", Scene(body=usage_body(1, 1, user_id="user-acct-bob")))

    result = house.refresh()["alice"]

    assert result.status is Status.BAD_RESPONSE
    assert result.fault is not None
    assert result.fault.text(str) == "HTTP 200, but it speaks of another account"
    assert house.used("alice") == {}
    assert house.rows("SELECT count(*) FROM reading") == [(2,)]


def test_an_answer_that_suddenly_names_somebody_else_stores_nothing(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body(1, 1, user_id="user-1")), Scene(body=usage_body(2, 2, user_id="user-2")))
    house.refresh()
    house.now += 1

    assert house.refresh()["alice"].status is Status.BAD_RESPONSE
    assert house.used("alice") == {"five_hour": 1, "weekly": 1}


def test_a_token_that_cannot_be_opened_is_tried_again_when_its_key_is_back(house, codex):
    house.file("alice")
    house.follow()
    sealed = house.rows("SELECT access_sealed FROM credential")[0][0]
    house.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")

    result = house.ask()["alice"]
    assert result.status is Status.INVALID_CREDENTIALS
    assert result.fault is not None
    assert result.fault.code == "sealed_unreadable"
    assert codex.seen == []

    house.execute("UPDATE credential SET access_sealed = :sealed", sealed=sealed)
    assert house.ask()["alice"].status is Status.OK


def test_a_followed_account_takes_a_token_that_cannot_be_opened_from_its_file_again(house):
    house.file("alice")
    house.follow()
    house.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")
    house.ask()

    assert house.refresh()["alice"].status is Status.OK


# How much at once


def test_results_come_as_they_are_there(house, codex):
    house.file("slow")
    house.file("quick")
    codex.answers("acct-slow", Scene(body=usage_body(), delay=0.6))
    house.follow()
    started, seen = time.monotonic(), {}

    for result in refresh.refresh(house.crew(), refresh.select(house.scope)[0]):
        seen[result.name] = time.monotonic() - started

    assert list(seen) == ["quick", "slow"]
    assert seen["quick"] < 0.5 < seen["slow"]


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
    commits: list[object] = []
    event.listen(db.engine, "commit", commits.append)

    found = house.ask(slots=48)

    assert len(found) == 48
    assert sum(1 for conn in commits if conn.get_execution_options().get("quota_write")) < 30  # type: ignore[attr-defined]


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


@pytest.mark.parametrize("claimed_at", [NOW - 150, NOW - 10_000, NOW + 1, NOW + 10**9])
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
    claim_for_somebody_else(house, "alice", NOW - 149)

    assert house.ask()["alice"].source is None
    assert codex.seen == []


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

    running = refresh.refresh(house.crew(), refresh.select(house.scope)[0])
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

    assert time.monotonic() - started < 5
    assert found == ["bob"]
    assert house.account("alice").status is Status.PENDING
    assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_a_database_that_is_busy_for_a_while_loses_no_answer(house, codex, monkeypatch):
    house.file("alice")
    house.follow()
    codex.answers("acct-alice", Scene(body=usage_body(), delay=0.2))
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 300)
    other = house.another()
    with other.app_context():
        url = db.engine.url

    def hold() -> None:
        import sqlite3

        conn = sqlite3.connect(url.database, isolation_level=None)
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
