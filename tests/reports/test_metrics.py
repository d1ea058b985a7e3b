"""Figures for Prometheus: those of the database, whoever answers, and none invented."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, update

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core.faults import Fault
from quota_web.core.quota import Facts, Status
from quota_web.maintenance import prune
from quota_web.reports import metrics
from quota_web.services import services
from quota_web.store.recording import Outcome
from quota_web.version import __version__
from tests.browser import make_token
from tests.fakes import NOW
from tests.operations import DAY, add_account, opened, record


@pytest.fixture
def app(instance_dir, database):
    with opened(instance_dir, **database) as app:
        yield app


def figures(now=NOW):
    """Every sample: its name with its labels, and its value."""
    body, _ = metrics.page(services().scope, now, 3_600)
    return {
        (sample.name.removeprefix(metrics.PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def fail(account_id, at, fault, ms=50):
    with store.database.transaction() as tx:
        store.accounts.update_account(tx, account_id, claim_id=1, claimed_at=at)
        found = store.accounts.get_by_id(tx, account_id)
        assert found is not None
        outcome = Outcome(found, at, None, fault, ms, found.failures + 1, 3_600, at + 300)
        store.recording.record(tx, [outcome], 1, store.windows.windows(tx, [account_id]), {})


def test_banked_resets_are_told_where_the_answer_tells_them(app):
    for number, (name, count) in enumerate((("alice", 2), ("bob", 0), ("carol", None)), 1):
        facts = Facts("plus", reset_credits=count)
        record(add_account(name, number), NOW - 90, 12, facts=facts)

    told = figures()

    assert told["reset_credits", "alice"] == 2
    assert told["reset_credits", "bob"] == 0
    assert ("reset_credits", "carol") not in told


def test_windows_tell_what_is_left_and_when_they_are_full_again(app):
    record(add_account("alice"), NOW - 90, 12)

    told = figures()

    assert told["remaining_percent", "alice", "five_hour"] == 88
    assert told["remaining_percent", "alice", "weekly"] == 94
    assert told["reset_timestamp_seconds", "alice", "five_hour"] == NOW - 90 + 3_600
    assert told["reading_age_seconds", "alice"] == 90
    assert told["reading_timestamp_seconds", "alice"] == NOW - 90
    assert (told["blocked", "alice"], told["stale", "alice"]) == (0, 0)


def test_exactly_one_status_is_set(app):
    record(add_account("alice"), NOW)
    fail(add_account("bob", 2), NOW, Fault("unauthorized", {"reason": "no", "http_status": 401}))
    add_account("carol", 3)
    account_service.pause("carol", NOW, "test")

    told = figures()

    for name, status in (("alice", "ok"), ("bob", "expired"), ("carol", "paused")):
        assert [s for s in Status if told["account_status", name, s]] == [status]


def test_nothing_is_invented_for_an_account_that_was_never_answered(app):
    add_account("alice")

    told = figures()

    about_alice = {key[0] for key in told if "alice" in key}
    assert about_alice == {"account_status", "blocked", "stale"}


def test_a_blocked_account_says_until_when(app):
    record(add_account("alice"), NOW, 100)

    told = figures()

    assert told["blocked", "alice"] == 1
    assert told["blocked_until_timestamp_seconds", "alice"] == NOW + 3_600


def test_attempts_are_counted_by_what_they_came_to_and_never_fewer(app):
    alice = add_account("alice")
    for hour in range(3):
        record(alice, NOW - 3 * DAY + hour * 3_600)
    for hour in range(2):
        fail(
            alice, NOW - 2 * DAY + hour * 3_600, Fault("unreachable", {"reason": "refused"}), ms=250
        )
    record(alice, NOW - DAY)
    before = figures()

    assert before["attempts_total", "ok"] == 4
    assert before["attempts_total", "unreachable"] == 2
    assert before["attempt_duration_seconds_count", "unreachable"] == 2
    assert before["attempt_duration_seconds_sum", "unreachable"] == 0.5
    assert before["attempt_duration_seconds_sum", "ok"] == pytest.approx(0.48)

    prune.prune(NOW, NOW, "test")
    account_service.remove("alice", NOW, "test")
    prune.purge_deleted()
    after = figures()
    assert {k: v for k, v in after.items() if k[0].startswith("attempt")} == {
        k: v for k, v in before.items() if k[0].startswith("attempt")
    }


def test_the_schedule_s_delay_is_that_of_whoever_waits_longest(app):
    record(add_account("alice"), NOW)
    record(add_account("bob", 2), NOW)
    assert figures()["schedule_delay_seconds",] == 0
    assert figures()["next_refresh_timestamp_seconds",] == NOW + 3_600

    with store.database.transaction() as tx:
        store.accounts.update_account(tx, 1, next_due_at=NOW - 70)
        store.accounts.update_account(tx, 2, next_due_at=NOW - 700)
    assert figures()["schedule_delay_seconds",] == 700
    account_service.pause("bob", NOW, "test")
    assert figures()["schedule_delay_seconds",] == 70


def test_the_database_tells_its_size_and_version(app):
    record(add_account("alice"), NOW)
    with store.database.reading() as conn:
        version, is_sqlite = (
            store.site_state.read(conn).data_version,
            store.database.is_sqlite(conn),
        )

    told = figures()

    assert told["data_version",] == version
    assert told["database_size_bytes",] >= 4_096
    assert (("wal_size_bytes",) in told) is is_sqlite
    assert told["storing_failed",] == 0
    assert told["info", __version__] == 1


def test_a_clock_that_was_put_back_makes_no_negative_age(app):
    record(add_account("alice"), NOW + 500)

    assert figures(NOW)["reading_age_seconds", "alice"] == 0


def test_the_number_of_queries_does_not_depend_on_the_accounts(app):
    asked = []
    event.listen(
        store.database.bound(),
        "before_cursor_execute",
        lambda *arguments: asked.append(arguments[2]),
    )

    def queries():
        asked.clear()
        figures()
        return len(asked)

    record(add_account("a1"), NOW)
    few = queries()
    for number in range(2, 12):
        record(add_account(f"a{number}", number), NOW)
    assert queries() == few
    assert few <= 14


def test_names_cannot_break_the_page(app):
    name = 'quo"te \u00e9 {x="1"} # HELP'
    record(add_account(name), NOW)

    assert figures()["remaining_percent", name, "five_hour"] == 90


def test_the_route_wants_a_token(app):
    record(add_account("alice"), NOW)
    client = app.test_client()

    assert client.get("/metrics").status_code == 401
    answer = client.get("/metrics", headers=make_token(app))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'codex_quota_remaining_percent{account="alice",window="five_hour"} 90.0' in answer.text


def test_every_figure_says_what_it_is(app):
    record(add_account("alice"), NOW)
    body = metrics.page(services().scope, NOW, 3_600)[0].decode()

    names = set(re.findall(r"^# TYPE (\S+)", body, re.MULTILINE))
    assert names == set(re.findall(r"^# HELP (\S+) \S", body, re.MULTILINE))
    assert all(name.startswith(metrics.PREFIX) for name in names)


def test_a_stored_account_that_is_gone_is_told_no_more(app):
    record(add_account("alice"), NOW)
    with store.database.transaction() as tx:
        tx.execute(update(store.models.account).values(deleted_at=NOW, name_key=None))

    assert not [key for key in figures() if "alice" in key]


def test_open_alerts_are_counted_by_kind_and_none_is_a_zero(app):
    account_id = add_account("alice")
    with store.database.transaction() as tx:
        low = (20.0, 1, NOW, False, None, None)
        store.alert_states.put(tx, account_id, ("weekly", "quota.low"), None, low)
        waits = (None, 0, None, True, NOW, None)
        store.alert_states.put(tx, account_id, ("", "quota.exhausted"), None, waits)

    told = figures()

    assert told["alerts_open", "quota.low"] == 1
    assert (told["alerts_open", "quota.exhausted"], told["alerts_open", "site.all_failing"]) == (
        0,
        0,
    )


def test_renewals_are_counted_by_what_they_came_to_and_access_tokens_say_when_they_end(app):
    account_id = add_account("alice")
    assert figures()["renewals_total", "renewed"] == 0
    assert ("credential_ends_timestamp_seconds", "alice") not in figures()
    with store.database.transaction() as tx:
        store.credentials.set_columns(tx, account_id, {"access_expires_at": NOW + 99})
        for result in ("renewed", "unsure", "renewed"):
            store.renewals.count_result(tx, result)

    told = figures()

    assert (told["renewals_total", "renewed"], told["renewals_total", "unsure"]) == (2, 1)
    assert told["credential_ends_timestamp_seconds", "alice"] == NOW + 99
