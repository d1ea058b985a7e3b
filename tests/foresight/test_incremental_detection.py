"""Cycles and events as they are stored: reading by reading, and all made again, on both
databases.
"""

import random
import threading
from collections.abc import Iterable

import pytest
from sqlalchemy import event as sql_event

from quota_web import store
from quota_web.core.quota import Facts, Reading, Snapshot
from quota_web.foresight import (
    AccountHistory,
    detection_backfill,
    detector_persistence,
    incremental_detection,
)
from quota_web.maintenance import doctor_judging, prune
from quota_web.store.accounts import MANAGED
from quota_web.store.detected_events import JudgedEvent
from quota_web.store.recording import Outcome, Recorded
from tests.foresight.stories import DAY, HOUR, START, Story, account, moment, wild

pytestmark = pytest.mark.usefixtures("database")

EVENTS = """
    SELECT kind, account_id, window_id, at, data FROM event
    WHERE rule IS NOT NULL AND withdrawn_at IS NULL ORDER BY at, kind, account_id, window_id
"""
CYCLES = """
    SELECT window_id, started_at, ended_at, how, used_at_reset, peak, ran_out_at, zero_s, readings,
           gap_s, is_lower_bound
    FROM cycle ORDER BY window_id, ended_at
"""


def add(*names: str) -> list[int]:
    with store.database.transaction() as tx:
        return [store.accounts.add(tx, name, MANAGED, START) for name in names]


def take(taken: dict[int, tuple[int, Snapshot]], judged: bool = True) -> None:
    """Store one answer of each of these accounts in one transaction, as a refresh does."""
    with store.database.transaction() as tx:
        store.claims.take(tx, taken, 1, START, 60)
        windows = store.windows.windows(tx, list(taken))
        facts = store.windows.facts(tx, list(taken))
        accounts = store.accounts.get_by_ids(tx, list(taken))
        outcomes = [
            Outcome(accounts[i], at, snapshot, None, 1, 0, 300, None)
            for i, (at, snapshot) in taken.items()
        ]
        store.recording.record(tx, outcomes, 1, windows, facts)
        if judged:
            recorded = [
                Recorded(o, windows.get(o.account.id, []), facts.get(o.account.id))
                for o in outcomes
            ]
            incremental_detection.judge_recorded(tx, recorded)


def answers(history: AccountHistory) -> Iterable[tuple[int, Snapshot]]:
    """What the answers were that such a history came of: its windows share their moments."""
    plans, credits = list(history.plan), list(history.reset_credits)
    rows: dict[int, list[Reading]] = {}
    for key, window in history.windows.items():
        for at, used, resets_at in window.readings:
            measured = Reading(key, used, resets_at, window.length_s) if used is not None else None
            rows.setdefault(at, []).extend([measured] if measured else [])
    for at in sorted(rows):
        plan = [value for since, value in plans if since <= at][-1:]
        count = [value for since, value in credits if since <= at][-1:]
        facts = Facts(plan=plan[0] if plan else None, reset_credits=count[0] if count else None)
        yield at, Snapshot(tuple(rows[at]), facts)


def live(
    lives: dict[str, AccountHistory], settle_every: int = 0, same_login: Iterable[str] = ()
) -> dict[str, int]:
    """Store these lives in the order of time, the next answers of all accounts together; returns
    the ids.
    """
    ids = dict(zip(lives, add(*lives), strict=True))
    with store.database.transaction() as tx:
        for name in same_login:
            login = {"chatgpt_account_id": "acct-1", "chatgpt_user_id": "user-1"}
            store.accounts.update_account(tx, ids[name], **login)
    taken = sorted(
        ((at, name, snapshot) for name, life in lives.items() for at, snapshot in answers(life)),
        key=lambda t: t[:2],
    )
    settled = START
    together: dict[int, tuple[int, Snapshot]] = {}
    for at, name, snapshot in taken:
        is_over = bool(settle_every) and at >= settled + settle_every
        if is_over or ids[name] in together:
            take(together)
            together = {}
        if is_over:
            detection_backfill.settle(at)
            settled = at
        together[ids[name]] = (at, snapshot)
    take(together)
    return ids


