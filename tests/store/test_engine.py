"""How SQLite is opened and written: pragmas, transactions that take their lock at once, and errors
made plain.
"""

import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from quota_web import store
from quota_web.core.errors import BadDatabase, BadSetting, DatabaseBusy
from quota_web.store.models import account
from tests.fakes import NOW
from tests.installation import OtherProcess

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "journal_size_limit": 16_777_216,
}


def test_every_connection_has_our_pragmas(installation):
    with (
        store.database.bound().connect() as one,
        store.database.bound().connect() as two,
        store.database.bound().connect() as three,
    ):
        for conn in (one, two, three):
            assert {
                name: conn.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS
            } == PRAGMAS


def test_a_transaction_takes_the_write_lock_before_its_first_statement(installation):
    other = sqlite3.connect(installation.database, timeout=0, isolation_level=None)
    with store.database.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_reading_takes_no_lock_and_sees_one_state(installation):
    with store.database.reading() as conn:
        before = store.site_state.read(conn).data_version
        other = sqlite3.connect(installation.database, timeout=0)
        other.execute("UPDATE site_state SET data_version = data_version + 1")
        other.commit()
        other.close()
        assert store.site_state.read(conn).data_version == before
    with store.database.reading() as conn:
        assert store.site_state.read(conn).data_version == before + 1


def test_two_writers_that_read_first_lose_nothing(installation):
    def count_up() -> None:
        for _ in range(60):
            with store.database.transaction() as tx:
                value = int(
                    tx.execute(text("SELECT coalesce(max(value), '0') FROM setting")).scalar_one()
                )
                tx.execute(text("DELETE FROM setting"))
                tx.execute(
                    text("INSERT INTO setting (key, value) VALUES ('n', :value)"),
                    {"value": str(value + 1)},
                )

    with OtherProcess(installation, count_up), OtherProcess(installation, count_up):
        count_up()

    assert installation.rows("SELECT value FROM setting") == [("180",)]


@pytest.mark.parametrize("inner", [store.database.transaction, store.database.reading])
@pytest.mark.parametrize("outer", [store.database.transaction, store.database.reading])
def test_a_transaction_inside_another_is_refused(installation, outer, inner):
    # On SQLite it would silently be part of the outer one, or not be immediate.
    with outer(), pytest.raises(RuntimeError, match="already open"), inner():
        pass


def test_after_an_error_the_next_transaction_opens(installation):
    with pytest.raises(KeyError), store.database.transaction():
        raise KeyError
    with store.database.transaction() as tx:
        store.site_state.bump_version(tx, NOW)


def test_an_error_rolls_everything_back(installation):
    def half_done() -> None:
        with store.database.transaction() as tx:
            store.accounts.add(tx, "alice", store.accounts.MANAGED, NOW)
            raise KeyError

    with pytest.raises(KeyError):
        half_done()

    assert installation.names() == []


def test_a_database_that_stays_locked_is_busy(installation, monkeypatch):
    monkeypatch.setattr(store.database, "BUSY_TIMEOUT_MS", 50)
    store.database.bound().dispose()
    other = sqlite3.connect(installation.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseBusy, match="busy; try again"), store.database.transaction():
        pass

    other.close()
    with store.database.transaction():
        pass


def test_a_writer_waits_for_another(installation):
    other = sqlite3.connect(installation.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()

    with store.database.transaction():
        assert time.monotonic() - started > 0.2
    other.close()


def test_a_mistake_in_a_statement_stays_what_it_is(installation):
    with pytest.raises(IntegrityError), store.database.transaction() as tx:
        tx.execute(account.insert().values(name="x", origin="managed", created_at=1, status=None))


def test_an_error_shows_no_values(installation):
    with pytest.raises(IntegrityError) as raised, store.database.transaction() as tx:
        tx.execute(
            account.insert().values(name="CANARY", origin="managed", created_at=1, status=None)
        )

    assert "CANARY" not in str(raised.value)


def test_a_query_that_cannot_run_is_a_bad_database(installation):
    with pytest.raises(BadDatabase, match="no such table"), store.database.reading() as conn:
        conn.execute(text("SELECT * FROM nowhere"))


def test_an_operational_error_without_a_cause_of_ours_passes():
    error = OperationalError("x", None, ValueError("odd"))

    assert store.db_errors.plain_error(error) is error


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:CANARY@h:abc/x",
        "postgresql://[::1/x",
        "postgresql://u:CANARY@h:99999999/x?a=b",
    ],
)
def test_an_address_that_no_driver_takes_is_a_bad_setting_or_a_bad_database(installation, url):
    with (
        pytest.raises((BadSetting, BadDatabase)) as refused,
        installation.another(QUOTA_DATABASE_URL=url).app_context(),
        store.database.reading(),
    ):
        pass

    assert "CANARY" not in str(refused.value)
    assert "\n" not in str(refused.value)


FORKS = """
import os, sys
from quota_web import config, store
from quota_web.factory import create_app
from quota_web.services import services

app = create_app(config.load())
with app.app_context():
    services().ready()
    with store.database.reading() as conn:
        store.site_state.read(conn)
    assert store.database.bound().pool.checkedin() == 1
    child = os.fork()
    if child == 0:
        assert store.database.bound().pool.checkedin() == 0
        with store.database.transaction() as tx:
            store.site_state.bump_version(tx, 1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert store.database.bound().pool.checkedin() == 1
    with store.database.reading() as conn:
        print(store.site_state.read(conn).data_version)
"""


def test_flask_sqlalchemy_uses_the_engine_that_commands_use(installation):
    assert store.database.extension().engine is store.database.bound()


ORM_LOADED = """
import sys
from quota_web import config, factory
factory.create_app(config.load(), pages=False)
print(sorted(m for m in ("flask_sqlalchemy", "sqlalchemy.orm") if m in sys.modules))
"""


def test_a_command_loads_no_orm(installation):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ORM_LOADED],
        env=installation.process_environment(),
        capture_output=True,
        text=True,
    )

    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_no_connection_crosses_a_fork(installation):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        env=installation.process_environment(),
        capture_output=True,
        text=True,
    )

    assert (ran.stdout, ran.stderr) == ("2\n", "")


def test_a_select_does_not_wait_for_a_writer(installation):
    with store.database.transaction() as tx:
        store.accounts.add(tx, "alice", store.accounts.MANAGED, NOW)

        def look():
            with store.database.reading() as conn:
                return len(conn.execute(select(account.c.id)).all())

        with OtherProcess(installation, look) as reader:
            pass
    assert reader.result == 0
