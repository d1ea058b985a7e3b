"""A database on the server that a test has left is for the next one what a new copy would be."""

import pytest
from sqlalchemy import text

from quota_web import store
from quota_web.demo import fill
from quota_web.reports import overview
from quota_web.store.accounts import Scope
from tests.emptied_databases import EmptiedDatabases
from tests.fakes import NOW
from tests.fillings import Filling
from tests.operations import add_account, opened, record


@pytest.fixture(scope="module")
def databases(postgres):
    return EmptiedDatabases(postgres)


def number_of(databases, url):
    """What the server itself calls the database, whatever its name is."""
    with databases.server.connected(databases.server.name(url)) as conn:
        return conn.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()[0]


def contents(databases, url):
    """All rows of all tables, the next number of each sequence, and what the server believes of the
    tables' sizes.
    """
    with databases.server.connected(databases.server.name(url)) as conn:
        tables = sorted(store.models.metadata.tables)
        rows = {name: conn.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
        sequences = conn.execute("SELECT sequencename FROM pg_sequences").fetchall()
        numbers = {
            name: conn.execute(f"SELECT last_value, is_called FROM {name}").fetchone()
            for (name,) in sorted(sequences)
        }
        sizes = conn.execute(
            "SELECT relname, relpages, reltuples FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
        ).fetchall()
        return rows, numbers, sizes


def test_one_that_was_filled_is_used_again_as_it_began(databases, instance_dir):
    with databases.one() as url:
        first, began = number_of(databases, url), contents(databases, url)
        with opened(instance_dir, QUOTA_DATABASE_URL=url):
            record(add_account("alice"), NOW)
            # Somebody forgets a connection, in the midst of a transaction.
            forgotten = store.database.bound().connect()
            forgotten.execute(text("SELECT * FROM account"))
            # As a copy from another database does: the next number is set, and none was given.
            with store.database.transaction() as tx:
                tx.execute(text("SELECT setval('event_id_seq', 90, false)"))
        assert contents(databases, url) != began
    forgotten.invalidate()
    forgotten.close()

    with databases.one() as again:
        assert (number_of(databases, again), contents(databases, again)) == (first, began)
        assert again != url


def test_one_that_began_with_a_filling_is_used_again_as_it_began(postgres, fillings, instance_dir):
    filled = fillings.databases(postgres, Filling(2, 1, forecasts=True))
    with filled.one() as url:
        first, began = number_of(filled, url), contents(filled, url)
        with opened(instance_dir, QUOTA_DATABASE_URL=url):
            assert len(overview.load_overview(Scope(), NOW, 3_600).accounts) == 2
            fill.remove(NOW)
            record(add_account("carol"), NOW)
        assert contents(filled, url) != began

    with filled.one() as again:
        assert (number_of(filled, again), contents(filled, again)) == (first, began)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE account ADD COLUMN odd INTEGER",
        "CREATE TABLE odd (x INTEGER)",
        "DROP INDEX ix_event_at",
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
    ],
)
def test_one_whose_schema_or_settings_were_changed_is_not_used_again(databases, change):
    with databases.one() as url:
        changed = number_of(databases, url)
        with databases.server.connected(name := databases.server.name(url)) as conn:
            conn.execute(change.format(name=name))

    with databases.one() as another:
        assert number_of(databases, another) != changed
