"""Queries on deliveries: what is to be sent through which channel, and what became of it."""

import secrets
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, select, update

from quota_web.store.alert_tables import delivery
from quota_web.store.database import insert_of
from quota_web.store.models import event

WAITING, SENT, DROPPED, FAILED = "waiting", "sent", "dropped", "failed"


def add(conn: Connection, pairs: Iterable[tuple[int, int]], due_at: int) -> None:
    """Let events (by id) be sent through channels (by id) from *due_at* on; what is to be sent or
    was already stays as it is.
    """
    rows = [
        {
            "event_id": event_id,
            "channel_id": channel_id,
            # The same on every try, so that a receiver knows what it has.
            "message_id": f"msg_{secrets.token_hex(16)}",
            "due_at": due_at,
            "state": WAITING,
        }
        for event_id, channel_id in pairs
    ]
    if rows:
        new = insert_of(conn.dialect.name)(delivery)
        there = new.on_conflict_do_nothing(index_elements=["event_id", "channel_id"])
        conn.execute(there, rows)


def delete_events(conn: Connection, those: ColumnElement[bool]) -> int:
    """Delete events, and what was to be sent of them; returns how many events went."""
    ids = select(event.c.id).where(those)
    conn.execute(delivery.delete().where(delivery.c.event_id.in_(ids)))
    return int(conn.execute(event.delete().where(those)).rowcount)


def delete_old(conn: Connection, before: int) -> int:
    """Delete what was due before that moment and is not waiting; returns how many went."""
    d = delivery.c
    old = delivery.delete().where(d.due_at < before, d.state != WAITING)
    return int(conn.execute(old).rowcount)


def drop_waiting(conn: Connection) -> None:
    """Let nothing be sent of what waits: it is of another time."""
    waiting = update(delivery).where(delivery.c.state == WAITING)
    conn.execute(waiting.values(state=DROPPED, claimed_by=None, claimed_until=None))


def drop_channel(conn: Connection, channel_id: int) -> None:
    """Let nothing be sent of what waits for a channel."""
    d = delivery.c
    waiting = update(delivery).where(d.channel_id == channel_id, d.state == WAITING)
    conn.execute(waiting.values(state=DROPPED, claimed_by=None, claimed_until=None))


def free_claims(conn: Connection) -> None:
    """No process is sending any of it."""
    claimed = update(delivery).where(delivery.c.claimed_by.is_not(None))
    conn.execute(claimed.values(claimed_by=None, claimed_until=None))
