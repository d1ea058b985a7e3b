"""What an answer leaves behind: readings with their rollups, latest values, facts, attempts as
runs, and the account's row.
"""

import random
from dataclasses import replace

import pytest
from sqlalchemy import select

from quota_web import store
from quota_web.core.faults import Fault
from quota_web.core.quota import Credits, Facts, Identity, ModelUsage, Reading, Snapshot, Status
from quota_web.store.models import limit_window, reading, rollup
from quota_web.store.recording import Outcome
from tests.fakes import NOW

pytestmark = pytest.mark.usefixtures("database")

FACTS = Facts(plan="plus", allowed=True, limit_reached=False, credits=Credits(False, balance="0"))
CLAIM = 77


@pytest.fixture
def account_id(installation):
    with store.database.transaction() as tx:
        return store.accounts.add(tx, "alice", store.accounts.MANAGED, NOW - 10)


def outcome_of(found, at, snapshot=None, fault=None, ms=120):
    failures = 0 if fault is None else found.failures + 1
    return Outcome(found, at, snapshot, fault, ms, failures, 3_600, at + 3_600)


def record(account_id, at, *readings, facts=FACTS, fault=None, claim=CLAIM, ms=120):
    """One attempt at *at*, as a refresh stores it; returns whether it was."""
    with store.database.transaction() as tx:
        store.claims.take(tx, [account_id], CLAIM, at, 150)
        found = store.accounts.get_by_id(tx, account_id)
        snapshot = (
            Snapshot(readings, facts, Identity(email="alice@example.com"))
            if fault is None
            else None
        )
        known = store.windows.windows(tx, [account_id]), store.windows.facts(tx, [account_id])
        return bool(
            store.recording.record(tx, [outcome_of(found, at, snapshot, fault, ms)], claim, *known)
        )


def five(used, resets_at=NOW + 7_200, **more):
    return Reading("five_hour", used, resets_at, 18_000, **more)


def week(used, resets_at=NOW + 300_000):
    return Reading("weekly", used, resets_at, 604_800)


def series(installation, key="five_hour"):
    sql = (
        "SELECT r.taken_at, r.used_percent FROM reading r JOIN limit_window w ON w.id = "
        "r.window_id WHERE w.key = :key ORDER BY 1"
    )
    return installation.rows(sql, key=key)


def stored_rollups(window_id):
    columns = [c for c in rollup.c if c.name != "window_id"]
    with store.database.reading() as conn:
        return {
            (row.span, row.slot): row._asdict()
            for row in conn.execute(select(*columns).where(rollup.c.window_id == window_id))
        }


def made_anew(window_id):
    """The rollups that follow from the raw readings alone."""
    with store.database.reading() as conn:
        query = select(reading.c.taken_at, reading.c.used_percent, reading.c.resets_at).where(
            reading.c.window_id == window_id
        )
        rows = conn.execute(query.order_by(reading.c.taken_at)).all()
    at, used, resets_at = zip(*rows, strict=True)
    made = store.rollups.folded(window_id, at, used, resets_at)
    return {
        (row["span"], row["slot"]): {k: v for k, v in row.items() if k != "window_id"}
        for row in made
    }


def assert_rollups_follow_from_readings():
    with store.database.reading() as conn:
        windows = list(conn.execute(select(limit_window.c.id)).scalars())
    for window_id in windows:
        stored, anew = stored_rollups(window_id), made_anew(window_id)
        assert stored.keys() == anew.keys()
        assert all(stored[key] == pytest.approx(anew[key]) for key in anew)


def test_an_answer_leaves_readings_latest_values_facts_and_an_attempt(installation, account_id):
    assert record(account_id, NOW, five(12), week(40))

    found = installation.account("alice")
    assert (found.status, found.taken_at, found.attempted_at, found.http_status) == (
        Status.OK,
        NOW,
        NOW,
        200,
    )
    assert (found.email, found.next_due_at, found.claim_id, found.failures) == (
        "alice@example.com",
        NOW + 3_600,
        None,
        0,
    )
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert series(installation) == [(NOW, 12)]
    assert installation.report("alice").facts == FACTS
    assert installation.rows(
        "SELECT status, count, ms_sum, ms_max, first_at, last_at FROM attempt"
    ) == [("ok", 1, 120, 120, NOW, NOW)]


def test_the_newest_answer_is_the_latest_value(installation, account_id):
    record(account_id, NOW, five(12), week(40))
    record(account_id, NOW + 60, five(13), week(41))

    assert installation.used("alice") == {"five_hour": 13, "weekly": 41}
    assert series(installation) == [(NOW, 12), (NOW + 60, 13)]


def test_a_failure_keeps_the_last_reading_and_its_age(installation, account_id):
    record(account_id, NOW, five(12))
    record(account_id, NOW + 60, fault=Fault("unreachable", {"reason": "connection refused"}))

    found = installation.account("alice")
    assert (found.status, found.taken_at, found.attempted_at, found.failures) == (
        Status.UNREACHABLE,
        NOW,
        NOW + 60,
        1,
    )
    assert installation.used("alice") == {"five_hour": 12}
    assert series(installation) == [(NOW, 12)]


