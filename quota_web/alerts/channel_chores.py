"""Act: what channels need once a minute: their digests, and word of a channel that fails."""

from collections.abc import Sequence

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import digests, outbox
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.kinds import Alert
from quota_web.store.alert_events import NewAlert
from quota_web.store.channels import AlertChannel
from quota_web.store.event_log import LoggedEvent

#: A channel that has failed for so long is told of through the others.
FAILING_S = 6 * 3_600
#: The kind of the event by which a digest is sent.
DIGEST = "site.digest"
#: A digest that could not be made in time, because nothing ran, is left out after so long.
LATE_S = 3 * 3_600


def run(now: int, saying: Saying) -> None:
    """Write down what is to be sent. Several processes may do this at once: each event has a key
    of its own.
    """
    with store.database.reading() as conn:
        channels = [one for one in store.channels.list_all(conn) if one.is_on]
    due = [one for one in channels if _digest_at(one, now, saying) is not None]
    failing = [one for one in channels if now - (one.failing_since or now) >= FAILING_S]
    if not due and not failing:
        return
    with store.database.transaction() as tx:
        for channel in due:
            _add_digest(tx, channel, now, saying)
        for channel in failing:
            _tell_failing(tx, channel, channels, now)


def _digest_at(channel: AlertChannel, now: int, saying: Saying) -> int | None:
    """When the digest is of that is due now; None where none is."""
    if channel.digest is None:
        return None
    at = digests.parse(channel.digest).last_at(now, saying.zone)
    return at if channel.created_at <= at and now - at <= LATE_S else None


def _add_digest(tx: Connection, channel: AlertChannel, now: int, saying: Saying) -> None:
    at = _digest_at(channel, now, saying)
    key = f"{DIGEST}:::{channel.id}:{at}"
    data = {"days": digests.parse(channel.digest or "").days}
    added = store.alert_events.add(tx, NewAlert(DIGEST, None, None, None, now, key, data))
    if added is not None:
        store.deliveries.add(tx, [(added.id, channel.id)], now)


def _tell_failing(
    tx: Connection, channel: AlertChannel, channels: Sequence[AlertChannel], now: int
) -> None:
    key = f"{Alert.CHANNEL_FAILING}:::{channel.id}:{channel.failing_since}"
    data = {
        "channel": channel.name,
        "since": channel.failing_since,
        "reason": channel.last_error,
    }
    new = NewAlert(str(Alert.CHANNEL_FAILING), None, None, None, now, key, data)
    added: LoggedEvent | None = store.alert_events.add(tx, new)
    if added is not None:
        outbox.enqueue(tx, [added], now, without=channel.id)
