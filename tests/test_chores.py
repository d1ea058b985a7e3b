"""What is tidied up beside asking: deleted accounts, old history, wrong guesses, SQLite's log."""

import threading

import pytest

from quota_web import accounts, chores, clock, pruning
from quota_web.chores import Chores
from quota_web.store import chores as store
from quota_web.store import engine
from quota_web.store import sign_in as sign_in_store
from tests.fakes import NOW

DAY = 86_400


@pytest.fixture
def hours(monkeypatch):
    """Lets hours pass on the clock that cannot be set."""
    passed = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: passed[0])
    return lambda count: passed.__setitem__(0, passed[0] + count * 3_600.0)


def test_the_history_of_deleted_accounts_goes(house, monkeypatch):
    monkeypatch.setattr(pruning, "CHUNK", 3)
    house.file("alice")
    for _ in range(5):
        house.refresh("alice")
        house.now += 60
    assert len(house.rows("SELECT * FROM reading")) == 10
    accounts.remove("alice", NOW, "test")
    Chores(None).work(NOW, threading.Event())

    for table in ("account", "reading", "rollup", "attempt", "limit_window", "account_fact"):
        assert house.rows(f"SELECT * FROM {table}") == [], table


def test_others_keep_theirs(house):
    house.file("alice")
    house.file("bob")
    house.refresh()
    accounts.remove("alice", NOW, "test")
    Chores(None).work(NOW, threading.Event())

    assert len(house.rows("SELECT * FROM reading")) == 2


def test_a_stop_ends_them_at_once(house):
    house.file("alice")
    house.refresh()
    accounts.remove("alice", NOW, "test")
    stop = threading.Event()
    stop.set()
    Chores(1).work(NOW, stop)

    assert len(house.rows("SELECT * FROM reading")) == 2


def test_old_readings_go_when_the_clock_has_kept_pace(house, hours):
    house.file("alice")
    house.refresh()
    tidy, now = Chores(30), NOW + 40 * DAY
    for _ in range(chores.STEADY_ROUNDS - 1):
        tidy.work(now, threading.Event())
        now += 3_600
        hours(1)
    assert len(house.rows("SELECT * FROM reading")) == 2
    tidy.work(now, threading.Event())

    assert house.rows("SELECT * FROM reading") == []
    assert house.rows("SELECT * FROM rollup") != []


def test_a_clock_that_jumped_ahead_makes_nothing_old(house, hours):
    house.file("alice")
    house.refresh()
    tidy, now = Chores(30), NOW
    for _ in range(5):
        tidy.work(now, threading.Event())
        now += 3_600
        hours(1)
    tidy.work(now + 365 * DAY, threading.Event())
    hours(1)
    tidy.work(now + 3_600, threading.Event())

    assert len(house.rows("SELECT * FROM reading")) == 2


def test_without_a_retention_everything_stays(house, hours):
    house.file("alice")
    house.refresh()
    tidy = Chores(None)
    for hour in range(5):
        tidy.work(NOW + 400 * DAY + hour * 3_600, threading.Event())
        hours(1)

    assert len(house.rows("SELECT * FROM reading")) == 2


def test_wrong_guesses_are_forgotten_after_an_hour(house):
    with engine.transaction() as tx:
        sign_in_store.add_failure(tx, "192.0.2.1", NOW - 7_200)
        sign_in_store.add_failure(tx, "192.0.2.1", NOW - 60)
    Chores(None).work(NOW, threading.Event())

    assert house.rows("SELECT at FROM login_failure") == [(NOW - 60,)]


def test_the_log_is_moved_into_the_database(house):
    house.file("alice")
    house.refresh()
    log = house.database.with_name("quota.sqlite-wal")
    assert log.stat().st_size > 0

    assert store.truncate_log()
    assert log.stat().st_size == 0


def test_a_reader_is_not_waited_for(house):
    house.file("alice")
    house.refresh()
    go_on, reads = threading.Event(), threading.Event()

    def read() -> None:
        with house.app.app_context(), engine.reading() as conn:
            conn.exec_driver_sql("SELECT * FROM reading").fetchall()
            reads.set()
            go_on.wait(10)

    reader = threading.Thread(target=read)
    reader.start()
    reads.wait(10)
    house.file("bob")
    house.refresh()

    assert not store.truncate_log()
    go_on.set()
    reader.join()
    assert store.truncate_log()
    assert house.rows("PRAGMA busy_timeout") == [(engine.BUSY_TIMEOUT_MS,)]
