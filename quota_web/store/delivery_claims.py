"""Claims on deliveries: any number of processes share the sending, and each message is sent by one
of them at a time.

A claim is a number in the row and when it ends. The process that holds it writes what came
of the sending; where it has ended meanwhile, another process may have taken over, and nothing
is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from quota_web.store.alert_tables import channel, delivery
from quota_web.store.channels import APPRISE, ON
from quota_web.store.deliveries import DROPPED, FAILED, SENT, WAITING
from quota_web.store.event_log import LoggedEvent, logged
from quota_web.store.models import event, limit_window

#: How many deliveries one claim takes, and of one webhook, which gets a request for each. The other
#: channels get one message, so what waits there goes along whenever something is due.
MOST, MOST_OF_WEBHOOK = 20, 5


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """One delivery that this process may send."""

    id: int
    channel_id: int
    message_id: str
    #: How often it was tried before.
    tries: int
    event: LoggedEvent
    #: When it became known, which may be later than when it was so.
    told_at: int


def claim(conn: Connection, claim_id: int, now: int, until: int) -> list[ClaimedDelivery]:
    """Claim what is due, a fair share of each channel, until that moment."""
    chosen = [row.id for row in conn.execute(_due(), {"now": now})]
    if not chosen:
        return []
    d = delivery.c
    mine = update(delivery).where(d.id.in_(chosen), d.state == WAITING, _is_free(now))
    conn.execute(mine.values(claimed_by=claim_id, claimed_until=until))
    return _claimed(conn, claim_id)


def is_any_due(conn: Connection, now: int) -> bool:
    """Whether a claim would take something: a look that writes nothing."""
    return conn.execute(_any_due(), {"now": now}).first() is not None


def _is_free(now: int | BindParameter[int]) -> ColumnElement[bool]:
    d = delivery.c
    return or_(d.claimed_until.is_(None), d.claimed_until <= now)


@cache
def _any_due() -> Any:
    """One delivery that is due at the parameter `now`; made once, since it is asked every few
    seconds.
    """
    now = bindparam("now", type_=BigInteger)
    d, c = delivery.c, channel.c
    rows = select(d.id).join_from(delivery, channel, c.id == d.channel_id)
    return rows.where(d.state == WAITING, c.state == ON, _is_free(now), d.due_at <= now).limit(1)


@cache
def _due() -> Any:
    """What is due at the parameter `now`, a fair share of each channel."""
    now = bindparam("now", type_=BigInteger)
    d, c = delivery.c, channel.c
    is_merged = c.kind == APPRISE
    # In the order of the events where they are told in one message.
    order = case((is_merged, 0), else_=d.due_at), d.event_id
    rows = (
        select(
            d.id,
            d.due_at,
            is_merged.label("is_merged"),
            func.row_number().over(partition_by=d.channel_id, order_by=order).label("place"),
            func.min(d.due_at).over(partition_by=d.channel_id).label("first_due_at"),
        )
        .join_from(delivery, channel, c.id == d.channel_id)
        .where(d.state == WAITING, c.state == ON, _is_free(now))
        .where(or_(is_merged, d.due_at <= now))
        .subquery()
    )
    r = rows.c
    most = case((r.is_merged, MOST), else_=MOST_OF_WEBHOOK)
    due = select(r.id).where(r.first_due_at <= now, r.place <= most)
    return due.order_by(r.place, r.due_at).limit(MOST)


def _claimed(conn: Connection, claim_id: int) -> list[ClaimedDelivery]:
    d, e = delivery.c, event.c
    query = (
        select(
            *d, e.at, e.kind, e.account_id, e.data, e.withdrawn_at, e.told_at, limit_window.c.key
        )
        .join_from(delivery, event, e.id == d.event_id)
        .outerjoin(limit_window, limit_window.c.id == e.window_id)
        .where(d.claimed_by == claim_id, d.state == WAITING)
        .order_by(d.channel_id, e.id)
    )
    return [_delivery(row._mapping) for row in conn.execute(query)]


def _delivery(row: Mapping[Any, Any]) -> ClaimedDelivery:
    found = logged(
        row["event_id"],
        row["at"],
        row["kind"],
        row["account_id"],
        row["key"],
        row["data"],
        row["withdrawn_at"],
    )
    told_at = row["at"] if row["told_at"] is None else row["told_at"]
    return ClaimedDelivery(
        row["id"], row["channel_id"], row["message_id"] or "", row["tries"], found, told_at
    )


def note_sent(conn: Connection, claim_id: int, ids: Sequence[int], now: int) -> None:
    """They were taken by the receiver."""
    _end(conn, claim_id, ids, state=SENT, sent_at=now, error=None, tries=delivery.c.tries + 1)


def note_try(conn: Connection, claim_id: int, ids: Sequence[int], due_at: int, error: str) -> None:
    """They were not, and are tried again from *due_at* on."""
    _end(conn, claim_id, ids, due_at=due_at, error=error, tries=delivery.c.tries + 1)


def note_failed(conn: Connection, claim_id: int, ids: Sequence[int], error: str) -> None:
    """They were not, and are given up."""
    _end(conn, claim_id, ids, state=FAILED, error=error, tries=delivery.c.tries + 1)


def drop(conn: Connection, claim_id: int, ids: Sequence[int]) -> None:
    """There is nothing to say any more."""
    _end(conn, claim_id, ids, state=DROPPED)


def put_off(conn: Connection, claim_id: int, ids: Sequence[int], due_at: int) -> None:
    """Send them later, without a try."""
    _end(conn, claim_id, ids, due_at=due_at)


def _end(conn: Connection, claim_id: int, ids: Sequence[int], **values: Any) -> None:
    mine = update(delivery).where(delivery.c.claimed_by == claim_id, delivery.c.id.in_(list(ids)))
    conn.execute(mine.values(**values, claimed_by=None, claimed_until=None))


def beginnings(
    conn: Connection, channel_id: int, kinds: Sequence[str], account_id: int | None, before: int
) -> list[tuple[LoggedEvent, str]]:
    """The newest events of these kinds and that account with smaller ids than *before*, newest
    first, with what became of each in the channel.
    """
    d, e = delivery.c, event.c
    query = (
        select(e.id, e.at, e.kind, e.account_id, limit_window.c.key, e.data, e.withdrawn_at)
        .add_columns(d.state)
        .join_from(event, delivery, (d.event_id == e.id) & (d.channel_id == channel_id))
        .outerjoin(limit_window, limit_window.c.id == e.window_id)
        .where(e.kind.in_(list(kinds)), e.account_id.is_not_distinct_from(account_id))
        .where(e.id < before)
        .order_by(e.id.desc())
        .limit(20)
    )
    return [(logged(*row[:-1]), row[-1]) for row in conn.execute(query)]
