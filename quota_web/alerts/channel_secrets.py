"""Seals and opens what of a channel is secret: its address, and what signs a webhook."""

from dataclasses import dataclass

from quota_web.alerts import apprise_address
from quota_web.alerts.webhook_signature import WebhookSecrets
from quota_web.core.secret import Secret
from quota_web.store.channels import WEBHOOK, AlertChannel
from quota_web.store.encryption import (
    CHANNEL_SECRET,
    CHANNEL_URL,
    DecryptionFailed,
    TokenCipher,
)


@dataclass(frozen=True, slots=True)
class OpenedChannel:
    """Where a channel leads; *keys* is None for what is no webhook."""

    url: Secret
    keys: WebhookSecrets | None = None


def sealed(
    cipher: TokenCipher, channel_id: int, opened: OpenedChannel
) -> tuple[bytes, bytes | None]:
    """Address and secret as they are stored."""
    keys = opened.keys
    secret = None if keys is None else cipher.seal(keys.stored(), channel_id, CHANNEL_SECRET)
    return cipher.seal(opened.url, channel_id, CHANNEL_URL), secret


def opened(cipher: TokenCipher, channel: AlertChannel) -> OpenedChannel:
    """Raises DecryptionFailed where no key opens them."""
    url = cipher.open(channel.url_sealed, channel.id, CHANNEL_URL)
    if channel.secret_sealed is None:
        return OpenedChannel(url)
    secret = cipher.open(channel.secret_sealed, channel.id, CHANNEL_SECRET)
    return OpenedChannel(url, WebhookSecrets.from_stored(secret))


def shown(cipher: TokenCipher, channel: AlertChannel) -> str | None:
    """What may be shown of where a channel leads; None where no key opens it."""
    try:
        url = opened(cipher, channel).url.reveal()
    except DecryptionFailed:
        return None
    if channel.kind == WEBHOOK:
        return f"webhook · {apprise_address.host_of(url)}"
    return apprise_address.shown(url)
