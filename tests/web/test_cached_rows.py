"""Rows that are not made anew are those that would have been made: whatever was written, and
whatever time has changed.
"""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quota_web import store
from quota_web.core import clock
from quota_web.web import versioned_cache
from tests.fakes import NOW
from tests.fillings import Filling
from tests.installation import open_installation
from tests.pages import visiting

DAY = 86_400


@pytest.fixture
def demo(tmp_path, fillings):
    template = fillings.instance(Filling(12, 2))
    with (
        open_installation(tmp_path, template=template) as installation,
        visiting(installation, QUOTA_AUTH="off") as browser,
    ):
        yield installation, browser


def shown(browser, now):
    """The dashboard's page without what is drawn for each request."""
    with clock.frozen(now):
        answer = browser.get("/")
        results = browser.get("/api/results").get_json()
    assert answer.status_code == 200
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text), results


def shown_afresh(installation, now):
    """The same by a process that has cached nothing."""
    with visiting(installation, QUOTA_AUTH="off") as browser:
        return shown(browser, now)


def write(table, values, account_id=None):
    """Change rows as the program does: with a new version of the data, and of the account."""
    with store.database.transaction() as tx:
        there = getattr(store.models, table)
        owner = there.c.id if table == "account" else there.c.account_id
        ids = [account_id] if account_id else [a.id for a in store.accounts.list_all(tx)]
        tx.execute(there.update().where(owner.in_(ids)).values(**values))
        for changed in ids:
            store.accounts.bump_version(tx, changed)
        store.site_state.bump_version(tx, NOW)


# The examples change nothing that is stored, so they may share one installation.
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(-DAY, 8 * DAY), min_size=2, max_size=4))
def test_time_changes_what_it_changes_in_whatever_order_it_is_shown(demo, offsets):
    installation, browser = demo
    cached = [shown(browser, NOW + offset) for offset in offsets]

    assert cached == [shown_afresh(installation, NOW + offset) for offset in offsets]


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
def test_every_write_shows(demo, table, values):
    installation, browser = demo
    _, results = shown(browser, NOW)

    write(table, values)

    changed = shown(browser, NOW)
    assert changed[1]["results"] != results["results"]
    assert changed == shown_afresh(installation, NOW)


def test_an_account_that_was_replaced_is_not_taken_for_the_one_before(demo):
    """Another database may have another account under the same id."""
    installation, browser = demo
    shown(browser, NOW)

    with store.database.transaction() as tx:
        there = store.models.account
        tx.execute(there.update().where(there.c.id == 1).values(name="another", name_key="another"))
        store.site_state.new_nonce(tx)

    page, results = shown(browser, NOW)
    assert "another" in {row["account"] for row in results["results"]}
    assert (page, results) == shown_afresh(installation, NOW)


@pytest.fixture
def made(monkeypatch):
    """The keys of all that is made from now on."""
    made: list[tuple[object, ...]] = []
    get_many = versioned_cache.VersionedCache.get_many

    def noting(self, versions, make):
        def make_and_note(missing):
            made.extend(missing)
            return make(missing)

        return get_many(self, versions, make_and_note)

    monkeypatch.setattr(versioned_cache.VersionedCache, "get_many", noting)
    return made


def test_only_the_row_of_the_account_that_changed_is_made_anew(demo, made):
    _, browser = demo
    shown(browser, NOW)
    made.clear()

    write("limit_window", {"used_percent": 42}, account_id=2)
    shown(browser, NOW)

    assert [key[:2] for key in made if key[0] in ("use", "line")] == [("use", 2), ("line", 2)]


def test_parts_that_show_nothing_of_a_change_are_not_made_anew(demo, made):
    _, browser = demo
    shown(browser, NOW)
    by_value = {"advice", "ribbon", "lately", "list head", "lane", "lane key"}
    assert by_value <= {key[0] for key in made}
    made.clear()

    write("account", {"email": "other@example.com"}, account_id=2)
    shown(browser, NOW)

    assert [key[0] for key in made if key[0] in by_value] == ["lane"]

    made.clear()
    shown(browser, NOW + 60)

    assert by_value - {"lane", "list head", "lane key"} <= {key[0] for key in made}


def test_a_lane_is_ticked_where_it_is_compared(demo):
    _, browser = demo
    name = browser.get("/api/results").get_json()["results"][0]["account"]
    box = f'name="line" value="{name}"'

    pages = [browser.get(f"/history{query}").text for query in ("", f"?line={name}", "")]

    ticked = [" checked" in page.partition(box)[2].partition(">")[0] for page in pages]
    assert ticked == [False, True, False]


def test_a_reading_of_this_very_second_is_in_its_use(installation, codex):
    installation.file("alice")
    installation.refresh()
    with visiting(installation) as browser:
        page, _ = shown(browser, NOW)

    assert "24 hours: 0 points of the five-hour window used" in page


def test_the_first_reading_begins_the_lanes(installation, codex):
    installation.file("alice")
    installation.follow()
    with visiting(installation, QUOTA_AUTH="off") as browser:
        before = shown(browser, NOW)
        installation.refresh()

        assert shown(browser, NOW) == shown_afresh(installation, NOW) != before


def test_the_page_says_whether_an_answer_is_still_to_come(demo):
    _, browser = demo
    write("account", {"status": "ok"})
    pages = [shown(browser, NOW)[0]]
    write("account", {"status": "pending"}, account_id=2)
    pages += [shown(browser, NOW)[0], shown(browser, NOW)[0]]

    assert ["data-pending" in page for page in pages] == [False, True, True]
