"""Sending what waits: each message once, again where it was not taken, and given up in the end."""

import json
import threading
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from quota_web import store
from quota_web.alerts import channel_secrets, channel_service
from quota_web.alerts.delivery_pass import CLAIM_S, LEAST_LEFT_S
from quota_web.core import clock
from quota_web.services import services
from tests.alerts.receiver import Receiver, Reply
from tests.alerts.sending import (
    LOOPBACK,
    add_channel,
    add_event,
    change_delivery,
    channel_row,
    deliveries,
    run_pass,
    senders,
    states,
)
from tests.fakes import NOW
from tests.operations import add_account, opened

HOUR = 3_600


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture(autouse=True)
def app(instance_dir, database):
    with opened(instance_dir, **LOOPBACK, **database) as found:
        add_account("alice")
        yield found


def bodies(receiver: Receiver) -> list[dict]:
    return [json.loads(got.body) for got in receiver.got]


def test_a_webhook_gets_one_signed_request_an_event(receiver):
    channel_id = add_channel(receiver.url)
    first = add_event("quota.exhausted", cause="window", blocked_until=NOW + HOUR)
    add_event("quota.back", since=NOW)

    assert run_pass() == 2

    said = bodies(receiver)
    assert [body["type"] for body in said] == ["quota.exhausted", "quota.back"]
    assert said[0]["timestamp"] == "2026-11-21T12:00:00Z"
    assert said[0]["data"] == {
        "id": first,
        "level": "urgent",
        "account": "alice",
        "window": None,
        "remaining_percent": None,
        "threshold": None,
        "resets_at": None,
        "blocked_until": "2026-11-21T13:00:00Z",
        "cause": "window",
        "text": said[0]["data"]["text"],
        "url": None,
    }
    with store.database.reading() as conn:
        row = store.channels.get_by_ids(conn, [channel_id])[channel_id]
    keys = channel_secrets.opened(services().cipher, row).keys
    assert keys is not None
    verifier = Webhook(keys.current.reveal())
    headers = {**receiver.got[0].headers, "webhook-timestamp": str(NOW)}
    with clock_of_the_library():
        assert verifier.verify(receiver.got[0].body, headers) == said[0]
    assert states() == ["sent", "sent"]
    assert run_pass() == 0


def clock_of_the_library():
    """The library believes no time but its own, and the test stands at NOW."""
    import datetime
    from unittest.mock import patch

    import standardwebhooks.webhooks as library

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(NOW, tz)

    return patch.object(library, "datetime", Clock)


def test_a_message_that_is_not_taken_is_sent_again_under_its_id(receiver):
    channel_id = add_channel(receiver.url)
    add_event()
    receiver.answers(503, 200)
    run_pass()
    [row] = deliveries()

    assert (row.state, row.tries, row.error) == ("waiting", 1, "HTTP 503")
    assert 22 <= row.due_at - NOW <= 38
    assert (channel_row(channel_id).failing_since, channel_row(channel_id).last_error) == (
        NOW,
        "HTTP 503",
    )
    assert run_pass() == 0
    with clock.frozen(NOW + 40):
        run_pass()
    assert states() == ["sent"]
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert channel_row(channel_id).failing_since is None


def test_pauses_grow_up_to_six_hours_and_it_is_given_up_after_a_day(receiver):
    add_channel(receiver.url)
    add_event("quota.low")
    receiver.answers(500)
    at, pauses = NOW, []
    while states() == ["waiting"]:
        with clock.frozen(at):
            run_pass()
        due_at = deliveries()[0].due_at
        pauses.append(due_at - at)
        at = max(due_at, at + 1)

    expected = [30, 120, 600, 1_800, 7_200, 21_600]
    pairs = zip(pauses[: len(expected)], expected, strict=True)
    assert all(abs(found - pause) <= pause / 4 for found, pause in pairs)
    assert states() == ["failed"]
    assert deliveries()[0].error == "HTTP 500"
    assert at - NOW <= 24 * HOUR + 1


