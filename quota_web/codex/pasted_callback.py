"""Signing in by a link whose last address a person pastes back: the link, and what is pasted. Pure.

The last address leads to the person's own machine, where nothing answers, so the browser shows an
error and keeps the address.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlencode, urlsplit

AUTHORIZE = "https://auth.openai.com/oauth/authorize"
#: What the other side allows the public client to end at.
REDIRECT = "http://localhost:1455/auth/callback"
SCOPE = "openid profile email offline_access"
MOST_PASTED = 8_192


class Pasted(StrEnum):
    """What was pasted."""

    CODE = "code"
    DECLINED = "declined"
    #: Of another sign-in, or of none.
    FOREIGN = "foreign"
    #: The page to open, not the one at the end.
    LINK = "link"
    #: A running Codex CLI took the code.
    TAKEN = "taken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Callback:
    """What an address holds."""

    what: Pasted
    code: str | None = None


def link(client_id: str, verifier: str, state: str) -> str:
    """The address to open."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "scope": SCOPE,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": state,
        "originator": "codex_cli_rs",
    }
    return f"{AUTHORIZE}?{urlencode(query)}"


def state_hash(state: str) -> str:
    """What is stored of a state."""
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def read(pasted: str, known_state: str) -> Callback:
    """What is in a pasted address, or in its query alone; *known_state* is `state_hash` of the one
    that the link held.
    """
    text = pasted.strip()
    if not text or len(text) > MOST_PASTED:
        return Callback(Pasted.UNKNOWN)
    try:
        address = urlsplit(text)
    except ValueError:
        return Callback(Pasted.UNKNOWN)
    if address.netloc.endswith("openai.com"):
        return Callback(Pasted.LINK)
    if address.netloc and address.path.rstrip("/").endswith("/success"):
        return Callback(Pasted.TAKEN)
    query = parse_qs(address.query if address.netloc else text.lstrip("?"))
    state, code, error = (query.get(name, [""])[0] for name in ("state", "code", "error"))
    if not (code or error):
        return Callback(Pasted.UNKNOWN)
    if not hmac.compare_digest(state_hash(state), known_state):
        return Callback(Pasted.FOREIGN)
    if error:
        return Callback(Pasted.DECLINED)
    return Callback(Pasted.CODE, code)
