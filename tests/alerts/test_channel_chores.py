"""Once a minute: digests by the clock of the zone, and word of a channel that fails, each once."""

import json

import pytest

from quota_web import store
from quota_web.alerts import channel_chores
from quota_web.core import clock
from tests.alerts.receiver import Receiver
from tests.alerts.sending import (
    LOOPBACK,
    add_channel,
    add_event,
    change_delivery,
    channel_row,
    deliveries,
    run_pass,
    saying,
)
from tests.fakes import NOW
from tests.operations import DAY, add_account, opened, record

HOUR = 3_600
#: 2026-11-22T08:00+01:00, a Sunday.
MORNING = 1_795_330_800


@pytest.fixture(autouse=True)
def app(instance_dir, database):
    with opened(instance_dir, **LOOPBACK, **database) as found:
        add_account("alice")
        yield found


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


def chores(at: int) -> None:
    with clock.frozen(at):
        channel_chores.run(at, saying(), HOUR)
        run_pass()


def texts(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["message"] for got in receiver.got]


def test_a_digest_is_sent_once_when_it_is_due_with_what_changed(receiver):
    record(1, MORNING - DAY - 60, 10)
    record(1, MORNING - 60, 40)
    add_channel(f"ntfy://127.0.0.1:{receiver.port}/topic", digest="daily 08:00")
    chores(MORNING - 60)
    assert receiver.got == []

    for minute in range(3):
        chores(MORNING + 60 * minute)

    assert texts(receiver) == [
        "alice: Can be used · five-hour 60 % left (-30), weekly 80 % left (-15)"
    ]


def test_a_digest_that_nothing_could_send_in_time_is_left_out(receiver):
    add_channel(f"ntfy://127.0.0.1:{receiver.port}/topic", digest="weekly sun 08:00")
    chores(MORNING + 4 * HOUR)

    assert receiver.got == []


def test_a_channel_that_fails_for_six_hours_is_told_of_through_the_others(receiver):
    with Receiver() as broken:
        broken.answers(500)
        bad, good = add_channel(broken.url, "bad"), add_channel(receiver.url, "good")
        add_event("quota.low", channels=[bad], threshold=20)
        run_pass()
        chores(NOW + 5 * HOUR)
        assert receiver.got == []

        for minute in range(2):
            chores(NOW + 6 * HOUR + 60 * minute)

        [got] = receiver.got
        said = json.loads(got.body)
        assert said["type"] == "site.channel_failing"
        assert said["data"]["channel"] == "bad"
        assert [row.channel_id for row in deliveries() if row.event_id == said["data"]["id"]] == [
            good
        ]
        # It is told again once it has worked in between.
        broken.answers(200)
        change_delivery(due_at=NOW)
        chores(NOW + 7 * HOUR)
        assert channel_row(bad).failing_since is None
        with store.database.reading() as conn:
            assert store.channels.get_by_ids(conn, [bad])[bad].last_error is None
