"""What the dashboard and a refresh read goes through an index, whatever the size of the history."""

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.core.account_identity import Login
from quota_web.reports import overview
from tests.fakes import NOW

HISTORY = ("reading", "rollup", "attempt", "account_fact", "event")


@pytest.fixture
def busy_house(installation):
    """Three accounts with some history."""
    for name in ("alice", "bob", "carol"):
        installation.file(name)
    for _ in range(5):
        installation.refresh()
        installation.now += 60
    return installation


def plans(installation, act):
    """The query plans of all statements that *act* sends."""
    statements = []

    def note(conn, cursor, statement, parameters, context, many):
        if statement.startswith(("SELECT", "UPDATE", "INSERT")) and not many:
            statements.append((statement, parameters))

    event.listen(store.database.bound(), "before_cursor_execute", note)
    act()
    event.remove(store.database.bound(), "before_cursor_execute", note)
    found = []
    with store.database.reading() as conn:
        for statement, parameters in statements:
            rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            found.append((statement, [row[3] for row in rows]))
    return found


def scans(found, tables):
    """The steps that walk through a whole table of the history."""
    steps = [
        (step, statement) for statement, plan in found for step in plan if step.startswith("SCAN")
    ]
    return [(step, statement) for step, statement in steps if step.split()[1] in tables]


def all_ids(installation):
    return [i for (i,) in installation.rows("SELECT id FROM account")]


def test_latest_windows_come_by_their_index(busy_house):
    ids = all_ids(busy_house)

    def act():
        with store.database.reading() as conn:
            store.windows.windows(conn, ids)

    [(_, plan)] = plans(busy_house, act)
    assert any(
        "SEARCH limit_window USING INDEX uq_limit_window_account_id_key" in step for step in plan
    )
    assert not any(step.startswith("SCAN") for step in plan)


def test_the_newest_facts_come_by_their_key(busy_house):
    ids = all_ids(busy_house)

    def act():
        with store.database.reading() as conn:
            store.windows.facts(conn, ids)

    [(_, plan)] = plans(busy_house, act)
    assert not any(step.startswith("SCAN") for step in plan)
    assert sum("account_fact" in step and "PRIMARY KEY" in step for step in plan) >= 1


def test_the_overview_walks_through_no_history(busy_house):
    found = plans(
        busy_house, lambda: overview.load_overview(busy_house.scope, busy_house.now, 3_600)
    )

    assert found
    assert scans(found, HISTORY) == []


def test_the_overview_needs_the_same_queries_for_three_accounts_and_for_thirty(busy_house):
    few = len(
        plans(busy_house, lambda: overview.load_overview(busy_house.scope, busy_house.now, 3_600))
    )
    with store.database.transaction() as tx:
        for number in range(27):
            store.accounts.add(tx, f"account {number}", store.accounts.MANAGED, NOW)
    many = len(
        plans(busy_house, lambda: overview.load_overview(busy_house.scope, busy_house.now, 3_600))
    )

    assert few == many


def test_a_refresh_walks_through_no_history(busy_house):
    found = plans(busy_house, busy_house.ask)

    assert any("INSERT INTO reading" in statement for statement, _ in found) or len(found) > 5
    assert scans(found, HISTORY) == []


def test_a_login_is_found_by_its_index(busy_house):
    def act():
        with store.database.reading() as conn:
            assert [
                a.name
                for a in store.accounts.of_login(conn, Login("acct-bob", "user-acct-bob"), "")
            ] == ["bob"]

    [(_, plan)] = plans(busy_house, act)
    assert any("ix_account_chatgpt_account_id" in step for step in plan)
    assert not any(step.startswith("SCAN") for step in plan)


def test_the_newest_events_of_many_accounts_come_by_their_moments(busy_house):
    """Not all events of each account, to be sorted then."""
    ids = all_ids(busy_house)
    query = store.event_log.EventQuery(["used_up", "back"], ids, since=busy_house.now - 3_600)

    def act():
        with store.database.reading() as conn:
            store.event_log.latest(conn, query, 60)

    [(_, plan)] = plans(busy_house, act)
    assert any("SEARCH event USING INDEX ix_event_at" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)


def test_the_resets_that_answers_showed_come_by_their_moments(busy_house):
    """Each batch of answers asks for them, however long the history is."""
    ids = all_ids(busy_house)

    def act():
        with store.database.reading() as conn:
            store.alert_events.told(conn, ["reset_early"], ids, busy_house.now)

    [(_, plan)] = plans(busy_house, act)
    assert any("SEARCH event USING INDEX ix_event_at" in step for step in plan)
