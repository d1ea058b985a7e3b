"""What the tests of sending share: channels and events in the database, and one pass over them."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import insert, select, update

from quota_web import store
from quota_web.alerts import channel_service
from quota_web.alerts.channel_service import ChannelDraft
from quota_web.alerts.delivery_pass import DeliveryPass
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.send_result import SendResult
from quota_web.alerts.senders import Senders
from quota_web.core import clock
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.secret import Secret
from quota_web.services import services
from quota_web.store.accounts import new_id
from quota_web.store.alert_tables import channel, delivery
from quota_web.store.channels import APPRISE, WEBHOOK, ChannelRules
from quota_web.store.models import event
from tests.fakes import NOW

LOOPBACK: dict[str, Any] = {"QUOTA_ALERT_TARGETS": "127.0.0.0/8", "QUOTA_TIMEZONE": "Europe/Berlin"}


def senders() -> Senders:
    return Senders(services().settings)


def saying() -> Saying:
    settings = services().settings
    return Saying(settings.timezone, settings.public_url, settings.language)


def add_channel(url: str, name: str = "mine", **rules: Any) -> int:
    """A channel for that address; a webhook where it is one of HTTP."""
    kind = WEBHOOK if url.startswith("http") else APPRISE
    draft = ChannelDraft(ChannelRules(name, **rules), kind, Secret(url))
    own = senders()
    setattr(own.apprise, "check", partial(_checked, own.apprise.check))  # noqa: B010  a method
    try:
        return channel_service.create(services().cipher, own, draft, NOW, "test")[0]
    finally:
        own.close()


#: What the program said of a service on a host, by what may be reached.
_said: dict[tuple[AlertTargets, str, str | None], SendResult] = {}


def _checked(check: Callable[[Secret], SendResult], url: Secret) -> SendResult:
    """Let the program judge the addresses of a host once: it loads all services for each, and its
    own tests judge every kind.
    """
    found = urlsplit(url.reveal())
    key = services().settings.alert_targets, found.scheme, found.hostname
    said = _said.get(key) or check(url)
    if said.text is None:
        _said[key] = said
    return said


def add_event(
    kind: str = "quota.exhausted",
    account_id: int | None = 1,
    *,
    at: int | None = None,
    channels: list[int] | None = None,
    **data: Any,
) -> int:
    """An event that waits for these channels, or for all of them."""
    at = clock.now() if at is None else at
    with store.database.transaction() as tx:
        values = {
            "at": at,
            "kind": kind,
            "actor": "alerts",
            "account_id": account_id,
            "data": json.dumps(data),
            "told_at": at,
        }
        event_id = new_id(tx.execute(insert(event).values(values)))
        ids = channels or [one.id for one in store.channels.list_all(tx)]
        store.deliveries.add(tx, [(event_id, each) for each in ids], clock.now())
    return event_id


def run_pass(stop: threading.Event | None = None) -> int:
    """One pass as a service makes it."""
    own = senders()
    try:
        made = DeliveryPass(own, services().cipher, saying(), stop or threading.Event())
        return made.run()
    finally:
        own.close()


def deliveries() -> list[Any]:
    """All of them, by the id of the event and the channel."""
    with store.database.reading() as conn:
        query = select(delivery).order_by(delivery.c.event_id, delivery.c.channel_id)
        return list(conn.execute(query).all())


def states() -> list[str]:
    return [row.state for row in deliveries()]


def channel_row(channel_id: int) -> Any:
    with store.database.reading() as conn:
        return conn.execute(select(channel).where(channel.c.id == channel_id)).one()


def change_delivery(**values: Any) -> None:
    with store.database.transaction() as tx:
        tx.execute(update(delivery).values(**values))
