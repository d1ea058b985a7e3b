"""What a token says of itself.

It cannot be verified here, so everything in it is a hint and nothing in it can raise.
"""

import base64
import binascii
from dataclasses import dataclass

from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.codex.sanitize import clean

_AUTH = "https://api.openai.com/auth"
_PROFILE = "https://api.openai.com/profile"
_MAX_CLAIMS = 16_384
#: The last second of the year 9999, beyond which no date can be shown.
_LAST_SECOND = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that matter here; None where a token does not say."""

    account_id: str | None = None
    user_id: str | None = None
    email: str | None = None
    plan: str | None = None
    fedramp: bool = False
    #: Epoch seconds.
    expires_at: int | None = None
    issued_at: int | None = None
    #: The program that the token was issued to; its refresh token works with that one alone.
    client_id: str | None = None


NO_CLAIMS = Claims()


def read(token: str | None) -> Claims:
    """The claims of a JWT; no claims at all where *token* is none."""
    parts = (token or "").split(".")
    if len(parts) != 3 or len(parts[1]) > _MAX_CLAIMS:
        return NO_CLAIMS
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return of(load_json(payload, _MAX_CLAIMS))
    except (binascii.Error, ValueError, JsonRefused):
        return NO_CLAIMS


def of(document: object) -> Claims:
    """The same from claims that are decoded already, as very old auth files hold them."""
    if not isinstance(document, dict):
        return NO_CLAIMS
    auth, profile = _part(document, _AUTH), _part(document, _PROFILE)
    plan = clean(auth.get("chatgpt_plan_type") or document.get("chatgpt_plan_type"))
    return Claims(
        account_id=clean(auth.get("chatgpt_account_id") or document.get("chatgpt_account_id")),
        user_id=clean(
            auth.get("chatgpt_user_id") or auth.get("user_id") or document.get("chatgpt_user_id")
        ),
        email=clean(document.get("email")) or clean(profile.get("email")),
        plan="enterprise" if plan == "hc" else plan,
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
        expires_at=_moment(document.get("exp")),
        issued_at=_moment(document.get("iat")),
        client_id=clean(document.get("client_id")) or _audience(document.get("aud")),
    )


def _part(document: dict[str, object], name: str) -> dict[str, object]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _moment(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LAST_SECOND
        else None
    )


def _audience(value: object) -> str | None:
    """The client id that an id token is meant for; an access token's audience is an address
    instead.
    """
    first = value[0] if isinstance(value, list) and value else value
    text = clean(first)
    return text if text and text.startswith("app_") else None
