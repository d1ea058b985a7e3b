"""Old history goes in whole days, its rollups stay, counters never fall; and what is derived can be
made anew from what is there.
"""

import pytest
from sqlalchemy import delete, update

from quota_web import store
from quota_web.accounts import account_service
from quota_web.auth import share_links
from quota_web.core.quota import Facts
from quota_web.maintenance import prune, rebuild
from quota_web.services import services
from tests.fakes import NOW
from tests.operations import DAY, all_rows, fill_history, opened, record, rows, run

TODAY = NOW - NOW % DAY


@pytest.fixture
def app(instance_dir, database):
    with opened(instance_dir, **database) as app:
        yield app


@pytest.fixture
def ids(app):
    return fill_history(4)


def test_readings_from_before_go_and_everything_else_stays(ids):
    rollups, latest, before = (
        all_rows(store.models.rollup),
        all_rows(store.models.limit_window),
        rows(store.models.reading),
    )

    done = prune.prune(TODAY - DAY + 5_000, NOW, "test")

    times = [row.taken_at for row in _readings()]
    assert done.before == TODAY - DAY == min(times)
    assert done.readings == before - len(times) > 0
    assert all_rows(store.models.rollup) == rollups
    assert all_rows(store.models.limit_window) == latest


def _readings():
    with store.database.reading() as conn:
        return conn.execute(store.models.reading.select()).all()


def test_many_go_in_small_pieces(ids, monkeypatch):
    monkeypatch.setattr(prune, "CHUNK", 7)

    assert prune.prune(NOW, NOW, "test").readings == 4 * (24 * 4 - NOW % DAY // 3_600)
    assert min(row.taken_at for row in _readings()) == TODAY


def test_what_is_stopped_has_done_what_it_did(ids, monkeypatch):
    monkeypatch.setattr(prune, "CHUNK", 10)
    asked = iter([False] * 3 + [True] * 10_000)

    done = prune.prune(NOW, NOW, "test", lambda: next(asked))

    assert done.readings == 30
    assert rows(store.models.reading) == 4 * 24 * 4 - 30


def test_attempts_go_but_counters_never_fall(ids):
    for hour, facts in enumerate([Facts("plus"), Facts("pro")] * 3):
        record(ids[0], NOW + hour * 3_600, facts=facts)
    with store.database.transaction() as tx:
        # Runs that ended days ago, of an account that is in another one by now.
        tx.execute(
            update(store.models.attempt)
            .where(store.models.attempt.c.account_id == ids[0])
            .values(last_at=NOW - 3 * DAY, first_at=NOW - 3 * DAY)
        )
    with store.database.reading() as conn:
        before = store.attempts.totals(conn)
    count = rows(store.models.attempt)

    done = prune.prune(NOW, NOW, "test")

    assert (done.attempts, rows(store.models.attempt)) == (1, count - 1)
    with store.database.reading() as conn:
        assert store.attempts.totals(conn) == before


def test_a_run_that_still_goes_on_stays(ids):
    prune.prune(NOW + 900 * DAY, NOW, "test")

    assert rows(store.models.attempt) == 2
    record(ids[0], NOW + 60)
    with store.database.reading() as conn:
        assert store.attempts.totals(conn)["ok"].count == 2 * 4 * 24 + 1


def test_the_command_says_how_much(app, ids):
    result = run(app, "prune", "--before", "2026-11-21")

    assert result.exit_code == 0
    assert (
        result.stdout
        == "Deleted 336 readings and 0 entries of attempts from before 2026-11-21T00:00:00Z.\n"
    )
    assert run(app, "prune", "--before", "2026-11-21").stdout.startswith("Deleted 0 readings")


def test_dates_that_cannot_be_meant_are_refused(app, ids):
    for date in ("yesterday", "2026-13-01", "2026-11-23", "-5", ""):
        result = run(app, "prune", "--before", date)

        assert (result.exit_code, result.stderr.count("\n")) == (1, 1), date
        assert rows(store.models.reading) == 4 * 24 * 4


def test_a_deleted_account_leaves_nothing_but_its_counts(ids, monkeypatch):
    monkeypatch.setattr(prune, "CHUNK", 50)
    with store.database.reading() as conn:
        before = store.attempts.totals(conn)
    for name in ("", "alice"):
        share_links.create(services().scope, "calendar", name, False, "", NOW, "test")
    account_service.remove("alice", NOW, "test")

    assert prune.purge_deleted() > 200

    assert [row.id for row in _accounts()] == [ids[1]]
    windows = {row.id for row in _table(store.models.limit_window)}
    for table in (store.models.reading, store.models.rollup):
        assert {row.window_id for row in _table(table)} == windows
    for table in (store.models.account_fact, store.models.attempt, store.models.limit_window):
        assert {row.account_id for row in _table(table)} == {ids[1]}
    assert [row.account_id for row in _table(store.models.share_link)] == [None]
    with store.database.reading() as conn:
        assert store.attempts.totals(conn) == before


def _table(table):
    with store.database.reading() as conn:
        return conn.execute(table.select()).all()


def _accounts():
    return _table(store.models.account)


def test_everything_derived_is_made_anew_as_it_was(app, ids):
    record(ids[0], NOW + 60, 55)
    # rose_at and spend amounts are no part of a reading; the rest of a window's row is.
    rollups, latest = all_rows(store.models.rollup), all_rows(store.models.limit_window)
    with store.database.transaction() as tx:
        tx.execute(delete(store.models.rollup))
        tx.execute(
            update(store.models.limit_window).values(used_percent=1, resets_at=2, taken_at=3)
        )

    done = rebuild.rebuild(NOW, "test", lambda *_: None)

    assert (done.windows, done.readings, done.corrected) == (4, rows(store.models.reading), 4)
    assert all_rows(store.models.rollup) == rollups
    assert all_rows(store.models.limit_window) == latest


def test_rollups_of_pruned_days_survive_a_rebuild(ids):
    rollups = all_rows(store.models.rollup)
    prune.prune(TODAY - DAY, NOW, "test")

    rebuild.rebuild(NOW, "test", lambda *_: None)

    assert all_rows(store.models.rollup) == rollups


def test_a_whole_history_that_was_pruned_survives_too(ids):
    rollups, latest = all_rows(store.models.rollup), all_rows(store.models.limit_window)
    with store.database.transaction() as tx:
        tx.execute(delete(store.models.reading))

    rebuild.rebuild(NOW, "test", lambda *_: None)

    assert (all_rows(store.models.rollup), all_rows(store.models.limit_window)) == (rollups, latest)
