"""The look once a minute, on stored accounts: several processes tell each alert once."""

import threading

import pytest

from quota_web.alerts import timed_alerts
from quota_web.core.quota import Status
from quota_web.store.accounts import DEMO
from tests.alerts.channels import to_send, with_channel
from tests.fakes import FakeResponse, usage_body
from tests.installation import OtherProcess

pytestmark = pytest.mark.usefixtures("database")

HOUR = 3_600


@pytest.fixture
def house(installation, codex):
    """Two accounts that were read at NOW, and one look."""
    for name in ("alice", "bob"):
        installation.file(name, exp=installation.now + 30 * 24 * HOUR)
    installation.refresh()
    with_channel()
    look(installation)
    return installation


def look(installation):
    timed_alerts.judge_now(installation.now, HOUR)


def fail(installation, codex, *names, hours=0.1, status=500):
    installation.now += round(hours * HOUR)
    codex.default = FakeResponse(status, body={})
    installation.refresh(*names, force=True)
    look(installation)


def answer(installation, codex, *names, hours=0.1):
    installation.now += round(hours * HOUR)
    codex.default = FakeResponse(body=usage_body(at=installation.now))
    installation.refresh(*names, force=True)
    look(installation)


def test_an_account_that_fails_for_hours_is_told_and_recovers(house, codex):
    answer(house, codex, "bob", hours=1)
    fail(house, codex, "alice", hours=0.1)
    for _ in range(3):
        answer(house, codex, "bob", hours=1)
    fail(house, codex, "alice", hours=0.1)
    assert to_send() == [("account.stale", "alice")]

    answer(house, codex, "alice", hours=1)
    look(house)
    assert to_send()[1:] == [("account.recovered", "alice")]


def test_where_all_fail_one_alert_stands_for_all(house, codex):
    for _ in range(8):
        fail(house, codex, hours=0.5)
    assert to_send() == [("site.all_failing", None)]

    answer(house, codex, "alice")
    look(house)
    assert to_send()[1:] == [("site.recovered", None)]
    answer(house, codex, "bob")
    assert len(to_send()) == 2


def test_a_sign_in_that_ends_soon_is_told(house):
    house.now += 29 * 24 * HOUR
    look(house)
    look(house)

    assert to_send() == [("account.sign_in_soon", "alice"), ("account.sign_in_soon", "bob")]


def test_a_file_that_is_gone_is_told(house):
    (house.accounts / "alice.auth.json").unlink()
    house.follow()
    look(house)
    look(house)

    assert house.account("alice").last_status is Status.INVALID_CREDENTIALS
    assert to_send() == [("sign_in_ended", "alice")]


def test_paused_accounts_and_invented_ones_are_told_nothing(house):
    house.execute("UPDATE account SET paused_at = 1 WHERE name = 'alice'")
    house.execute("UPDATE account SET origin = :demo WHERE name = 'bob'", demo=DEMO)
    house.now += 40 * 24 * HOUR
    look(house)

    assert to_send() == []


def test_several_processes_tell_each_alert_once(house):
    house.now += 29 * 24 * HOUR
    ready = threading.Barrier(4)

    def together():
        ready.wait(10)
        look(house)

    with (
        OtherProcess(house, together),
        OtherProcess(house, together),
        OtherProcess(house, together),
    ):
        together()

    assert sorted(to_send()) == [
        ("account.sign_in_soon", "alice"),
        ("account.sign_in_soon", "bob"),
    ]


def test_a_look_at_which_nothing_is_new_writes_nothing(house):
    before = house.rows("SELECT data_version FROM site_state")
    house.now += 60
    look(house)

    assert house.rows("SELECT data_version FROM site_state") == before


def test_a_forecast_that_says_twice_that_a_week_runs_out_is_told(house):
    [(window,)] = house.rows(
        "SELECT w.id FROM limit_window w JOIN account a ON a.id = w.account_id "
        "WHERE a.name = 'alice' AND w.key = 'weekly'"
    )
    for minute, chance in enumerate((0.1, 0.8, 0.9)):
        house.now += 60
        house.execute("DELETE FROM forecast")
        house.execute(
            "INSERT INTO forecast (day, window_id, made_at, state, taken_at, used_percent, "
            "resets_at, run_out_probability, data) "
            "VALUES (0, :w, :at, 'forecast', :at, 60, :resets, :p, '{}')",
            w=window,
            at=house.now + minute,
            resets=house.now + 100_000,
            p=chance,
        )
        # As saving forecasts does: what is kept of the account is of the version before.
        house.execute("UPDATE account SET version = version + 1 WHERE name = 'alice'")
        look(house)

    assert to_send() == [("quota.runout", "alice")]