def test_equal_attempts_are_one_run_and_a_change_starts_the_next(installation, account_id):
    down = Fault("http", {"http_status": 503, "reason": ": first"})
    record(account_id, NOW, five(1), ms=100)
    record(account_id, NOW + 1, five(2), ms=300)
    record(account_id, NOW + 2, fault=down)
    record(
        account_id, NOW + 3, fault=replace(down, data={"http_status": 503, "reason": ": second"})
    )
    record(account_id, NOW + 4, fault=Fault("http", {"http_status": 502, "reason": ""}))
    record(account_id, NOW + 5, five(2))

    rows = installation.rows(
        "SELECT first_at, last_at, status, http_status, count, ms_sum, ms_max FROM attempt ORDER "
        "BY first_at"
    )
    assert rows == [
        (NOW, NOW + 1, "ok", 200, 2, 400, 300),
        (NOW + 2, NOW + 3, "upstream_error", 503, 2, 240, 120),
        (NOW + 4, NOW + 4, "upstream_error", 502, 1, 120, 120),
        (NOW + 5, NOW + 5, "ok", 200, 1, 120, 120),
    ]
    assert installation.rows("SELECT fault_data FROM attempt WHERE http_status = 503") == [
        ('{"http_status":503,"reason":": second"}',)
    ]


def test_facts_are_kept_again_only_when_they_change(installation, account_id):
    for second, facts in enumerate(
        [FACTS, FACTS, replace(FACTS, plan="pro"), replace(FACTS, plan="pro"), FACTS]
    ):
        record(account_id, NOW + second, five(1), facts=facts)

    assert installation.rows("SELECT since, plan FROM account_fact ORDER BY since") == [
        (NOW, "plus"),
        (NOW + 2, "pro"),
        (NOW + 4, "plus"),
    ]
    assert installation.report("alice").facts == FACTS


def test_which_models_may_be_used_is_kept(installation, account_id):
    models = (ModelUsage("gpt-6-astra", False, NOW + 7_200, True), ModelUsage("gpt-6-luna", True))
    record(account_id, NOW, five(1), facts=replace(FACTS, model_usage=models))

    assert installation.report("alice").facts.model_usage == models


def test_a_window_that_is_gone_from_the_answer_has_no_value_any_more(installation, account_id):
    record(account_id, NOW, five(12), week(40))
    record(account_id, NOW + 60, week(41))
    record(account_id, NOW + 120, week(42))

    assert installation.used("alice") == {"weekly": 42}
    assert series(installation) == [(NOW, 12), (NOW + 60, None), (NOW + 120, None)]
    assert_rollups_follow_from_readings()


def test_of_a_window_that_stays_away_two_absences_are_stored(installation, account_id):
    record(account_id, NOW, five(12), week(40))
    for minute in (1, 2, 3, 4):
        record(account_id, NOW + 60 * minute, week(41))

    assert series(installation) == [(NOW, 12), (NOW + 60, None), (NOW + 120, None)]
    assert installation.rows("SELECT gone_at FROM limit_window WHERE key = 'five_hour'") == [
        (NOW + 60,)
    ]
    assert_rollups_follow_from_readings()


def test_a_window_that_comes_back_goes_on_with_its_series(installation, account_id):
    record(account_id, NOW, five(12), week(40))
    record(account_id, NOW + 60, week(41))
    record(account_id, NOW + 120, five(3), week(42))

    assert installation.used("alice") == {"five_hour": 3, "weekly": 42}
    assert series(installation) == [(NOW, 12), (NOW + 60, None), (NOW + 120, 3)]
    assert installation.rows("SELECT count(*) FROM limit_window") == [(2,)]
    assert_rollups_follow_from_readings()


def test_a_failed_attempt_makes_no_window_gone(installation, account_id):
    record(account_id, NOW, five(12), week(40))
    record(account_id, NOW + 60, fault=Fault("unreachable", {"reason": "timed out"}))

    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


def test_a_second_answer_within_the_same_second_takes_the_place_of_the_first(
    installation, account_id
):
    record(account_id, NOW - 60, five(5))
    record(account_id, NOW, five(12))
    record(account_id, NOW, five(30), facts=replace(FACTS, plan="pro"))
    record(account_id, NOW + 60, five(31), facts=replace(FACTS, plan="pro"))

    assert series(installation) == [(NOW - 60, 5), (NOW, 30), (NOW + 60, 31)]
    assert installation.report("alice").facts == replace(FACTS, plan="pro")
    assert_rollups_follow_from_readings()


def test_a_window_gone_and_back_within_the_same_second_is_there(installation, account_id):
    record(account_id, NOW, five(12), week(1))
    record(account_id, NOW, week(1))
    record(account_id, NOW, five(13), week(1))

    assert installation.used("alice") == {"five_hour": 13, "weekly": 1}
    assert series(installation) == [(NOW, 13)]
    assert_rollups_follow_from_readings()


