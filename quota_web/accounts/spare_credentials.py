"""Tokens that are kept aside, encrypted: what a renewal brought after a person had stored others,
and own tokens that were replaced. They are used where the present ones fail.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from quota_web.core.secret import Secret
from quota_web.store.encryption import SPARE, DecryptionFailed, TokenCipher

#: Of an account so many are kept, the newest ones.
MOST = 3
#: Why tokens were kept aside.
LATE, REPLACED, OTHER_LOGIN = "late", "replaced", "other_login"


@dataclass(frozen=True, slots=True)
class Spare:
    """Tokens of one sign-in; those of another login are never used for this account."""

    why: str
    kept_at: int
    kind: str
    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None


def opened(cipher: TokenCipher, account_id: int, sealed: bytes | None) -> list[Spare]:
    """What is kept aside for an account, the newest first.

    Raises DecryptionFailed where no key opens it.
    """
    if sealed is None:
        return []
    kept = json.loads(cipher.open(sealed, account_id, SPARE).reveal())
    return [
        Spare(
            one["why"],
            one["kept_at"],
            one["kind"],
            *(None if one[name] is None else Secret(one[name]) for name in _TOKENS),
        )
        for one in kept
    ]


def with_newest(
    cipher: TokenCipher, account_id: int, before: bytes | None, newest: Spare
) -> bytes | None:
    """What is kept aside once *newest* is, before all others; those that no key opens are left
    out.
    """
    try:
        spares = opened(cipher, account_id, before)
    except DecryptionFailed:
        spares = []
    return sealed(cipher, account_id, [newest, *spares])


_TOKENS = ("access_token", "refresh_token", "id_token")


def sealed(cipher: TokenCipher, account_id: int, spares: Sequence[Spare]) -> bytes | None:
    """The same encrypted, at most MOST of them; None where there are none."""
    kept = [
        {"why": one.why, "kept_at": one.kept_at, "kind": one.kind}
        | {name: _revealed(getattr(one, name)) for name in _TOKENS}
        for one in spares[:MOST]
    ]
    return cipher.seal(Secret(json.dumps(kept)), account_id, SPARE) if kept else None


def _revealed(token: Secret | None) -> str | None:
    return token.reveal() if token is not None else None
