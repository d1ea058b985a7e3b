"""What was read from a file, kept between the page that shows it and the one that saves it.

It travels in the page's own form, encrypted: no token is in the page, nothing of it has to be
stored, and any process of ours can go on with it. It opens for the session that it was made for,
for an hour.
"""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Sequence
from typing import Any

from quota_web.codex.auth_file import Credentials, Entry
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadInput
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.store.encryption import TokenCipher

LASTS_S = 3_600
#: What a form with it may weigh beside the names in it.
MAX_STASH = 1_900_000
MAX_CONTENT = 16 * 1024 * 1024
_PURPOSE = b"codex-quota: keep what was read"
_TOKENS = ("access_token", "refresh_token", "id_token")


def seal(cipher: TokenCipher, owner: str, entries: Sequence[Entry], now: int) -> str:
    """The usable ones of *entries*, for the session *owner*.

    Raises BadInput where that is too much for a form.
    """
    from cryptography.fernet import Fernet

    held = [_packed(e.name, e.credentials) for e in entries if e.credentials is not None]
    content = {"owner": _hash(owner), "entries": held}
    packed = zlib.compress(json.dumps(content).encode("utf-8"))
    sealed = Fernet(_keys(cipher)[0]).encrypt_at_time(packed, now).decode("ascii")
    if len(sealed) > MAX_STASH:
        raise BadInput(
            "auth_json",
            mark(
                "%(count)s accounts are too many at once; give fewer, or use `%(command)s accounts "
                "import`"
            ),
            count=len(entries),
            command=COMMAND,
        )
    return sealed


def opened(cipher: TokenCipher, owner: str, text: str, now: int) -> list[Entry]:
    """The entries of a stash.

    Raises BadInput where it is another session's, too old or no stash.
    """
    from cryptography.fernet import Fernet, InvalidToken

    for key in _keys(cipher):
        try:
            packed = Fernet(key).decrypt_at_time(text.encode("utf-8", "replace"), LASTS_S, now)
        except InvalidToken:
            continue
        content = json.loads(zlib.decompressobj().decompress(packed, MAX_CONTENT))
        if hmac.compare_digest(content["owner"], _hash(owner)):
            return [_unpacked(one) for one in content["entries"]]
    raise BadInput(
        "auth_json",
        mark("what was read is kept for an hour and for this sign-in alone; give it again"),
    )


def _keys(cipher: TokenCipher) -> list[bytes]:
    return [
        base64.urlsafe_b64encode(hmac.digest(key, _PURPOSE, "sha256"))
        for key in cipher.cookie_keys()
    ]


def _hash(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def _packed(name: str | None, credentials: Credentials) -> dict[str, Any]:
    held = {field: getattr(credentials, field) for field in Credentials.__slots__}
    clear = {token: held[token].reveal() for token in _TOKENS if held[token] is not None}
    return {"name": name, "held": held | dict.fromkeys(_TOKENS) | clear}


def _unpacked(one: dict[str, Any]) -> Entry:
    held = one["held"]
    tokens = {name: Secret(held[name]) for name in _TOKENS if held[name] is not None}
    return Entry(one["name"], Credentials(**(held | tokens)), None)