def test_what_is_urgent_is_tried_for_three_days(receiver):
    add_channel(receiver.url)
    add_event("quota.exhausted")
    receiver.answers(500)
    found = {}
    for at in (NOW, NOW + 25 * HOUR, NOW + 72 * HOUR):
        change_delivery(due_at=at)
        with clock.frozen(at):
            run_pass()
        found[(at - NOW) // HOUR] = states()

    assert found == {0: ["waiting"], 25: ["waiting"], 72: ["failed"]}


def test_retry_after_is_obeyed_up_to_six_hours(receiver):
    add_channel(receiver.url)
    add_event()
    receiver.answers(Reply(429, headers={"Retry-After": "1000"}))
    run_pass()
    assert deliveries()[0].due_at == NOW + 1_000

    receiver.answers(Reply(429, headers={"Retry-After": str(86_400)}))
    with clock.frozen(NOW + 1_000):
        run_pass()
    assert deliveries()[0].due_at == NOW + 1_000 + 6 * HOUR


def test_gone_switches_a_webhook_off_and_nothing_else_does(receiver):
    channel_id = add_channel(receiver.url)
    receiver.answers(404)
    add_event()
    run_pass()
    assert channel_row(channel_id).state == "on"

    receiver.answers(410)
    add_event()
    with clock.frozen(NOW + 60):
        run_pass()
    assert channel_row(channel_id).state == "off"
    assert states() == ["failed", "dropped"]
    assert len(receiver.got) == 2
    assert run_pass() == 0


def test_an_address_that_is_closed_meanwhile_is_not_reached(receiver, instance_dir, database):
    add_channel(receiver.url)
    add_event()
    with opened(instance_dir, **database):
        run_pass()

        assert receiver.got == []
        assert deliveries()[0].error is not None
        assert "QUOTA_ALERT_TARGETS" in deliveries()[0].error


def test_channels_are_sent_side_by_side(receiver):
    with Receiver() as slow:
        slow.answers(Reply(200, delay=1.0))
        add_channel(slow.url, "slow")
        add_channel(receiver.url, "quick")
        add_event()
        run_pass()

        assert receiver.got[0].at < slow.got[0].at + 0.9
        assert states() == ["sent", "sent"]


def test_what_another_process_has_claimed_is_left_to_it_until_its_claim_ends(receiver):
    add_channel(receiver.url)
    add_event()
    change_delivery(claimed_by=7, claimed_until=NOW + 100)
    assert run_pass() == 0

    with clock.frozen(NOW + 100):
        assert run_pass() == 1
    assert states() == ["sent"]


def test_a_claim_that_was_lost_writes_nothing(receiver):
    add_channel(receiver.url)
    add_event()
    with store.database.transaction() as tx:
        [mine] = store.delivery_claims.claim(tx, 1, NOW, NOW + 10)
        store.delivery_claims.claim(tx, 2, NOW + 10, NOW + 200)
        store.delivery_claims.note_failed(tx, 1, [mine.id], "late")

    assert [(row.state, row.claimed_by) for row in deliveries()] == [("waiting", 2)]


def test_one_claim_takes_five_of_a_webhook_and_twenty_in_all(receiver):
    ids = [add_channel(receiver.url, f"hook {n}") for n in range(6)]
    for _ in range(7):
        add_event()
    with store.database.transaction() as tx:
        taken = store.delivery_claims.claim(tx, 1, NOW, NOW + 10)
    counts = [sum(one.channel_id == each for one in taken) for each in ids]

    assert len(taken) == 20
    assert max(counts) - min(counts) <= 1
    change_delivery(claimed_by=None, claimed_until=None)
    with store.database.transaction() as tx:
        for each in ids[1:]:
            store.channels.switch_off(tx, each)
        assert len(store.delivery_claims.claim(tx, 2, NOW, NOW + 10)) == 5


def test_nothing_is_begun_once_the_process_stops_and_its_claims_are_free(receiver):
    add_channel(receiver.url)
    add_event()
    stop = threading.Event()
    stop.set()
    run_pass(stop)

    [row] = deliveries()
    assert (row.state, row.tries, row.claimed_by, row.due_at) == ("waiting", 0, None, NOW)
    assert receiver.got == []


def test_a_message_has_time_to_end_within_its_claim():
    from quota_web.alerts import apprise_runner, webhook_client

    assert max(webhook_client.DEADLINE_S, apprise_runner.DEADLINE_S) <= LEAST_LEFT_S
    assert CLAIM_S == 120


def test_an_event_that_was_withdrawn_is_not_sent(receiver):
    from sqlalchemy import update

    from quota_web.store.models import event

    add_channel(receiver.url)
    add_event()
    with store.database.transaction() as tx:
        tx.execute(update(event).values(withdrawn_at=NOW))
    run_pass()

    assert (states(), receiver.got) == (["dropped"], [])


def test_a_deleted_channel_takes_what_waits_along(receiver):
    channel_id = add_channel(receiver.url)
    add_event()
    channel_service.remove(channel_id, NOW, "test")

    assert deliveries() == []
    assert run_pass() == 0


def test_a_long_body_stays_below_the_limit_of_the_standard(receiver):
    add_channel(receiver.url)
    add_event("site.channel_failing", None, channel="x" * 30_000, reason="y" * 30_000)
    run_pass()

    assert len(receiver.got[0].body) < 20_000
    assert bodies(receiver)[0]["type"] == "site.channel_failing"


def test_a_channel_that_no_key_opens_fails_and_says_so(receiver):
    from sqlalchemy import update

    from quota_web.store.alert_tables import channel

    add_channel(receiver.url)
    add_event()
    with store.database.transaction() as tx:
        tx.execute(update(channel).values(url_sealed=b"x"))
    run_pass()

    assert deliveries()[0].error == "no key opens the address of this channel; enter it again"


def test_a_sealed_address_opens_in_no_other_channel(receiver):
    from quota_web.store.encryption import DecryptionFailed

    one, two = add_channel(receiver.url, "one"), add_channel(receiver.url + "2", "two")
    with store.database.reading() as conn:
        found = store.channels.get_by_ids(conn, [one, two])
    cipher = services().cipher
    with pytest.raises(DecryptionFailed):
        cipher.open(found[one].url_sealed, two, "channel-url")
    with pytest.raises(DecryptionFailed):
        cipher.open(found[one].url_sealed, one, "channel-secret")


def test_a_test_message_goes_the_same_way_and_leaves_no_event(receiver):
    from tests.alerts.sending import saying

    channel_id = add_channel(receiver.url)
    own = senders()
    result = channel_service.test(services().cipher, own, channel_id, saying(), NOW)
    own.close()

    assert (result.code, result.status) == ("sent", 200)
    assert bodies(receiver)[0]["type"] == "site.test"
    assert deliveries() == []
