"""What is written down to be sent: each channel's own choice, once, and gone with its account."""

import json

import pytest
from sqlalchemy import insert, select

from quota_web import store
from quota_web.accounts import account_service
from quota_web.alerts import outbox
from quota_web.maintenance import prune
from quota_web.store.alert_tables import alert_state, channel, delivery
from quota_web.store.detected_events import ACTOR
from quota_web.store.event_log import LoggedEvent
from quota_web.store.models import event
from tests.alerts.channels import add_channel
from tests.fakes import NOW
from tests.operations import fill_history, opened

DAY = 86_400


@pytest.fixture
def ids(instance_dir, database):
    with opened(instance_dir, **database):
        yield fill_history(1)


@pytest.fixture
def tx(ids):
    with store.database.transaction() as conn:
        yield conn


def add_event(conn, kind, account_id=1, window="weekly", **data):
    made = conn.execute(
        insert(event).values(
            at=NOW, kind=kind, actor=ACTOR, account_id=account_id, data=json.dumps(data)
        )
    )
    event_id = made.inserted_primary_key[0]
    return LoggedEvent(event_id, NOW, kind, account_id, window, data, None)


def low(conn, threshold, account_id=1, window="weekly"):
    return add_event(conn, "quota.low", account_id, window, threshold=threshold)


def deliveries(conn):
    d = delivery.c
    query = select(channel.c.name, d.event_id).join_from(channel, delivery)
    return sorted((row.name, row.event_id) for row in conn.execute(query))


def test_each_channel_is_told_of_its_own_lowest_threshold(tx):
    for name, thresholds in (("a", [50]), ("b", [50, 20]), ("c", [5])):
        add_channel(tx, name, thresholds=thresholds)
    add_channel(tx, "default")
    events = [low(tx, 50), low(tx, 20)]

    outbox.enqueue(tx, events, NOW)

    at_50, at_20 = (one.id for one in events)
    assert deliveries(tx) == [("a", at_50), ("b", at_20), ("default", at_20)]


def test_windows_and_accounts_have_lowest_thresholds_of_their_own(tx):
    add_channel(tx, "a")
    events = [low(tx, 20), low(tx, 5, window="five_hour"), low(tx, 5, account_id=2)]

    outbox.enqueue(tx, events, NOW)

    assert deliveries(tx) == [("a", one.id) for one in events]


def test_a_channel_takes_what_it_names_and_else_what_is_on_by_default(tx):
    add_channel(tx, "default")
    add_channel(tx, "plans", kinds=["account.plan_changed"])
    plan = add_event(tx, "plan_changed", window=None, before="plus", after="pro")
    early = add_event(tx, "reset_provider", account_id=None, window=None, parts=[])
    other = add_event(tx, "reset_scheduled")

    outbox.enqueue(tx, [plan, early, other], NOW)

    assert deliveries(tx) == [("default", early.id), ("plans", plan.id)]


def test_a_channel_of_some_accounts_is_told_of_these_and_of_what_concerns_all(tx):
    add_channel(tx, "a", accounts=[1])
    one, two = (add_event(tx, "quota.exhausted", account_id=i) for i in (1, 2))
    site = add_event(tx, "site.all_failing", account_id=None, window=None)
    theirs = add_event(tx, "reset_provider", account_id=None, parts=[[2, "weekly", NOW]])
    ours = add_event(tx, "reset_provider", account_id=None, parts=[[1, "weekly", NOW]])

    outbox.enqueue(tx, [one, two, site, theirs, ours], NOW)

    assert deliveries(tx) == [("a", event.id) for event in (one, site, ours)]


def test_what_is_written_down_twice_is_sent_once(tx):
    add_channel(tx, "a")
    one = low(tx, 20)
    outbox.enqueue(tx, [one], NOW)
    tx.execute(delivery.update().values(state="sent"))

    outbox.enqueue(tx, [one], NOW + 60)

    rows = tx.execute(select(delivery.c.state, delivery.c.due_at)).all()
    assert [tuple(row) for row in rows] == [("sent", NOW)]


def test_an_early_reset_is_held_for_ten_minutes(tx):
    add_channel(tx, "a")
    early, other = add_event(tx, "reset_early"), add_event(tx, "quota.exhausted")

    outbox.enqueue(tx, [early, other], NOW)

    rows = tx.execute(select(delivery.c.event_id, delivery.c.due_at).order_by(delivery.c.id))
    assert dict(tuple(row) for row in rows) == {early.id: NOW + 600, other.id: NOW}


def test_a_channel_that_is_off_is_told_of_nothing(tx):
    add_channel(tx, "a", state="off")

    outbox.enqueue(tx, [low(tx, 20)], NOW)

    assert deliveries(tx) == []


def test_an_account_that_is_gone_leaves_nothing_to_send(ids):
    with store.database.transaction() as tx:
        add_channel(tx, "a")
        outbox.enqueue(tx, [low(tx, 20, account_id=ids[0])], NOW)
        tx.execute(
            insert(alert_state).values(
                account_id=ids[0], window_key="weekly", kind="quota.low", episode=1, armed=False
            )
        )
    account_service.remove("alice", NOW, "test")
    prune.purge_deleted()

    with store.database.reading() as conn:
        assert deliveries(conn) == []
        assert conn.execute(select(alert_state)).all() == []


def test_retention_takes_what_was_sent_and_leaves_what_waits(ids):
    with store.database.transaction() as tx:
        add_channel(tx, "a")
        sent, waiting, new = (low(tx, 20, window=key) for key in ("a", "b", "c"))
        outbox.enqueue(tx, [sent, waiting], NOW - 5 * DAY)
        outbox.enqueue(tx, [new], NOW)
        done = delivery.c.event_id.in_([sent.id, new.id])
        tx.execute(delivery.update().where(done).values(state="sent"))

    prune.prune(NOW - 2 * DAY, NOW, "test")

    with store.database.reading() as conn:
        assert deliveries(conn) == [("a", waiting.id), ("a", new.id)]