def one_window(history: AccountHistory) -> AccountHistory:
    windows = dict(list(history.windows.items())[:1])
    return AccountHistory(windows, history.plan, history.reset_credits)


def said(installation) -> tuple[list, list]:
    return installation.rows(EVENTS), installation.rows(CYCLES)


# These lives have resets of all kinds, flaps, and events that are withdrawn.
@pytest.mark.parametrize("seed", [0, 4, 9])
def test_what_is_judged_reading_by_reading_is_what_a_rebuild_makes(installation, seed):
    lives = wild(random.Random(seed), 4, 3 * 24, most=200)
    live({name: one_window(life) for name, life in lives.items()}, settle_every=HOUR)
    end = START + 20 * DAY
    detection_backfill.settle(end)
    told = said(installation)
    ids = installation.rows("SELECT id, dedupe FROM event WHERE rule IS NOT NULL ORDER BY id")

    detection_backfill.rebuild(end)

    assert said(installation) == told
    kept = installation.rows("SELECT id, dedupe FROM event WHERE rule IS NOT NULL ORDER BY id")
    assert kept[: len(ids)] == ids

    for table in ("event", "cycle", "window_state", "account_state"):
        installation.execute(f"DELETE FROM {table}")
    detection_backfill.rebuild(end)
    assert said(installation) == told
    assert told[0]


def test_readings_that_were_stored_and_not_judged_are_caught_up_with(installation):
    story = Story().use(20, 10, 100, rate=2).use(30, 1, 190, rate=1)
    [alice] = add("alice")
    taken = list(answers(account(weekly=story)))
    for at, snapshot in taken[:70]:
        take({alice: (at, snapshot)}, judged=False)

    for at, snapshot in taken[70:]:
        take({alice: (at, snapshot)})

    assert [(k, at) for k, _, _, at, _ in said(installation)[0]] == [("reset_early", moment(20))]


def test_a_reset_that_turns_out_a_flap_is_withdrawn_and_a_notice_says_so(installation):
    story = Story().use(10, 40, 100).use(2, 0, 160, rate=3).use(5, 41, 100)

    live({"alice": account(weekly=story)})

    rows = installation.rows("SELECT id, kind, withdrawn_at FROM event ORDER BY id")
    [early] = [row for row in rows if row[1] == "reset_early"]
    assert early[2] == moment(12)
    notices = installation.rows("SELECT at, data FROM event WHERE kind = 'withdrawn'")
    assert notices == [(moment(12), f'{{"of":{early[0]}}}')]
    assert said(installation)[1] == []


def test_early_resets_of_most_accounts_become_one_of_the_provider(installation):
    lives = {
        name: account(weekly=Story().use(10 + i, 40, 100).use(5, 0, 178 + i, rate=1))
        for i, name in enumerate(("alice", "bob", "carol"))
    }

    live(lives)

    events, cycles = said(installation)
    assert [row[0] for row in events if row[0].startswith("reset")] == ["reset_provider"]
    assert [row[3] for row in cycles] == ["provider"] * 3
    withdrawn = installation.rows(
        "SELECT count(*) FROM event WHERE kind = 'reset_early' AND withdrawn_at IS NOT NULL"
    )
    assert withdrawn == [(1,)]


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        # Two logins are too few, though they are three accounts.
        (("alice", "work", "bob"), {"reset_early"}),
        (("alice", "work", "bob", "carol"), {"reset_provider"}),
    ],
)
def test_a_login_with_two_names_counts_once_among_those_that_the_provider_reset(
    installation, names, kinds
):
    lives = {
        name: account(weekly=Story().use(10 + i, 40, 100).use(5, 0, 178 + i, rate=1))
        for i, name in enumerate(names)
    }

    live(lives, same_login=("alice", "work"))

    live_events, _ = said(installation)
    assert {row[0] for row in live_events if row[0].startswith("reset")} == kinds
    for row in live_events:
        if row[0] == "reset_provider":
            assert '"accounts":3' in row[4]
    detection_backfill.rebuild(START + 60 * HOUR)
    assert said(installation)[0] == live_events


