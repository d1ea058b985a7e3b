"""Decides what of the claimed deliveries is sent now, and in which messages.

What is not sent now is written down in the same transaction.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import groupby

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import merging, message_words, messages, quiet_hours
from quota_web.alerts.kinds import Urgency
from quota_web.alerts.merging import Line
from quota_web.alerts.messages import Told
from quota_web.core.language import use_language
from quota_web.store.channels import WEBHOOK, AlertChannel
from quota_web.store.delivery_claims import ClaimedDelivery
from quota_web.store.event_log import LoggedEvent

logger = logging.getLogger(__name__)
TITLE = "Codex Quota"
#: How long what another process is to send first is put off.
AFTER_OTHERS_S = 30


@dataclass(frozen=True, slots=True)
class Saying:
    """How events are put into words."""

    zone: tzinfo | None
    public_url: str | None
    #: Of channels that have none of their own; None: English.
    language: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message through one channel."""

    channel: AlertChannel
    #: All that is done once it is sent.
    deliveries: tuple[ClaimedDelivery, ...]
    #: JSON for a webhook, text for people.
    body: bytes
    urgency: Urgency

    @property
    def message_id(self) -> str:
        return self.deliveries[0].message_id

    @property
    def ids(self) -> list[int]:
        return [one.id for one in self.deliveries]


def plan(
    conn: Connection, claim_id: int, claimed: Sequence[ClaimedDelivery], now: int, saying: Saying
) -> list[Outgoing]:
    """The messages to send now, those of one channel behind each other."""
    channels = store.channels.get_by_ids(conn, {one.channel_id for one in claimed})
    names = {a.id: a.name for a in store.accounts.list_all(conn)} if claimed else {}
    found: list[Outgoing] = []
    for channel_id, group in groupby(claimed, key=lambda one: one.channel_id):
        channel = channels[channel_id]
        loud = _without_quiet(conn, claim_id, channel, list(group), now, saying.zone)
        with use_language(channel.language or saying.language):
            make = _of_webhook if channel.kind == WEBHOOK else _merged
            found += make(conn, claim_id, channel, loud, names, now, saying)
    return found


def _without_quiet(
    conn: Connection,
    claim_id: int,
    channel: AlertChannel,
    mine: list[ClaimedDelivery],
    now: int,
    zone: tzinfo | None,
) -> list[ClaimedDelivery]:
    quiet = quiet_hours.parse(channel.quiet) if channel.quiet else None
    end_at = quiet.end_at(now, zone) if quiet is not None else None
    if quiet is None or end_at is None:
        return mine
    loud = [
        one
        for one in mine
        if quiet.lets_urgent and messages.urgency_of(one.event) is Urgency.URGENT
    ]
    kept = {one.id for one in loud}
    held = [one.id for one in mine if one.id not in kept]
    store.delivery_claims.put_off(conn, claim_id, held, end_at)
    return loud


def _of_webhook(
    conn: Connection,
    claim_id: int,
    channel: AlertChannel,
    mine: Sequence[ClaimedDelivery],
    names: Mapping[int, str],
    now: int,
    saying: Saying,
) -> Iterator[Outgoing]:
    """One message an event."""
    gone = [one.id for one in mine if one.event.withdrawn_at is not None]
    store.delivery_claims.drop(conn, claim_id, gone)
    for one in mine:
        if one.event.withdrawn_at is None:
            told = _told(one.event, names, saying)
            body = messages.webhook_body(told, saying.public_url)
            yield Outgoing(channel, (one,), body, told.urgency)


def _merged(
    conn: Connection,
    claim_id: int,
    channel: AlertChannel,
    mine: Sequence[ClaimedDelivery],
    names: Mapping[int, str],
    now: int,
    saying: Saying,
) -> Iterator[Outgoing]:
    """One message of a line an event."""

    def beginnings(end: LoggedEvent) -> Sequence[tuple[LoggedEvent, str]]:
        begun = merging.ended_kinds(end)
        return store.delivery_claims.beginnings(conn, channel.id, begun, end.account_id, end.id)

    merged = merging.merge(mine, beginnings)
    store.delivery_claims.drop(conn, claim_id, merged.dropped)
    store.delivery_claims.put_off(conn, claim_id, merged.waiting, now + AFTER_OTHERS_S)
    if not merged.lines:
        return
    told = [_told(line.event, names, saying) for line in merged.lines]
    texts = [
        _line_text(line, each, now, saying) for line, each in zip(merged.lines, told, strict=True)
    ]
    accounts = {each.account for each in told}
    address = messages.link(accounts.pop() if len(accounts) == 1 else None, saying.public_url)
    ids = {done for line in merged.lines for done in line.ids}
    yield Outgoing(
        channel,
        tuple(one for one in mine if one.id in ids),
        messages.body_of_lines(texts, address).encode(),
        max((each.urgency for each in told), key=merging.WEIGHT.__getitem__),
    )


def _line_text(line: Line, told: Told, now: int, saying: Saying) -> str:
    if line.end is None:
        return told.text
    return message_words.ended(line.event, line.end.at, told.account, now, saying.zone)


def _told(event: LoggedEvent, names: Mapping[int, str], saying: Saying) -> Told:
    account = None
    if event.account_id is not None:
        account = names.get(event.account_id) or event.data.get("name")
    kind = messages.type_name(event)
    try:
        text = messages.sentence(event, names, saying.zone)
    except Exception:
        # One event that cannot be said must not hold up all others.
        logger.exception("event %d of kind %s cannot be put into words", event.id, event.kind)
        text = f"{account or TITLE}: {kind}"
    return Told(event, kind, messages.urgency_of(event), account, text)
