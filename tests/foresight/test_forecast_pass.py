"""The pass that stores forecasts and the order of use, on both databases."""

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.foresight import WindowHistory, forecast, forecast_pass, making
from quota_web.foresight.forecast_pass import CHUNK
from quota_web.maintenance import prune
from quota_web.refresh import hooks
from tests.fakes import NOW, FakeResponse, usage_body

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
pytestmark = pytest.mark.usefixtures("database")


def run(installation, now=None):
    return forecast_pass.run(now or installation.now, HOUR, None)


def present(installation):
    """What is said of each window, by its key."""
    with store.database.reading() as conn:
        said = store.forecasts.present(conn)
    rows = installation.rows("SELECT id, key FROM limit_window ORDER BY id")
    return {key: said[window_id] for window_id, key in rows if window_id in said}


def ask(installation, codex, moment, *used):
    installation.now = moment
    codex.answers("acct-alice", FakeResponse(body=usage_body(*used)))
    installation.refresh("alice", force=True)


@pytest.fixture
def alice(installation, codex):
    installation.file("alice")
    ask(installation, codex, NOW, 12, 40)
    return installation


@contextmanager
def statements():
    found = []

    def note(conn, cursor, statement, *_):
        found.append(statement)

    engine = store.database.bound()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_each_window_is_given_a_forecast(alice):
    assert run(alice) == 2

    said = present(alice)
    assert {key: one.state for key, one in said.items()} == {
        "five_hour": "few_data",
        "weekly": "few_data",
    }
    assert (said["weekly"].used_percent, said["weekly"].made_at) == (40, NOW)


def test_nothing_is_made_twice(alice):
    run(alice)

    assert run(alice) == 0


def test_the_version_of_the_data_grows_with_what_is_stored_alone(alice):
    def versions():
        return alice.rows("SELECT data_version, version FROM site_state, account")

    before = versions()
    run(alice)
    after = versions()
    run(alice)

    assert [b < a for b, a in zip(before[0], after[0], strict=True)] == [True, True]
    assert versions() == after


def test_a_window_that_moved_waits_five_minutes(alice, codex):
    run(alice)
    ask(alice, codex, NOW + 4 * MINUTE, 20, 41)
    assert run(alice) == 0

    ask(alice, codex, NOW + 5 * MINUTE, 21, 41)
    assert run(alice) == 2
    assert present(alice)["five_hour"].used_percent == 21


def test_an_exhausted_window_is_said_at_once_and_what_it_does_to_the_others(alice, codex):
    run(alice)
    ask(alice, codex, NOW + MINUTE, 12, 100)

    assert run(alice) == 2
    said = present(alice)
    assert (said["weekly"].state, said["weekly"].run_out_probability) == ("exhausted", 1)
    assert (said["five_hour"].state, said["five_hour"].blocked_by) == ("blocked_by", "weekly")


def test_what_is_made_of_stored_readings_is_what_all_readings_make(installation):
    """The hours of the rollups say nearly the same as thousands of raw readings."""
    fill.fill(1, 30, NOW)
    run(installation)

    said = present(installation)["weekly"]
    rows = installation.rows(
        "SELECT r.taken_at, r.used_percent, r.resets_at FROM reading r JOIN limit_window w"
        " ON w.id = r.window_id WHERE w.key = 'weekly' AND r.used_percent IS NOT NULL"
        " ORDER BY r.taken_at"
    )
    whole = forecast(WindowHistory("weekly", WEEK, *zip(*rows, strict=True)), (), NOW, None)
    assert said.run_out_probability == pytest.approx(whole.run_out_probability, abs=0.05)
    assert said.rest[1] == pytest.approx(whole.remaining_at_reset(0.5), abs=5)


def test_a_short_window_is_forecast_alike_whether_or_not_the_week_is_wanted(installation):
    """Of a week that is not wanted, less is read."""
    fill.fill(1, 80, NOW, every_s=1_800)
    with store.database.reading() as conn:
        [here] = store.windows.windows(conn).values()
        short, week = (
            w.id for key in ("five_hour", "weekly") for w in here if w.reading.key == key
        )
        alone, both = (
            making.make(conn, [making.Due(here[0].account_id, here, wanted)], NOW, None)
            for wanted in (frozenset({short}), frozenset({short, week}))
        )

    assert alone == [one for one in both if one.window_id == short]
    assert alone[0].exchange is not None


def test_the_first_forecast_of_each_day_is_kept(installation):
    fill.fill(1, 10, NOW)
    midnight = NOW - NOW % DAY + DAY
    for moment in (NOW, NOW + HOUR, midnight, midnight + HOUR):
        run(installation, moment)

    # What was invented grows no older: only what still holds is said anew.
    kept = installation.rows(
        "SELECT DISTINCT day, made_at FROM forecast WHERE day > 0 ORDER BY made_at"
    )
    assert kept[0] == (NOW - NOW % DAY, NOW)
    assert len({day for day, _ in kept}) == len(kept)


def test_the_number_of_queries_is_the_same_for_any_number_of_accounts(installation):
    # With the failing account that the ninth one is, for which one query more is run.
    fill.fill(9, 3, NOW)
    with statements() as few:
        run(installation)
    fill.remove(NOW)
    fill.fill(CHUNK - 1, 3, NOW)
    with statements() as many:
        run(installation)

    assert len(few) == len(many)


def test_the_order_of_use_is_stored_with_its_moment(alice):
    run(alice)

    with store.database.reading() as conn:
        chosen = store.forecasts.choice(conn)
    assert chosen is not None
    assert (chosen.at, [r.reasons for r in chosen.ranked]) == (NOW, [("only_one",)])


def test_a_stop_ends_the_pass_and_stores_what_is_there(alice):
    assert forecast_pass.run(NOW, HOUR, None, lambda: True) == 0

    assert present(alice) == {}


def test_a_deleted_account_leaves_no_forecast(alice):
    run(alice)
    account_service.remove("alice", NOW, "test")
    prune.purge_deleted()

    assert alice.rows("SELECT count(*) FROM forecast") == [(0,)]


def test_the_removed_demo_leaves_no_forecast(installation):
    fill.fill(2, 3, NOW)
    run(installation)
    fill.remove(NOW)

    assert installation.rows("SELECT count(*) FROM forecast") == [(0,)]


def test_it_follows_a_refresh(alice):
    with clock.frozen(NOW):
        hooks.hooks().finished()

    assert set(present(alice)) == {"five_hour", "weekly"}


def test_a_refresh_does_not_wait_for_a_pass_that_goes_on(alice, monkeypatch):
    second = []

    def make_slowly(*args):
        other = threading.Thread(target=in_thread)
        other.start()
        other.join(10)
        return []

    def in_thread():
        with alice.app.app_context():
            second.append(run(alice))

    monkeypatch.setattr(forecast_pass, "make", make_slowly)
    run(alice)

    assert second == [0]
