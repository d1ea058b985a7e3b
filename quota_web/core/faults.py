"""What can go wrong with an account, as values: a code with data, stored as such and put into words
when shown.

One table says which status a code stands for and how it reads, so that both can be changed or
translated in one place.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from quota_web.core import times
from quota_web.core.quota import Status

_INVALID = Status.INVALID_CREDENTIALS

#: code → (status, text). `{…}` names the data that the text needs; `{at}` names a time and is
#: formatted for the reader.
FAULTS: dict[str, tuple[Status, str]] = {
    "file_gone": (_INVALID, "file is gone; put it back or delete the account"),
    "file_unreadable": (_INVALID, "auth file not found or invalid: {reason}"),
    "name_taken": (_INVALID, "the name is already taken by {holder}; rename the file"),
    "signed_in_here": (_INVALID, "signed in here; the file is left alone"),
    "missing_access_token": (_INVALID, "missing access_token"),
    "missing_account_id": (_INVALID, "missing account_id"),
    "session_token": (_INVALID, "looks like a session token (sess-…); use the JWT access_token"),
    "encrypted_token": (
        _INVALID,
        "looks like an encrypted web-session token (five parts); use the JWT access_token",
    ),
    "api_key": (
        _INVALID,
        "holds an API key only, which has no ChatGPT quota; sign in with ChatGPT (codex login)",
    ),
    "agent_identity": (
        _INVALID,
        "holds an agent identity, which signs its requests and cannot be used here; sign in with "
        "ChatGPT (codex login)",
    ),
    "refresh_token_only": (
        _INVALID,
        "missing access_token: holds a refresh token only, which is not redeemed here",
    ),
    "other_platform": (_INVALID, "skipped: belongs to {platform}, not to ChatGPT"),
    "bad_access_token": (_INVALID, "access_token {reason}"),
    "bad_account_id": (_INVALID, "account_id {reason}"),
    "sealed_unreadable": (
        _INVALID,
        "the stored token cannot be opened with the present key; save the account again or "
        "restore the key",
    ),
    "token_lost": (
        _INVALID,
        "the token was lost with the key that sealed it; save the account again",
    ),
    "token_expired": (Status.EXPIRED, "access token expired at {at}; sign in again"),
    "unauthorized": (Status.EXPIRED, "HTTP 401: {reason}; sign in again"),
    "deactivated": (
        Status.DEACTIVATED,
        "HTTP {http_status}: the {subject} is deactivated; nothing is sent until you refresh it "
        "by hand",
    ),
    "forbidden": (Status.FORBIDDEN, "HTTP 403: {reason}"),
    "cloudflare": (
        Status.ADDRESS_BLOCKED,
        "HTTP 403: Cloudflare blocks this machine's address, not the account",
    ),
    "country": (
        Status.ADDRESS_BLOCKED,
        "HTTP 403: the country of this machine's address is not supported",
    ),
    "rate_limited": (
        Status.RATE_LIMITED,
        "HTTP 429: too many requests; the next attempt is after {at}",
    ),
    "http": (Status.UPSTREAM_ERROR, "HTTP {http_status}{reason}"),
    "unreachable": (Status.UNREACHABLE, "Request failed: {reason}"),
    "bad_response": (Status.BAD_RESPONSE, "HTTP 200, but {reason}"),
}


#: What to do about a fault of something that was just given.
ADVICE = {
    "missing_access_token": (
        "copy the whole auth.json, from the first { to the last }; Codex "
        "writes it to ~/.codex/auth.json when you sign in"
    ),
    "missing_account_id": (
        "the token names no account either; copy the whole auth.json, or give "
        "the account id beside the token"
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that went wrong with one account."""

    code: str
    data: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        return FAULTS[self.code][0]

    @property
    def http_status(self) -> int | None:
        value = self.data.get("http_status")
        return value if isinstance(value, int) else None

    def text(self, time_in_words: Callable[[int], str]) -> str:
        """The fault as one line; *time_in_words* formats epoch seconds for whoever reads it."""
        values = {
            k: time_in_words(v) if k == "at" and isinstance(v, int) else v
            for k, v in self.data.items()
        }
        return FAULTS[self.code][1].format_map(_Missing(values))

    def explained(self, time_in_words: Callable[[int], str] = str) -> str:
        """The same, with what to do about it, for whoever just gave this."""
        advice = ADVICE.get(self.code)
        return self.text(time_in_words) + (f": {advice}" if advice else "")

    def data_json(self) -> str:
        return json.dumps(
            dict(self.data), ensure_ascii=False, separators=(",", ":"), sort_keys=True
        )


class _Missing(dict[str, str | int]):
    """Keeps an old fault readable when a later text asks for data that was not stored with it."""

    def __missing__(self, key: str) -> str:
        return "?"


def stored(code: str | None, data_json: str | None) -> Fault | None:
    """The fault that was stored as *code* and *data_json*; one of a later version reads as a plain
    bad response.
    """
    if code is None:
        return None
    data = json.loads(data_json or "{}")
    return Fault(code, data) if code in FAULTS else Fault("bad_response", {"reason": code})


def line(name: str, fault: Fault, zone: tzinfo | None) -> str:
    """An account's fault as one line, status first: `alice: expired: access token expired at …;
    sign in again`.
    """
    return f"{name}: {fault.status}: {fault.text(lambda at: times.local(at, zone))}"