def test_a_banked_reset_that_goes_unused_has_expired_after_a_while(installation):
    story = Story().use(5, 10, 100, rate=1)
    live({"alice": account(weekly=story, credits=[(0, 1), (2, 0)])})
    expired = "SELECT at FROM event WHERE kind = 'credit_expired'"
    assert installation.rows(expired) == []

    detection_backfill.settle(moment(30))

    assert installation.rows(expired) == [(moment(2),)]


def test_a_rebuild_leaves_what_is_older_than_the_readings(installation):
    story = Story(every_h=2).use(100, 10, 100, rate=0.5).use(168, 0, 268, rate=0.2)
    story.use(100, 0, 436, rate=0.3)
    live({"alice": account(weekly=story)})
    end = moment(400)
    detection_backfill.settle(end)
    before = said(installation)
    prune.prune(moment(150), end, "test")

    detection_backfill.rebuild(end)

    assert said(installation) == before
    assert len(before[1]) == 2


def test_a_rebuild_withdraws_what_the_readings_do_not_show(installation):
    live({"alice": account(weekly=Story().use(30, 10, 100))})
    installation.execute(
        "INSERT INTO event (at, kind, actor, account_id, window_id, dedupe, told_at, rule)"
        " VALUES (:at, 'reset_early', 'readings', 1, 1, 'x', :at, 0)",
        at=moment(5),
    )

    detection_backfill.rebuild(moment(60))

    assert said(installation)[0] == []
    assert installation.rows("SELECT count(*) FROM event WHERE kind = 'withdrawn'") == [(1,)]


def test_the_first_housekeeping_judges_what_is_there_once(installation):
    [alice] = add("alice")
    story = Story().use(20, 10, 100, rate=2).use(30, 1, 190, rate=1)
    for at, snapshot in answers(account(weekly=story)):
        take({alice: (at, snapshot)}, judged=False)

    assert detection_backfill.ensure(moment(60), is_stopped=lambda: True) is False
    assert detection_backfill.ensure(moment(60)) is True

    assert [row[3] for row in said(installation)[1]] == ["early"]
    installation.execute("DELETE FROM cycle")
    assert detection_backfill.ensure(moment(60)) is True
    assert said(installation)[1] == []


def test_any_number_of_accounts_takes_the_same_number_of_queries(installation):
    queries = []
    with store.database.reading() as conn:
        engine = conn.engine

    def count(conn, cursor, statement, parameters, context, executemany):
        queries.append(statement)

    def taken_by(ids: list[int], h: float) -> int:
        queries.clear()
        readings = (
            Reading("five_hour", 10 + h, moment(h + 2), 18_000),
            Reading("weekly", 10, moment(100), 604_800),
        )
        take({i: (moment(h), Snapshot(readings, Facts())) for i in ids})
        return len(queries)

    few, many = add("a", "b"), add(*(f"account {i}" for i in range(30)))
    for ids in (few, many):
        taken_by(ids, 0)
    sql_event.listen(engine, "before_cursor_execute", count)
    try:
        assert taken_by(few, 0.1) == taken_by(many, 0.1)
    finally:
        sql_event.remove(engine, "before_cursor_execute", count)


def test_answers_that_begin_to_fail_and_come_again_are_noted(installation, codex):
    from tests.fakes import FakeResponse, usage_body

    installation.file("alice")
    fine, down = FakeResponse(body=usage_body(1, 2)), FakeResponse(500, body={})
    for scene in (fine, down, down, fine, FakeResponse(401, body={}), fine):
        codex.answers("acct-alice", scene)
        installation.now += 7_200
        installation.ask(force=True) if installation.names() else installation.refresh()

    rows = installation.rows("SELECT kind, data FROM event WHERE actor = 'service' ORDER BY id")
    assert rows == [
        ("failing_since", '{"status": "upstream_error"}'),
        ("fine_again", '{"status": "upstream_error"}'),
        ("sign_in_ended", '{"status": "expired"}'),
        ("fine_again", '{"status": "expired"}'),
    ]


