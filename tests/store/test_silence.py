"""A PostgreSQL that goes silent without a word: nobody waits for it for long, and what comes after
works.
"""

import threading
import time

import pytest
from flask import Flask
from sqlalchemy import text

from quota_web import store
from quota_web.core.errors import BadDatabase, DatabaseBusy
from quota_web.services import services
from quota_web.store import postgresql
from quota_web.web import health
from tests.browser import make_app
from tests.installation import wait_until
from tests.relay import Relay

STATEMENT_S, PING_S = 1.5, 0.5
#: How much longer than its deadline something may take on a busy machine.
SLACK_S = 5.0


@pytest.fixture
def relay(postgres, postgres_url):
    with postgres_url() as url, Relay(postgres, url) as relay:
        yield relay


@pytest.fixture
def app(instance_dir, relay, monkeypatch):
    monkeypatch.setattr(postgresql, "STATEMENT_S", STATEMENT_S)
    monkeypatch.setattr(postgresql, "PING_S", PING_S)
    monkeypatch.setitem(postgresql.CONNECT, "connect_timeout", 2)
    app = make_app(instance_dir, QUOTA_DATABASE_URL=relay.url)
    with app.app_context():
        services().ready()
        yield app
        store.database.forget_troubles()


def reason(app: Flask) -> str:
    """What `/readyz` says is the trouble."""
    return str(app.test_client().get("/readyz").get_json()["reason"])


def one() -> int:
    with store.database.reading() as conn:
        return int(conn.execute(text("SELECT 1")).scalar_one())


def test_a_statement_on_a_connection_that_went_silent_ends_with_its_deadline(app, relay):
    def lost() -> None:
        with store.database.transaction() as tx:
            relay.silence()
            tx.execute(text("SELECT 1"))

    started = time.monotonic()
    with pytest.raises(BadDatabase, match=f"was lost: no answer for {STATEMENT_S:g} s"):
        lost()

    assert STATEMENT_S - 0.1 < time.monotonic() - started < STATEMENT_S + SLACK_S
    assert one() == 1


def test_a_commit_that_is_never_answered_ends_too(app, relay):
    def lost() -> None:
        with store.database.transaction() as tx:
            tx.execute(text("UPDATE site_state SET data_version = data_version + 1"))
            relay.silence()

    with pytest.raises(BadDatabase, match="was lost: no answer"):
        lost()


def test_one_silent_connection_is_enough_to_leave_all_that_are_as_old(app, relay):
    with (
        store.database.bound().connect(),
        store.database.bound().connect(),
        store.database.bound().connect(),
    ):
        pass
    relay.silence()
    before, started = relay.connections, time.monotonic()

    with (
        store.database.bound().connect() as first,
        store.database.bound().connect() as second,
        store.database.bound().connect() as third,
    ):
        assert [conn.execute(text("SELECT 1")).scalar() for conn in (first, second, third)] == [
            1,
            1,
            1,
        ]

    # Each of the three asked whether it works would have been three times that wait.
    assert relay.connections - before == 3
    assert time.monotonic() - started < PING_S + SLACK_S


def test_a_server_that_says_nothing_to_new_connections_either_is_given_up(app, relay):
    relay.silence(new=True)
    with pytest.raises(BadDatabase, match="cannot be used"):
        one()
    relay.hear_new()

    assert one() == 1


def test_a_statement_that_takes_long_in_the_server_ends_there(app, monkeypatch):
    monkeypatch.setattr(postgresql, "SERVER_STATEMENT_MS", 200)
    store.database.bound().dispose()

    with pytest.raises(DatabaseBusy), store.database.reading() as conn:
        conn.execute(text("SELECT pg_sleep(30)"))


def test_what_a_migration_or_a_copy_does_may_take_longer(app, relay):
    with store.database.elsewhere(relay.url, write=False) as conn:
        assert conn.execute(text("SHOW statement_timeout")).scalar() == "0"
        assert (
            conn.execute(
                text("SELECT count(*) FROM pg_sleep(:seconds)"), {"seconds": STATEMENT_S + 0.2}
            ).scalar()
            == 1
        )


def test_what_an_address_says_of_tcp_wins(relay):
    told = store.database.connect_args(f"{relay.url}?connect_timeout=9&keepalives_idle=40")

    assert ("connect_timeout" in told, "keepalives_idle" in told, told["keepalives"]) == (
        False,
        False,
        1,
    )


def test_nothing_is_watched_when_nothing_is_under_way(app):
    one()

    # One thread for all connections, and none of ours beside it.
    assert [t.name for t in threading.enumerate() if t.name == "database-deadlines"] == [
        "database-deadlines"
    ]


def test_after_the_last_connection_no_thread_watches(app):
    one()
    store.database.disconnect()
    assert "database-deadlines" not in {t.name for t in threading.enumerate()}

    assert one() == 1
    assert "database-deadlines" in {t.name for t in threading.enumerate()}


def test_readyz_does_not_wait_for_a_database_that_says_nothing(app, relay, monkeypatch):
    monkeypatch.setattr(postgresql, "STATEMENT_S", 30.0)
    monkeypatch.setattr(postgresql, "PING_S", 30.0)
    monkeypatch.setattr(health, "LOOK_S", 0.5)
    one()
    relay.silence()
    started = time.monotonic()
    answers = [app.test_client().get("/readyz") for _ in range(3)]

    assert time.monotonic() - started < 5
    assert [answer.status_code for answer in answers] == [503] * 3
    assert [answer.get_json() for answer in answers] == [
        {"status": "unavailable", "reason": "database"}
    ] * 3
    relay.end()
    # The look goes on with a new connection, which nobody would close once the app is gone.
    wait_until(lambda: "readyz" not in {t.name for t in threading.enumerate()})


def test_readyz_is_about_the_present_once_the_database_answers_again(app, relay):
    relay.silence(new=True)
    assert reason(app) == "database"
    relay.hear_new()

    wait_until(lambda: reason(app) == "schedule")
