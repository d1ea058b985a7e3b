"""Channels and what is to be sent through them, for tests of both."""

import json

from sqlalchemy import insert, select

from quota_web import store
from quota_web.store.alert_tables import channel, delivery
from quota_web.store.models import account, event
from tests.fakes import NOW


def add_channel(conn, name="home", *, state="on", **chosen):
    """A channel; *chosen* are its kinds, accounts and thresholds."""
    values = {key: json.dumps(value) for key, value in chosen.items()}
    made = conn.execute(
        insert(channel).values(
            name=name, kind="webhook", url_sealed=b"x", state=state, created_at=NOW, **values
        )
    )
    return made.inserted_primary_key[0]


def with_channel(name="home", **chosen):
    with store.database.transaction() as tx:
        return add_channel(tx, name, **chosen)


def to_send():
    """Kind and account's name of every delivery, in the order of the events."""
    joined = delivery.join(event, event.c.id == delivery.c.event_id)
    joined = joined.outerjoin(account, account.c.id == event.c.account_id)
    query = select(event.c.kind, account.c.name).select_from(joined).order_by(delivery.c.id)
    with store.database.reading() as conn:
        return [tuple(row) for row in conn.execute(query)]
