"""What can go wrong with an account, as values: a code with data, stored as such and put into words
when shown.

One table says which status a code stands for and how it reads, so that both can be changed or
translated in one place.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from quota_web.core import fault_reasons, times
from quota_web.core.checkout import COMMAND
from quota_web.core.language import gettext as _
from quota_web.core.language import lookup, mark
from quota_web.core.quota import Status

_INVALID = Status.INVALID_CREDENTIALS

#: code → (status, text). `%(…)s` names the data that the text needs; `at` is a time, which is
#: formatted for the reader.
FAULTS: dict[str, tuple[Status, str]] = {
    "file_gone": (_INVALID, mark("file is gone; put it back or delete the account")),
    "file_unreadable": (_INVALID, mark("auth file not found or invalid: %(reason)s")),
    "name_taken": (_INVALID, mark("the name is already taken by %(holder)s; rename the file")),
    "signed_in_here": (_INVALID, mark("signed in here; the file is left alone")),
    "missing_access_token": (_INVALID, mark("missing access_token")),
    "missing_account_id": (_INVALID, mark("missing account_id")),
    "session_token": (
        _INVALID,
        mark("looks like a session token (sess-…); use the JWT access_token"),
    ),
    "encrypted_token": (
        _INVALID,
        mark("looks like an encrypted web-session token (five parts); use the JWT access_token"),
    ),
    "api_key": (
        _INVALID,
        mark(
            "holds an API key only, which has no ChatGPT quota; sign in with ChatGPT (codex login)"
        ),
    ),
    "agent_identity": (
        _INVALID,
        mark(
            "holds an agent identity, which signs its requests and cannot be used here; sign in "
            "with ChatGPT (codex login)"
        ),
    ),
    "refresh_token_only": (
        _INVALID,
        mark("missing access_token: holds a refresh token only, which is not redeemed here"),
    ),
    "other_platform": (_INVALID, mark("skipped: belongs to %(platform)s, not to ChatGPT")),
    "bad_access_token": (_INVALID, mark("access_token %(reason)s")),
    "bad_account_id": (_INVALID, mark("account_id %(reason)s")),
    "sealed_unreadable": (
        _INVALID,
        mark(
            "the stored token cannot be opened with the present key; save the account again or "
            "restore the key"
        ),
    ),
    "token_lost": (
        _INVALID,
        mark("the token was lost with the key that sealed it; save the account again"),
    ),
    "token_expired": (Status.EXPIRED, mark("access token expired at %(at)s; sign in again")),
    "renewing": (
        Status.EXPIRED,
        mark(
            "the access token is of no use any more; its renewal is still to come: a running "
            "service renews it, or `%(command)s accounts renew`"
        ),
    ),
    "unauthorized": (Status.EXPIRED, mark("HTTP 401: %(reason)s; sign in again")),
    "deactivated": (
        Status.DEACTIVATED,
        mark(
            "HTTP %(http_status)s: the %(subject)s is deactivated; nothing is sent until you "
            "refresh it by hand"
        ),
    ),
    "forbidden": (Status.FORBIDDEN, mark("HTTP 403: %(reason)s")),
    "cloudflare": (
        Status.ADDRESS_BLOCKED,
        mark("HTTP 403: Cloudflare blocks this machine's address, not the account"),
    ),
    "country": (
        Status.ADDRESS_BLOCKED,
        mark("HTTP 403: the country of this machine's address is not supported"),
    ),
    "rate_limited": (
        Status.RATE_LIMITED,
        mark("HTTP 429: too many requests; the next attempt is after %(at)s"),
    ),
    "http": (Status.UPSTREAM_ERROR, mark("HTTP %(http_status)s%(reason)s")),
    "unreachable": (Status.UNREACHABLE, mark("Request failed: %(reason)s")),
    "bad_response": (Status.BAD_RESPONSE, mark("HTTP 200, but %(reason)s")),
}


#: What to do about a fault of something that was just given.
ADVICE = {
    "missing_access_token": mark(
        "copy the whole auth.json, from the first { to the last }; Codex "
        "writes it to ~/.codex/auth.json when you sign in"
    ),
    "missing_account_id": mark(
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
        """The fault as one English line; *time_in_words* formats epoch seconds for its reader."""
        return FAULTS[self.code][1] % self._values(time_in_words)

    def said(self, time_in_words: Callable[[int], str] = str) -> str:
        """The same in the current language, for pages."""
        values = self._values(time_in_words)
        for key in ("reason", "holder"):
            if isinstance(reason := values.get(key), str):
                values[key] = fault_reasons.said(reason)
        return lookup(FAULTS[self.code][1]) % values

    def _values(self, time_in_words: Callable[[int], str]) -> "_Missing":
        values = _Missing(command=COMMAND)
        values |= {
            k: time_in_words(v) if k == "at" and isinstance(v, int) else v
            for k, v in self.data.items()
        }
        return values

    def explained(self, time_in_words: Callable[[int], str] = str) -> str:
        """The same, with what to do about it, for whoever just gave this."""
        advice = ADVICE.get(self.code)
        return self.text(time_in_words) + (f": {advice}" if advice else "")

    def explained_here(self) -> str:
        """The same in the current language, for pages."""
        advice = ADVICE.get(self.code)
        if advice is None:
            return self.said()
        return _("%(fault)s: %(advice)s", fault=self.said(), advice=_(advice))

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
