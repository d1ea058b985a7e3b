"""A service sends alerts by itself, from a thread of its own, and a stop or a kill loses none."""

import collections
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quota_web import store
from quota_web.core import clock
from tests.alerts.receiver import Receiver, Reply
from tests.alerts.sending import LOOPBACK, add_channel, add_event
from tests.installation import open_installation
from tests.servers import Server

STOP_WITHIN_S = 8.0
WAITING = "SELECT count(*) FROM delivery WHERE state = 'waiting'"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def prepare(folder: Path, url: str, events: int) -> None:
    """Events that wait in the database of a service that does not run yet."""
    with open_installation(folder, **LOOPBACK), clock.frozen(int(time.time())):
        add_channel(url)
        for number in range(events):
            add_event("site.channel_failing", None, channel=f"number {number}")
        store.database.bound().dispose()


@pytest.mark.parametrize("workers", [0, 3])
def test_a_service_sends_each_message_once(tmp_path, codex, receiver, workers):
    prepare(tmp_path, receiver.url, 12)
    server = Server(tmp_path, codex, **LOOPBACK)
    made = server.gunicorn("--workers", str(workers)) if workers else server.classic()
    with made:
        server.wait_for(lambda: server.rows(WAITING) == [(0,)])
        took = server.stop()

    ids = collections.Counter(got.headers["webhook-id"] for got in receiver.got)
    assert len(ids) == 12
    assert set(ids.values()) == {1}
    assert took < STOP_WITHIN_S
    assert "Traceback" not in server.log()


def test_a_stop_lets_the_message_under_way_end_and_leaves_the_rest(tmp_path, codex, receiver):
    receiver.answers(Reply(200, delay=0.5))
    prepare(tmp_path, receiver.url, 5)
    with Server(tmp_path, codex, **LOOPBACK).classic() as server:
        server.wait_for(lambda: receiver.got)
        took = server.stop()

    taken = len(receiver.got)
    assert took < STOP_WITHIN_S
    assert server.rows(WAITING) == [(5 - taken,)]
    assert server.rows("SELECT count(*) FROM delivery WHERE claimed_by IS NOT NULL") == [(0,)]


def test_a_receiver_that_says_nothing_holds_up_no_stop(tmp_path, codex, receiver):
    receiver.answers(Reply(200, delay=9))
    prepare(tmp_path, receiver.url, 1)
    with Server(tmp_path, codex, **LOOPBACK).classic() as server:
        server.wait_for(lambda: receiver.got)
        took = server.stop()

    assert took < STOP_WITHIN_S
    assert server.rows(WAITING) == [(1,)]