def test_what_was_judged_of_a_deleted_account_goes_with_it(installation):
    story = Story().use(20, 10, 100, rate=2).use(30, 1, 190, rate=1)
    [alice] = live({"alice": account(weekly=story)}).values()
    with store.database.transaction() as tx:
        store.accounts.mark_deleted(tx, alice, moment(60))

    prune.purge_deleted()

    for table in ("cycle", "window_state", "account_state"):
        assert installation.rows(f"SELECT * FROM {table}") == []
    assert installation.rows("SELECT * FROM event WHERE account_id IS NOT NULL") == []


def test_an_account_whose_state_cannot_be_read_is_judged_again(installation):
    [alice] = add("alice")
    taken = list(answers(account(weekly=Story().use(20, 10, 100).use(30, 1, 190))))
    for at, snapshot in taken[:70]:
        take({alice: (at, snapshot)})
    told, more = said(installation), iter(taken[70:])
    assert told[0]

    for what in ("window_state SET state", "account_state SET facts"):
        for damaged in ("7", "[1]", "{}", "not JSON"):
            installation.execute(f"UPDATE {what} = '{damaged}'")
            take({alice: next(more)})

            assert said(installation) == told, (what, damaged)
            with store.database.reading() as conn:
                assert detector_persistence.load(conn).unjudged == set(), (what, damaged)


def test_the_doctor_names_an_account_that_no_refresh_catches_up_with(installation, monkeypatch):
    [alice] = add("alice")
    for at, snapshot in answers(account(weekly=Story().use(5, 10, 100))):
        take({alice: (at, snapshot)})
    assert list(doctor_judging.findings()) == []
    installation.execute("UPDATE window_state SET state = '[]'")
    # So few are caught up with by the next refresh.
    assert list(doctor_judging.findings()) == []

    monkeypatch.setattr(doctor_judging, "CATCH_UP", 3)
    [found] = doctor_judging.findings()
    assert "alice" in found.text
    assert "doctor --rebuild" in (found.advice or "")
    detection_backfill.rebuild(START + 60 * HOUR)
    assert list(doctor_judging.findings()) == []


def test_states_are_those_that_stand_once_the_lock_is_there(installation):
    """PostgreSQL lets a statement that waited for a row go on with the other tables of before."""
    [alice] = add("alice")
    taken = list(answers(account(weekly=Story().use(5, 10, 100))))
    take({alice: taken[0]})
    found: list[int | None] = []
    waiting = installation.another()

    def wait_for_the_lock() -> None:
        with waiting.app_context(), store.database.transaction() as tx:
            found.extend(row.at for row in store.detector_states.states(tx, lock=True))

    with store.database.transaction() as tx:
        [before] = store.detector_states.states(tx, lock=True)
        other = threading.Thread(target=wait_for_the_lock)
        other.start()
        # Long enough to wait in; a machine that is slower still shows nothing wrong.
        other.join(0.5)
        newer = (before.window_id, (before.at or 0) + 60, 1, before.state or "")
        store.detector_states.put_states(tx, [newer])
    other.join()

    assert found == [newer[1]]


def test_what_another_process_judged_meanwhile_is_not_withdrawn(installation):
    ids = live({name: account(weekly=Story().use(5, 10, 100)) for name in ("alice", "bob")})
    [(window,)] = installation.rows(
        f"SELECT id FROM limit_window WHERE account_id = {ids['bob']} AND key = 'weekly'"
    )
    with store.database.transaction() as tx:
        standing = store.detected_events.standing(tx, -1, None)
        whole = detector_persistence.load(tx)
        newer = JudgedEvent("reset_early", ids["bob"], window, moment(6), moment(6))
        store.detected_events.put_events(tx, [newer], 1)
        detector_persistence.tell(
            tx, whole, moment(6), of_all=True, fed=[str(ids["alice"])], standing=standing
        )

    assert [row[:2] for row in said(installation)[0]] == [("reset_early", ids["bob"])]
