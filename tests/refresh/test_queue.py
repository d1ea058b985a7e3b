"""Whom the schedule asks: due times and their order, back-off for everybody, and clocks that
jump.
"""

import pytest

from quota_web import store
from quota_web.core import policy
from quota_web.core.faults import Fault
from quota_web.core.policy import Intervals
from quota_web.core.quota import NOT_BLOCKED, Block, Status
from quota_web.refresh import queue
from quota_web.store.accounts import DEMO, MANAGED, Scope
from tests.browser import first_start
from tests.fakes import NOW

PACE = Intervals(3_600, 300)
YEAR = 31_536_000
LASTS = 150


@pytest.fixture
def app(instance_dir, database):
    app = first_start(instance_dir, **database)
    with app.app_context():
        yield app


def add(name: str, origin: str = MANAGED, **columns: object) -> int:
    with store.database.transaction() as tx:
        account_id = store.accounts.add(tx, name, origin, NOW)
        values = {
            "status": Status.OK,
            "attempted_at": NOW - 600,
            "next_due_at": NOW - 1,
            "interval_s": 3_600,
        } | columns
        store.accounts.update_account(tx, account_id, **values)
    return account_id


def due_at(now: int = NOW, pace: Intervals = PACE, scope: Scope | None = None) -> list[str]:
    return [a.name for a in queue.due_accounts(scope or Scope(), pace, LASTS, now).due]


def test_the_account_that_waits_longest_comes_first(app):
    add("late", next_due_at=NOW - 10)
    add("later", next_due_at=NOW - 500)
    add("not yet", next_due_at=NOW + 10)

    assert due_at() == ["later", "late"]


def test_new_accounts_are_asked_at_once(app):
    add("new", status=Status.PENDING, attempted_at=None, next_due_at=NOW)
    add("put right", status=Status.PENDING, attempted_at=NOW - 9, next_due_at=None)

    assert sorted(due_at()) == ["new", "put right"]


@pytest.mark.parametrize(
    "columns",
    [
        {"paused_at": NOW},
        {"status": Status.INVALID_CREDENTIALS},
        {"status": Status.DEACTIVATED, "next_due_at": None},
        {"status": Status.EXPIRED, "next_due_at": None},
        {"origin": DEMO},
        {"claim_id": 7, "claimed_at": NOW - LASTS + 1},
    ],
)
def test_some_are_left_alone(app, columns):
    add("alone", **columns)

    assert due_at() == []
    assert due_at(NOW - 5) == []


def test_a_claim_that_ended_or_lies_in_the_future_holds_no_account_up(app):
    add("ended", claim_id=7, claimed_at=NOW - LASTS)
    add("future", claim_id=8, claimed_at=NOW + 31)

    assert sorted(due_at()) == ["ended", "future"]


def test_the_claim_of_a_host_whose_clock_is_a_little_ahead_counts(app):
    alice = add("alice", claim_id=8, claimed_at=NOW + 30)

    assert due_at() == []
    with store.database.transaction() as tx:
        assert store.claims.live(tx, NOW, LASTS) == 1
        assert store.claims.take(tx, [alice], 9, NOW, LASTS) == []


def test_a_request_is_no_matter_of_time(app):
    add("asked for", next_due_at=NOW + 3_000, requested_at=NOW)
    add("paused", requested_at=NOW, paused_at=NOW)
    with store.database.transaction() as tx:
        store.site_state.block_address(tx, NOW + 500)

    assert [a.name for a in queue.due_accounts(Scope(), PACE, LASTS, NOW).requested] == [
        "asked for"
    ]


def test_nothing_is_sent_while_the_address_is_blocked(app):
    add("alice")
    with store.database.transaction() as tx:
        store.site_state.block_address(tx, NOW + 500)

    assert due_at() == []
    assert due_at(NOW + 500) == ["alice"]


def test_only_the_accounts_of_the_scope_are_asked(app):
    add("alice")
    add("bob")

    assert due_at(scope=Scope(only="BOB")) == ["bob"]


# Clocks that jump.


@pytest.mark.parametrize("jump", [3_600, 86_400, YEAR])
def test_a_clock_put_back_freezes_nobody(app, jump):
    add("alice", attempted_at=NOW + jump, next_due_at=NOW + jump + 3_600)
    add("blocked", attempted_at=NOW + jump, next_due_at=NOW + jump + 20_000)
    with store.database.transaction() as tx:
        store.site_state.block_address(tx, NOW + YEAR)

    assert sorted(due_at()) == ["alice", "blocked"]