def test_a_clock_put_back_keeps_the_newest_answer_as_the_latest(installation, account_id):
    record(account_id, NOW, five(50))
    record(account_id, NOW - 3_000, five(52), facts=replace(FACTS, plan="pro"))
    record(account_id, NOW - 2_900, five(53), facts=replace(FACTS, plan="pro"))

    assert installation.used("alice") == {"five_hour": 53}
    assert installation.account("alice").taken_at == NOW - 2_900
    assert installation.report("alice").facts == replace(FACTS, plan="pro")
    assert series(installation) == [(NOW - 3_000, 52), (NOW - 2_900, 53), (NOW, 50)]
    assert_rollups_follow_from_readings()


def test_rollups_keep_first_lowest_highest_last_rise_and_count(installation, account_id):
    hour = NOW - NOW % 3_600
    for minute, used in enumerate([10, 14, 14, 90, 2, 5]):
        record(account_id, hour + 60 * minute, five(used, hour + 9_000))

    rows = installation.rows(
        "SELECT span, slot, first_used, min_used, max_used, last_used, last_at, last_resets_at, "
        "rise, count FROM rollup"
    )
    values = (10, 2, 90, 5, hour + 300, hour + 9_000, 83, 6)
    assert rows == [(span, hour - hour % span, *values) for span in (3_600, 21_600, 86_400)]


@pytest.mark.parametrize("seed", range(4))
def test_merged_rollups_equal_those_made_anew_from_the_readings(installation, account_id, seed):
    numbers = random.Random(seed)
    at = NOW - 40 * 3_600
    for _ in range(120):
        at += numbers.choice(
            [0, 1, 60, 300, 3_600, 7_000, -5, -4_000]
            if seed % 2
            else [1, 60, 300, 1_000, 3_600, 30_000]
        )
        readings = [
            Reading(key, numbers.choice([0.0, 1.5, numbers.uniform(0, 110)]), at + 500)
            for key in ("five_hour", "weekly")
            if numbers.random() < 0.8
        ]
        record(account_id, at, *readings)

    assert_rollups_follow_from_readings()


def test_a_late_result_of_a_lost_claim_changes_nothing(installation, account_id):
    record(account_id, NOW, five(12))
    before = installation.rows("SELECT * FROM account")

    assert not record(account_id, NOW + 60, five(99), claim=CLAIM + 1)

    with store.database.transaction() as tx:
        store.claims.release(tx, CLAIM)
    assert installation.rows("SELECT * FROM account") == before
    assert series(installation) == [(NOW, 12)]
    assert installation.rows("SELECT count(*), sum(count) FROM attempt") == [(1, 1)]


def test_a_deleted_account_takes_no_result(installation, account_id):
    with store.database.transaction() as tx:
        store.claims.take(tx, [account_id], CLAIM, NOW, 150)
        found = store.accounts.get_by_id(tx, account_id)
        store.accounts.mark_deleted(tx, account_id, NOW)
        stored = store.recording.record(
            tx, [outcome_of(found, NOW, Snapshot((five(1),), FACTS))], CLAIM, {}, {}
        )

    assert stored == set()
    assert installation.rows("SELECT count(*) FROM reading") == [(0,)]


def test_conflicting_windows_are_flagged(installation, account_id):
    record(account_id, NOW, five(12, conflict=True), week(3))

    assert installation.rows("SELECT flags FROM reading ORDER BY window_id") == [(1,), (0,)]


def test_a_reset_that_was_not_told_is_not_known(installation, account_id):
    record(account_id, NOW, five(12, None))

    assert installation.report("alice").five_hour.resets_at is None


def test_the_snapshot_view_shows_every_snapshot_in_plain_words(installation, account_id):
    record(account_id, NOW, five(12), week(107))
    record(account_id, NOW + 60, week(0))

    columns = "account, taken_at, window_key, used_percent, remaining_percent, resets_at"
    assert installation.rows(f"SELECT {columns} FROM snapshot ORDER BY taken_at, window_key") == [
        ("alice", NOW, "five_hour", 12, 88, NOW + 7_200),
        ("alice", NOW, "weekly", 107, 0, NOW + 300_000),
        ("alice", NOW + 60, "weekly", 0, 100, NOW + 300_000),
    ]


def test_many_outcomes_share_a_transaction(installation):
    with store.database.transaction() as tx:
        ids = [
            store.accounts.add(tx, f"account {n}", store.accounts.MANAGED, NOW) for n in range(70)
        ]
        store.claims.take(tx, ids, CLAIM, NOW, 150)
        found = store.accounts.get_by_ids(tx, ids)
        outcomes = [
            outcome_of(found[i], NOW, Snapshot((five(i % 100), week(1)), FACTS)) for i in ids
        ]
        assert store.recording.record(tx, outcomes, CLAIM, {}, {}) == set(ids)

    assert installation.rows("SELECT count(*), count(DISTINCT window_id) FROM reading") == [
        (140, 140)
    ]
    assert installation.used("account 42") == {"five_hour": ids[42] % 100, "weekly": 1}
