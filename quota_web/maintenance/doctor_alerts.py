"""What the doctor says of alerts; no address is shown."""

from collections.abc import Iterator, Sequence

from quota_web import store
from quota_web.core import names, times
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadDatabase
from quota_web.maintenance import channel_keys
from quota_web.maintenance.findings import Finding, Level
from quota_web.store.channels import AlertChannel
from quota_web.store.encryption import TokenCipher

WHAT = "alerts"
#: A message that has waited for so long though no channel fails: nothing sends it.
LATE_S = 3_600


def findings(cipher: TokenCipher, now: int) -> Iterator[Finding]:
    """How channels and messages are; nothing where the database cannot be read."""
    try:
        with store.database.reading() as conn:
            channels = [one for one in store.channels.list_all(conn) if one.is_on]
            waiting = store.deliveries.waiting(conn)
            locked = channel_keys.unreadable(conn, cipher) if channels else []
    except BadDatabase:
        return
    found = list(_of_channels(channels, {one.id for one in locked}))
    late_s = now - (waiting.oldest_at or now)
    if channels and not found and late_s > LATE_S:
        text = f"a message has waited for {late_s // 60} minutes"
        advice = f"start the service, or run `{COMMAND} alerts send` from cron"
        found.append(Finding(WHAT, Level.WARN, text, advice))
    said = f"{len(channels)} channels, {waiting.count} messages wait" if channels else "no channel"
    yield from found or [Finding(WHAT, Level.OK, said)]


def _of_channels(channels: Sequence[AlertChannel], locked: set[int]) -> Iterator[Finding]:
    for one in channels:
        name = names.printable(one.name)
        if one.id in locked:
            text = f"channel {name}: no key opens its address"
            yield Finding(WHAT, Level.WARN, text, "enter it again on the Alerts page")
        elif one.failing_since is not None:
            since = times.iso_text(one.failing_since)
            text = f"channel {name} has failed since {since}: {one.last_error}"
            yield Finding(WHAT, Level.WARN, text, f"try it: {COMMAND} alerts test {name}")
