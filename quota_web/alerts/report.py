"""What the page and the command show of alerts: what is open, the channels, the last messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from quota_web import store
from quota_web.alerts import channel_secrets, messages
from quota_web.core.times import iso
from quota_web.store.channels import AlertChannel
from quota_web.store.deliveries import DeliveryRow
from quota_web.store.encryption import TokenCipher

#: Messages that are shown.
MOST = 30


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """Something that was told and is not over."""

    kind: str
    #: None: all accounts.
    account: str | None
    window: str | None
    since: int


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """A channel as people see it: without its address."""

    channel: AlertChannel
    #: Such as `ntfy · ntfy.sh`; None where no key opens it.
    place: str | None
    #: When the last message came through.
    last_sent_at: int | None


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """A message as people see it."""

    row: DeliveryRow
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertsReport:
    open: list[OpenAlert]
    channels: list[ShownChannel]
    deliveries: list[ShownDelivery]


def load(cipher: TokenCipher, zone: tzinfo | None) -> AlertsReport:
    """Everything, in the current language."""
    with store.database.reading() as conn:
        names = {a.id: a.name for a in store.accounts.list_all(conn)}
        states = store.alert_states.load(conn)
        channels = store.channels.list_all(conn)
        last = store.deliveries.last_sent(conn)
        rows = store.deliveries.newest(conn, MOST)
    shown = [ShownChannel(c, channel_secrets.shown(cipher, c), last.get(c.id)) for c in channels]
    told = [
        ShownDelivery(row, messages.type_name(row.event), messages.sentence(row.event, names, zone))
        for row in rows
    ]
    return AlertsReport(_open(states, names), shown, told)


def _open(states: Mapping[int, Mapping[Any, Any]], names: Mapping[int, str]) -> list[OpenAlert]:
    found = [
        OpenAlert(kind, names.get(account_id), window or None, values[2])
        for account_id, of_account in states.items()
        if account_id in names or account_id == store.alert_states.SITE
        for (window, kind), values in of_account.items()
        if values[2] is not None
    ]
    return sorted(found, key=lambda one: (one.since, one.account or "", one.kind))


def document(seen: AlertsReport) -> dict[str, Any]:
    """The same for programs."""
    return {
        "open": [
            {
                "type": one.kind,
                "account": one.account,
                "window": one.window,
                "since": iso(one.since),
            }
            for one in seen.open
        ],
        "channels": [_channel_json(one) for one in seen.channels],
        "deliveries": [_delivery_json(one) for one in seen.deliveries],
    }


def _channel_json(one: ShownChannel) -> dict[str, Any]:
    channel = one.channel
    return {
        "name": channel.name,
        "kind": channel.kind,
        "place": one.place,
        "on": channel.is_on,
        "quiet": channel.quiet,
        "digest": channel.digest,
        "language": channel.language,
        "last_sent_at": iso(one.last_sent_at),
        "failing_since": iso(channel.failing_since),
        "error": channel.last_error,
    }


def _delivery_json(one: ShownDelivery) -> dict[str, Any]:
    row = one.row
    return {
        "event_id": row.event.id,
        "at": iso(row.event.at),
        "type": one.type,
        "text": one.text,
        "channel": row.channel,
        "state": row.state,
        "tries": row.tries,
        "due_at": iso(row.due_at) if row.state == "waiting" else None,
        "sent_at": iso(row.sent_at),
        "error": row.error,
    }
