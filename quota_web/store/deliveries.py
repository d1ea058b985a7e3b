"""Queries on deliveries: what is to be sent through which channel, and what became of it."""

import json
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select, update

from quota_web.store import auth
from quota_web.store.alert_tables import channel, delivery
from quota_web.store.database import insert_of
from quota_web.store.event_log import LoggedEvent, logged
from quota_web.store.models import event, limit_window

WAITING, SENT, DROPPED, FAILED = "waiting", "sent", "dropped", "failed"
#: The setting that holds what was deleted, so that counters never fall.
_TOTALS = "delivery_totals"


@dataclass(frozen=True, slots=True)
class WaitingDeliveries:
    """What is to be sent."""

    count: int
    #: When the event became known that has waited longest.
    oldest_at: int | None


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
    going = delivery.c.event_id.in_(select(event.c.id).where(those))
    _add_to_totals(conn, going)
    conn.execute(delivery.delete().where(going))
    return int(conn.execute(event.delete().where(those)).rowcount)


def delete_old(conn: Connection, before: int) -> int:
    """Delete what was due before that moment and is not waiting; returns how many went."""
    old = (delivery.c.due_at < before) & (delivery.c.state != WAITING)
    _add_to_totals(conn, old)
    return int(conn.execute(delivery.delete().where(old)).rowcount)


def figures(conn: Connection) -> tuple[dict[tuple[str, str], int], WaitingDeliveries]:
    """How many deliveries came to what, by the channel's name and the state, what was deleted
    since included; and what waits.
    """
    names = {row.id: row.name for row in conn.execute(select(channel.c.id, channel.c.name))}
    if not names:
        return {}, WaitingDeliveries(0, None)
    found = Counter(_gone(conn))
    found.update(_counts(conn, delivery.c.state != WAITING))
    totals = {(names[i], state): n for (i, state), n in found.items() if i in names}
    return totals, waiting(conn)


def waiting(conn: Connection) -> WaitingDeliveries:
    """What is to be sent, of all channels."""
    told_at = func.coalesce(event.c.told_at, event.c.at)
    query = select(func.count(), func.min(told_at)).join_from(delivery, event)
    count, oldest_at = conn.execute(query.where(delivery.c.state == WAITING)).one()
    return WaitingDeliveries(count, oldest_at)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery with its event, as people read it."""

    channel: str
    channel_id: int
    event: LoggedEvent
    state: str
    tries: int
    due_at: int
    sent_at: int | None
    error: str | None


def newest(conn: Connection, limit: int) -> list[DeliveryRow]:
    """The newest deliveries of all channels, newest first."""
    d, e = delivery.c, event.c
    query = (
        select(e.id, e.at, e.kind, e.account_id, limit_window.c.key, e.data, e.withdrawn_at)
        .add_columns(channel.c.name, d.channel_id, d.state, d.tries, d.due_at, d.sent_at, d.error)
        .join_from(delivery, channel, channel.c.id == d.channel_id)
        .join(event, e.id == d.event_id)
        .outerjoin(limit_window, limit_window.c.id == e.window_id)
        .order_by(d.id.desc())
        .limit(limit)
    )
    found = []
    for row in conn.execute(query):
        name, channel_id, *rest = row[7:]
        found.append(DeliveryRow(name, channel_id, logged(*row[:7]), *rest))
    return found


def last_sent(conn: Connection) -> dict[int, int]:
    """When a message last came through each channel, by its id."""
    d = delivery.c
    query = select(d.channel_id, func.max(d.sent_at)).where(d.sent_at.is_not(None))
    return {row[0]: row[1] for row in conn.execute(query.group_by(d.channel_id))}


def _counts(conn: Connection, those: ColumnElement[bool]) -> dict[tuple[int, str], int]:
    d = delivery.c
    query = select(d.channel_id, d.state, func.count()).where(those)
    rows = conn.execute(query.group_by(d.channel_id, d.state))
    return {(row[0], row[1]): row[2] for row in rows}


def _gone(conn: Connection) -> dict[tuple[int, str], int]:
    stored = json.loads(auth.setting_of(conn, _TOTALS) or "[]")
    return {(channel_id, state): count for channel_id, state, count in stored}


def _add_to_totals(conn: Connection, going: ColumnElement[bool]) -> None:
    """Count what is about to be deleted; what waits came to nothing yet."""
    added = _counts(conn, going & (delivery.c.state != WAITING))
    if added:
        found = Counter(_gone(conn))
        found.update(added)
        rows = [[*key, count] for key, count in sorted(found.items())]
        auth.set_setting(conn, _TOTALS, json.dumps(rows))


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