def test_a_token_that_seemed_expired_by_a_wrong_clock_is_asked_again(app):
    fault = Fault("token_expired", {"at": NOW + 900})
    add(
        "alice",
        status=Status.EXPIRED,
        next_due_at=None,
        fault_code=fault.code,
        fault_data=fault.data_json(),
    )

    assert due_at() == ["alice"]
    assert due_at(NOW + 900) == []


def test_hosts_whose_clocks_differ_a_little_do_not_ask_for_each_other(app):
    add("alice", attempted_at=NOW + 20, next_due_at=NOW + 3_620)

    assert due_at() == []


# Settings that changed.


def test_a_shorter_interval_holds_at_once(app):
    add("alice", attempted_at=NOW - 100, next_due_at=NOW + 3_500)

    assert due_at() == []
    assert due_at(pace=Intervals(60, 60)) == ["alice"]


def test_exhausted_accounts_wait_half_an_hour_unless_the_cache_is_skipped(app):
    add("bob", attempted_at=NOW - 1_000, next_due_at=NOW + 800, interval_s=60)

    assert due_at(pace=Intervals(60, 60)) == []
    assert due_at(pace=Intervals(60, 60, skip_cache=True)) == ["bob"]


def test_an_account_left_alone_until_a_reset_far_ahead_is_refreshed_at_the_idle_interval(app):
    add("bob", attempted_at=NOW - 4_000, next_due_at=NOW + 15_000)

    assert due_at() == ["bob"]
    assert due_at(NOW - 500) == []


def test_skipping_the_cache_asks_the_exhausted_like_the_others():
    block = Block(True, NOW + 80_000)
    quick = Intervals(60, 60)
    waits = policy.after_success(1, quick, [], [], block, NOW)[1]
    skips = policy.after_success(1, Intervals(60, 60, skip_cache=True), [], [], block, NOW)[1]

    assert waits >= NOW + policy.EXHAUSTED_LEAST
    assert skips == policy.after_success(1, quick, [], [], NOT_BLOCKED, NOW)[1]


# Everything fails.


def failed(*ages: int, status: Status = Status.UPSTREAM_ERROR) -> list[tuple[int, Status]]:
    return [(NOW - age, status) for age in ages]


def test_two_failures_are_their_own_matter():
    assert policy.host_pause([*failed(1, 2), (NOW - 3, Status.OK)], PACE, NOW) == (False, None)


def test_the_pause_grows_with_the_number_that_failed():
    untils = [policy.host_pause(failed(*range(count)), PACE, NOW)[1] for count in (3, 4, 5, 20)]

    assert untils == [NOW + 60, NOW + 120, NOW + 240, NOW + policy.HOST_PAUSE_LAST]


def test_the_pause_is_not_longer_than_the_interval():
    assert policy.host_pause(failed(*range(20)), Intervals(100, 100), NOW)[1] == NOW + 100


def test_one_answer_ends_it():
    assert policy.host_pause([*failed(2, 3, 4, 5), (NOW - 1, Status.OK)], PACE, NOW) == (
        False,
        None,
    )


def test_what_is_the_accounts_own_fault_says_nothing_about_the_host():
    assert policy.host_pause(failed(1, 2, 3, 4, status=Status.EXPIRED), PACE, NOW) == (False, None)


def test_attempts_from_the_future_say_nothing(app):
    assert policy.host_pause(failed(-100, -200, -300), PACE, NOW) == (False, None)


def test_while_everything_fails_one_account_at_a_time_looks(app):
    for number in range(5):
        add(
            f"a{number}",
            status=Status.UNREACHABLE,
            attempted_at=NOW - 100 - number,
            next_due_at=NOW - number,
        )
    add("claimed", status=Status.UNREACHABLE, next_due_at=NOW - 99)

    pause = policy.host_pause([(NOW - 100, Status.UNREACHABLE)] * 6, PACE, NOW)[1]
    assert pause is not None
    assert due_at(pause - 1) == []
    assert due_at(pause) == ["claimed"]
    with store.database.transaction() as tx:
        store.claims.take(tx, [store.accounts.get_by_name(tx, "claimed").id], 7, pause, LASTS)
    assert due_at(pause) == []
