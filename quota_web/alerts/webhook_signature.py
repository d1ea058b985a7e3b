"""Signs webhooks as Standard Webhooks 1.0 says, so that a receiver knows who sent them."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from quota_web.core.errors import BadInput
from quota_web.core.secret import Secret

PREFIX = "whsec_"
#: How long a secret signs on after another one took its place, in seconds.
BOTH_S = 86_400


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """What a webhook is signed with. The fingerprints of its values are shown nowhere."""

    current: Secret
    #: The one before, while it still signs.
    previous: Secret | None = None
    previous_until: int = 0

    def rotated(self, now: int) -> "WebhookSecrets":
        """With a new secret; the present one signs beside it for a day."""
        return WebhookSecrets(new_secret(), self.current, now + BOTH_S)

    def signing(self, now: int) -> list[Secret]:
        """Those that sign at *now*, the current one first."""
        both = [self.current]
        if self.previous is not None and now < self.previous_until:
            both.append(self.previous)
        return both

    def stored(self) -> Secret:
        """As one text that is sealed."""
        if self.previous is None:
            return self.current
        parts = self.current.reveal(), self.previous.reveal(), str(self.previous_until)
        return Secret(" ".join(parts))

    @classmethod
    def from_stored(cls, text: Secret) -> "WebhookSecrets":
        current, *rest = text.reveal().split(" ")
        if not rest:
            return cls(Secret(current))
        return cls(Secret(current), Secret(rest[0]), int(rest[1]))


def new_secret() -> Secret:
    """`whsec_` and 32 random bytes."""
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii"))


def headers(keys: WebhookSecrets, message_id: str, now: int, body: bytes) -> dict[str, str]:
    """The three headers of one try."""
    signatures = (_signature(key, message_id, now, body) for key in keys.signing(now))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }


def _signature(key: Secret, message_id: str, now: int, body: bytes) -> str:
    signed = f"{message_id}.{now}.".encode("ascii") + body
    digest = hmac.new(_key(key), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def _key(secret: Secret) -> bytes:
    try:
        return base64.b64decode(secret.reveal().removeprefix(PREFIX), validate=True)
    except ValueError:
        raise BadInput("secret", "The secret of this webhook cannot be read.") from None
