"""Act: what channels need once a minute: their digests, and word of a channel that fails."""

from collections.abc import Sequence

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import digest_text, digests, messages, outbox
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.kinds import Alert
from quota_web.core.language import use_language
from quota_web.store.alert_events import NewAlert
from quota_web.store.channels import AlertChannel
from quota_web.store.event_log import LoggedEvent

#: A channel that has failed for so long is told of through the others.
FAILING_S = 6 * 3_600
#: A digest that could not be made in time, because nothing ran, is left out after so long.
LATE_S = 3 * 3_600


def run(now: int, saying: Saying, interval_s: int) -> None:
    """Write down what is to be sent. Several processes may do this at once: each event has a key
    of its own.
    """
    with store.database.reading() as conn:
        channels = [one for one in store.channels.list_all(conn) if one.is_on]
        due = [
            one
            for one in channels
            if (key := _digest_key(one, now, saying)) and not store.alert_events.is_told(conn, key)
        ]
        failing = [
            one
            for one in channels
            if now - (one.failing_since or now) >= FAILING_S
            and not store.alert_events.is_told(conn, _failing_key(one))
        ]
    texts = {one.id: _digest_text(one, now, saying, interval_s) for one in due}
    if not due and not failing:
        return
    with store.database.transaction() as tx:
        for channel in due:
            _add_digest(tx, channel, now, saying, texts[channel.id])
        for channel in failing:
            _tell_failing(tx, channel, channels, now)


def _digest_key(channel: AlertChannel, now: int, saying: Saying) -> str | None:
    """The key of the digest that is due now; None where none is."""
    if channel.digest is None:
        return None
    at = digests.parse(channel.digest).last_at(now, saying.zone)
    is_due = channel.created_at <= at and now - at <= LATE_S
    return f"{messages.DIGEST}:::{channel.id}:{at}" if is_due else None


def _failing_key(channel: AlertChannel) -> str:
    return f"{Alert.CHANNEL_FAILING}:::{channel.id}:{channel.failing_since}"


def _digest_text(channel: AlertChannel, now: int, saying: Saying, interval_s: int) -> str:
    with use_language(channel.language or saying.language):
        return digest_text.text(digests.parse(channel.digest or "").days, now, interval_s)


def _add_digest(tx: Connection, channel: AlertChannel, now: int, saying: Saying, text: str) -> None:
    key, data = _digest_key(channel, now, saying) or "", {"text": text}
    added = store.alert_events.add(tx, NewAlert(messages.DIGEST, None, None, None, now, key, data))
    if added is not None:
        store.deliveries.add(tx, [(added.id, channel.id)], now)


def _tell_failing(
    tx: Connection, channel: AlertChannel, channels: Sequence[AlertChannel], now: int
) -> None:
    key = _failing_key(channel)
    data = {
        "channel": channel.name,
        "since": channel.failing_since,
        "reason": channel.last_error,
    }
    new = NewAlert(str(Alert.CHANNEL_FAILING), None, None, None, now, key, data)
    added: LoggedEvent | None = store.alert_events.add(tx, new)
    if added is not None:
        outbox.enqueue(tx, [added], now, without=channel.id)
