"""Reports that are not made anew are those that would have been made: whatever was written, and
whatever time has flipped.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quota_web import config, store
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.factory import create_app
from quota_web.reports import overview, results_json
from quota_web.services import services
from quota_web.store.accounts import Scope
from tests.fakes import NOW

HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    app = create_app(
        config.load({"QUOTA_INSTANCE_DIR": str(folder), "QUOTA_ACCOUNT_DIR": str(folder)})
    )
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill.fill(12, 2, NOW)
        yield app


def fresh(now: int, interval_s: int = HOUR) -> dict[str, object]:
    """The document as a process that has kept nothing would answer it."""
    overview._made.clear()
    results_json._entries.clear()
    return results_json.document(overview.load_overview(Scope(), now, interval_s))


def kept(now: int, interval_s: int = HOUR) -> dict[str, object]:
    return results_json.document(overview.load_overview(Scope(), now, interval_s))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-DAY, 8 * DAY), st.sampled_from([600, HOUR, DAY])),
        min_size=2,
        max_size=6,
    )
)
def test_time_flips_what_it_flips_in_whatever_order_it_is_asked(installation, asked):
    answers = [kept(NOW + offset, interval_s) for offset, interval_s in asked]

    assert answers == [fresh(NOW + offset, interval_s) for offset, interval_s in asked]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("account", {"attempted_at": NOW + 1}),
        ("account", {"email": "other@example.com"}),
        ("account", {"paused_at": NOW}),
        (
            "account",
            {
                "status": "unreachable",
                "fault_code": "unreachable",
                "fault_data": '{"reason": "gone"}',
            },
        ),
        ("limit_window", {"used_percent": 99.5}),
        ("limit_window", {"resets_at": NOW - 1}),
        ("limit_window", {"gone_at": NOW}),
        ("account_fact", {"plan": "pro"}),
        ("account_fact", {"allowed": False, "reached_type": "rate_limit_reached"}),
    ],
)
def test_every_write_shows(installation, table, values):
    before = kept(NOW)
    with store.database.transaction() as tx:
        savepoint = tx.begin_nested()
        tx.execute(getattr(store.models, table).update().values(**values))
        changed = results_json.document(
            overview._load(tx, store.site_state.read(tx), store.accounts.list_all(tx), NOW, HOUR)
        )["results"]
        savepoint.rollback()

    assert changed != before["results"]
    assert kept(NOW) == before


def test_an_account_that_was_replaced_is_not_taken_for_the_one_before(installation):
    """Another database may have another account under the same id."""
    before = kept(NOW)
    with store.database.transaction() as tx:
        savepoint = tx.begin_nested()
        tx.execute(
            store.models.account.update()
            .where(store.models.account.c.id == 1)
            .values(name="somebody", name_key="somebody")
        )
        names = [
            r.account.name
            for r in overview._load(
                tx, store.site_state.read(tx), store.accounts.list_all(tx), NOW, HOUR
            ).accounts
        ]
        savepoint.rollback()

    assert "somebody" in names
    assert kept(NOW) == before
