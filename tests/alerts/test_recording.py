"""Alerts in the transaction of the readings: told once, together with what shows them, in both
databases.
"""

import threading

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import BadDatabase
from quota_web.core.quota import Status
from quota_web.refresh.hooks import hooks
from tests.alerts.channels import to_send, with_channel
from tests.fakes import FakeResponse, usage_body
from tests.installation import OtherProcess

pytestmark = pytest.mark.usefixtures("database")


def answer(installation, codex, five_hour=10, weekly=20, *, minutes=5, name="alice", **more):
    """Let an account be read some minutes later."""
    installation.now += 60 * minutes
    body = usage_body(five_hour, weekly, at=installation.now, **more)
    codex.answers(f"acct-{name}", FakeResponse(body=body))
    return installation.refresh(name, force=True)[name].status


@pytest.fixture
def alice(installation, codex):
    installation.file("alice")
    with_channel()
    answer(installation, codex, 10, 60)
    return installation


def events(installation):
    return installation.rows(
        "SELECT e.kind, w.key, e.at FROM event e LEFT JOIN limit_window w ON w.id = e.window_id "
        "WHERE e.kind LIKE '%.%' OR e.kind = 'sign_in_ended' ORDER BY e.id"
    )


def test_what_readings_mean_is_logged_and_is_to_be_sent(alice, codex):
    for used in (70, 81, 82):
        answer(alice, codex, 10, used)

    assert events(alice) == [("quota.low", "weekly", alice.now - 300)]
    assert to_send() == [("quota.low", "alice")]


def test_a_channels_own_threshold_is_told_to_it_alone(alice, codex):
    with_channel("early", thresholds=[50, 35])
    answer(alice, codex, 10, 66)

    assert to_send() == [("quota.low", "alice")]
    assert alice.rows("SELECT c.name FROM delivery d JOIN channel c ON c.id = d.channel_id") == [
        ("early",)
    ]


def test_without_channels_the_log_has_what_is_told_by_default(installation, codex):
    installation.file("alice")
    for used in (60, 81):
        answer(installation, codex, 10, used)

    assert [kind for kind, _, _ in events(installation)] == ["quota.low"]
    assert to_send() == []


def test_nothing_of_a_transaction_that_failed_is_told(alice, codex):
    def lose(conn, recorded):
        raise BadDatabase("the connection is lost")

    hooks().on_recording.append(lose)
    with pytest.raises(BadDatabase):
        answer(alice, codex, 10, 81)
    assert (events(alice), to_send()) == ([], [])

    hooks().on_recording.remove(lose)
    answer(alice, codex, 10, 82)
    assert to_send() == [("quota.low", "alice")]


def test_an_account_is_asked_again_in_a_minute_where_a_second_answer_decides(alice, codex):
    answer(alice, codex, 10, 99)

    assert alice.account("alice").next_due_at == alice.now + 60
    assert to_send() == []
    answer(alice, codex, 10, 99, minutes=1)
    assert to_send() == [("quota.low", "alice")]
    assert alice.account("alice").next_due_at > alice.now + 60


def test_a_sign_in_that_ends_is_one_event_of_the_log(alice, codex):
    codex.answers("acct-alice", FakeResponse(401, body={"detail": "no"}))
    alice.now += 300

    assert alice.refresh(force=True)["alice"].status is Status.EXPIRED
    assert [kind for kind, _, _ in events(alice)] == ["sign_in_ended"]
    assert to_send() == [("sign_in_ended", "alice")]


def test_resets_are_told_as_they_were_judged(alice, codex):
    with store.database.transaction() as tx:
        tx.execute(store.alert_tables.channel.update().values(kinds='["quota.reset_early"]'))
    for used in (62, 64, 3):
        answer(alice, codex, 10, used, minutes=60)
    assert to_send() == []

    answer(alice, codex, 10, 3)
    assert to_send() == [("reset_early", "alice")]
    answer(alice, codex, 10, 3)
    assert to_send() == [("reset_early", "alice")]


def test_an_early_reset_of_a_few_points_is_no_alert(installation, codex):
    installation.file("alice")
    with_channel(kinds=["quota.reset_early"])
    for used in (10, 15, 1, 1, 1):
        answer(installation, codex, 10, used)

    assert installation.rows("SELECT count(*) FROM event WHERE kind = 'reset_early'") == [(1,)]
    assert to_send() == []


def test_a_plan_is_told_by_the_event_that_was_logged_at_its_change(installation, codex):
    installation.file("alice")
    with_channel(kinds=["account.plan_changed"])
    for plan in ("plus", "pro"):
        answer(installation, codex, plan=plan)
    assert to_send() == []

    for _ in range(2):
        answer(installation, codex, plan="pro")
    assert to_send() == [("plan_changed", "alice")]


def test_a_login_under_two_names_is_told_once(installation, codex):
    installation.file("alice", "acct-alice")
    installation.file("alice at work", "acct-alice")
    with_channel()
    for used in (60, 81, 82, 99.5, 99.6):
        installation.now += 300
        body = usage_body(10, used, at=installation.now)
        codex.answers("acct-alice", FakeResponse(body=body))
        installation.refresh(force=True)

    assert len(installation.names()) == 2
    assert [kind for kind, _ in to_send()] == ["quota.low"] * 2


def test_two_workers_at_the_same_accounts_tell_each_alert_once(installation, codex):
    names = [f"account-{number}" for number in range(8)]
    for name in names:
        installation.file(name, f"acct-{name}")
    with_channel()
    for used in (60, 81):
        installation.now += 300
        codex.default = FakeResponse(body=usage_body(10, used, at=installation.now))
        ready = threading.Barrier(2)

        def ask(ready=ready):
            ready.wait(10)
            return installation.ask(force=True)

        installation.follow()
        with OtherProcess(installation, ask), clock.frozen(installation.now):
            ask()

    assert sorted(name for _, name in to_send()) == names


def test_events_show_what_was_told_in_a_sentence(alice, codex, browser):
    answer(alice, codex, 10, 81)

    page = browser.get("/events").get_data(as_text=True)
    [event] = [e for e in browser.get("/api/events").get_json()["events"] if e["text"]]

    assert "Weekly quota 19 % left, resets" in page
    assert event["text"] == "alice: weekly quota 19 % left, resets Tue 24 Nov 23:30 UTC"
    assert event["data"]["resets_at"] == "2026-11-24T23:30:00Z"
