"""Statements that the rooms of the store share."""

import subprocess
import sys

import pytest
from sqlalchemy import bindparam, insert, select, update

from quota_web import store
from quota_web.store.accounts import MANAGED
from quota_web.store.many_rows import run_many

NOW = 1_795_262_400


pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def tx(installation):
    with store.database.transaction() as conn:
        yield conn


def test_many_rows_are_written_with_the_statements_own_values(tx):
    ids = [store.accounts.add(tx, name, MANAGED, NOW) for name in ("alice", "bob")]
    release = (
        update(store.models.account)
        .where(store.models.account.c.id == bindparam("b_id"))
        .values(claim_id=None, failures=store.models.account.c.failures + 3)
    )
    tx.execute(update(store.models.account).values(claim_id=7))
    rows = [{"b_id": ids[0], "interval_s": 60}, {"b_id": ids[1], "interval_s": 61}]
    run_many(tx, release, rows)

    a = store.models.account.c
    written = tx.execute(select(a.claim_id, a.failures, a.interval_s).order_by(a.id)).all()
    assert [tuple(r) for r in written] == [(None, 3, 60), (None, 3, 61)]


def test_no_rows_are_no_statement(tx):
    run_many(tx, insert(store.models.setting), [])

    assert tx.execute(select(store.models.setting)).all() == []


def test_a_column_that_no_row_names_gets_its_default(tx):
    account_id = store.accounts.add(tx, "alice", MANAGED, NOW)
    run_many(tx, insert(store.models.account_fact), [{"account_id": account_id, "since": NOW}])

    assert tx.execute(select(store.models.account_fact.c.spend_reached)).all() == [(False,)]


def test_a_second_row_takes_the_place_of_the_first(tx):
    new = store.database.insert_of(tx.dialect.name)(store.models.setting)
    put = new.on_conflict_do_update(index_elements=["key"], set_={"value": new.excluded.value})
    run_many(tx, put, [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    run_many(tx, put, [{"key": "a", "value": "3"}])

    assert dict(
        tx.execute(select(store.models.setting.c.key, store.models.setting.c.value)).all()
    ) == {"a": "3", "b": "2"}


def test_flags_read_for_everybody_are_truth_values(tx):
    account_id = store.accounts.add(tx, "alice", MANAGED, NOW)
    row = {
        "account_id": account_id,
        "since": NOW,
        "plan": "plus",
        "allowed": False,
        "limit_reached": None,
        "spend_reached": True,
    }
    tx.execute(insert(store.models.account_fact).values(**row))

    one, everybody = (
        store.windows.facts(tx, [account_id])[account_id],
        store.windows.facts(tx)[account_id],
    )
    assert one == everybody
    assert (everybody.allowed, everybody.limit_reached, everybody.spend_reached) == (
        False,
        None,
        True,
    )
    assert (type(everybody.allowed), type(everybody.spend_reached)) == (bool, bool)


def test_what_is_kept_of_a_row_follows_every_write(tx):
    account_id = store.accounts.add(tx, "alice", MANAGED, NOW)
    before = store.accounts.get_by_ids(tx, [account_id])[account_id]
    assert store.accounts.list_all(tx)[0] is before, "an equal row is the same value"
    store.accounts.update_account(tx, account_id, attempted_at=NOW)

    assert store.accounts.get_by_ids(tx, [account_id])[account_id].attempted_at == NOW
    assert store.accounts.list_all(tx)[0].attempted_at == NOW
    version = store.site_state.read(tx).data_version
    store.site_state.bump_version(tx, NOW)
    assert store.site_state.read(tx).data_version == version + 1


def test_the_other_databases_dialect_is_not_loaded_for_a_command():
    code = (
        "import sys, quota_web.cli.refresh; print([m for m in "
        "('sqlalchemy.dialects.postgresql', 'urllib3', 'requests', 'alembic') if m in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
