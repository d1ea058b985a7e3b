"""What is tidied up beside asking: deleted accounts, old history, wrong guesses, SQLite's log."""

import threading
from dataclasses import replace

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core import clock
from quota_web.factory import chores
from quota_web.maintenance import prune
from quota_web.refresh import housekeeping
from quota_web.refresh.housekeeping import Housekeeping
from tests.fakes import NOW

DAY = 86_400


@pytest.fixture
def hours(monkeypatch):
    """Lets hours pass on the clock that cannot be set."""
    passed = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: passed[0])
    return lambda count: passed.__setitem__(0, passed[0] + count * 3_600.0)


def test_the_history_of_deleted_accounts_goes(installation, monkeypatch):
    monkeypatch.setattr(prune, "CHUNK", 3)
    installation.file("alice")
    for _ in range(5):
        installation.refresh("alice")
        installation.now += 60
    assert len(installation.rows("SELECT * FROM reading")) == 10
    account_service.remove("alice", NOW, "test")
    Housekeeping(chores(), None).work(NOW, threading.Event())

    for table in ("account", "reading", "rollup", "attempt", "limit_window", "account_fact"):
        assert installation.rows(f"SELECT * FROM {table}") == [], table


def test_others_keep_theirs(installation):
    installation.file("alice")
    installation.file("bob")
    installation.refresh()
    account_service.remove("alice", NOW, "test")
    Housekeeping(chores(), None).work(NOW, threading.Event())

    assert len(installation.rows("SELECT * FROM reading")) == 2


def test_a_stop_ends_them_at_once(installation):
    installation.file("alice")
    installation.refresh()
    account_service.remove("alice", NOW, "test")
    stop = threading.Event()
    stop.set()
    Housekeeping(chores(), 1).work(NOW, stop)

    assert len(installation.rows("SELECT * FROM reading")) == 2


def test_old_readings_go_when_the_clock_has_kept_pace(installation, hours):
    installation.file("alice")
    installation.refresh()
    tidy, now = Housekeeping(chores(), 30), NOW + 40 * DAY
    for _ in range(housekeeping.STEADY_ROUNDS - 1):
        tidy.work(now, threading.Event())
        now += 3_600
        hours(1)
    assert len(installation.rows("SELECT * FROM reading")) == 2
    tidy.work(now, threading.Event())

    assert installation.rows("SELECT * FROM reading") == []
    assert installation.rows("SELECT * FROM rollup") != []


def test_a_clock_that_jumped_ahead_makes_nothing_old(installation, hours):
    installation.file("alice")
    installation.refresh()
    tidy, now = Housekeeping(chores(), 30), NOW
    for _ in range(5):
        tidy.work(now, threading.Event())
        now += 3_600
        hours(1)
    tidy.work(now + 365 * DAY, threading.Event())
    hours(1)
    tidy.work(now + 3_600, threading.Event())

    assert len(installation.rows("SELECT * FROM reading")) == 2


def test_without_a_retention_everything_stays(installation, hours):
    installation.file("alice")
    installation.refresh()
    tidy = Housekeeping(chores(), None)
    for hour in range(5):
        tidy.work(NOW + 400 * DAY + hour * 3_600, threading.Event())
        hours(1)

    assert len(installation.rows("SELECT * FROM reading")) == 2


def test_wrong_guesses_are_forgotten_after_an_hour(installation):
    with store.database.transaction() as tx:
        store.auth.add_failure(tx, "192.0.2.1", NOW - 7_200)
        store.auth.add_failure(tx, "192.0.2.1", NOW - 60)
    Housekeeping(chores(), None).work(NOW, threading.Event())

    assert installation.rows("SELECT at FROM login_failure") == [(NOW - 60,)]


def test_the_log_is_moved_into_the_database(installation):
    installation.file("alice")
    installation.refresh()
    log = installation.database.with_name("quota.sqlite-wal")
    assert log.stat().st_size > 0

    assert store.wal_checkpoint.truncate_log()
    assert log.stat().st_size == 0


def test_a_reader_is_not_waited_for(installation):
    installation.file("alice")
    installation.refresh()
    go_on, reads = threading.Event(), threading.Event()

    def read() -> None:
        with installation.app.app_context(), store.database.reading() as conn:
            conn.exec_driver_sql("SELECT * FROM reading").fetchall()
            reads.set()
            go_on.wait(10)

    reader = threading.Thread(target=read)
    reader.start()
    reads.wait(10)
    installation.file("bob")
    installation.refresh()

    assert not store.wal_checkpoint.truncate_log()
    go_on.set()
    reader.join()
    assert store.wal_checkpoint.truncate_log()
    assert installation.rows("PRAGMA busy_timeout") == [(store.database.BUSY_TIMEOUT_MS,)]


@pytest.mark.parametrize("failing", ["purge_deleted", "judge_all", "settle"])
def test_a_chore_that_fails_keeps_no_other_from_being_done(installation, failing):
    with store.database.transaction() as tx:
        store.auth.add_failure(tx, "192.0.2.1", NOW - 7_200)

    def fail(*_):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Housekeeping(replace(chores(), **{failing: fail}), None).work(NOW, threading.Event())

    assert installation.rows("SELECT at FROM login_failure") == []
