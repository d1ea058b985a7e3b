"""Reports that are not made anew are those that would have been made: whatever was written, and whatever time has flipped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quota_web import clock, config, demo, reports, results
from quota_web.factory import create_app
from quota_web.store import accounts as store
from quota_web.store import engine, models, site
from quota_web.store.accounts import Scope
from quota_web.world import world
from tests.fakes import NOW

HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    app = create_app(config.load({"QUOTA_INSTANCE_DIR": str(folder), "QUOTA_ACCOUNT_DIR": str(folder)}))
    with app.app_context(), clock.frozen(NOW):
        world().ready()
        demo.fill(12, 2, NOW)
        yield app


def fresh(now: int, interval_s: int = HOUR) -> dict[str, object]:
    """The document as a process that has kept nothing would answer it."""
    reports._made.clear()
    results._entries.clear()
    return results.document(reports.overview(Scope(), now, interval_s))


def kept(now: int, interval_s: int = HOUR) -> dict[str, object]:
    return results.document(reports.overview(Scope(), now, interval_s))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-DAY, 8 * DAY), st.sampled_from([600, HOUR, DAY])), min_size=2, max_size=6))
def test_time_flips_what_it_flips_in_whatever_order_it_is_asked(house, asked):
    answers = [kept(NOW + offset, interval_s) for offset, interval_s in asked]

    assert answers == [fresh(NOW + offset, interval_s) for offset, interval_s in asked]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("account", {"attempted_at": NOW + 1}),
        ("account", {"email": "other@example.com"}),
        ("account", {"paused_at": NOW}),
        ("account", {"status": "unreachable", "fault_code": "unreachable", "fault_data": '{"reason": "gone"}'}),
        ("limit_window", {"used_percent": 99.5}),
        ("limit_window", {"resets_at": NOW - 1}),
        ("limit_window", {"gone_at": NOW}),
        ("account_fact", {"plan": "pro"}),
        ("account_fact", {"allowed": False, "reached_type": "rate_limit_reached"}),
    ],
)
def test_every_write_shows(house, table, values):
    before = kept(NOW)
    with engine.transaction() as tx:
        savepoint = tx.begin_nested()
        tx.execute(getattr(models, table).update().values(**values))
        changed = results.document(reports._overview(tx, site.read(tx), store.every(tx), NOW, HOUR))["results"]
        savepoint.rollback()

    assert changed != before["results"]
    assert kept(NOW) == before


def test_an_account_that_was_replaced_is_not_taken_for_the_one_before(house):
    """Another database may have another account under the same id."""
    before = kept(NOW)
    with engine.transaction() as tx:
        savepoint = tx.begin_nested()
        tx.execute(models.account.update().where(models.account.c.id == 1).values(name="somebody", name_key="somebody"))
        names = [r.account.name for r in reports._overview(tx, site.read(tx), store.every(tx), NOW, HOUR).accounts]
        savepoint.rollback()

    assert "somebody" in names
    assert kept(NOW) == before
