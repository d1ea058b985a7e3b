"""Change the key that seals tokens.

Everything is sealed anew, in small pieces; interrupted, it goes on where it was.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.errors import BadInput
from quota_web.core.faults import Fault
from quota_web.maintenance import channel_keys
from quota_web.store.accounts import (
    Account,
)
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, BOUND, IDENTITY, REFRESH, SPARE, TokenCipher

CHUNK = 20
_COLUMNS = {
    "access_sealed": ACCESS,
    "refresh_sealed": REFRESH,
    "id_sealed": IDENTITY,
    "spare_sealed": SPARE,
}
GIVEN_KEY = (
    "the key comes from QUOTA_SECRET_KEY, and everything is sealed with it. To change it: set "
    "QUOTA_SECRET_KEY to a new key and "
    "QUOTA_SECRET_KEY_OLD to the present one, for the service and here, run this command, then "
    "take QUOTA_SECRET_KEY_OLD away again"
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a change of the key came to."""

    #: False where a change that was interrupted has been finished.
    is_new: bool
    resealed: int
    #: Accounts whose tokens no key opens; they stay as they are.
    unreadable: tuple[str, ...]
    #: Alert channels of which that is true.
    unreadable_channels: tuple[str, ...]
    #: Where the keys lie that are no longer used; backups from before need them. None where there
    #: was none to take away.
    old_keys: Path | None
    is_from_file: bool


def rotate(cipher: TokenCipher, now: int, actor: str) -> Rotated:
    """Seal all tokens with a new key and forget the old ones.

    Raises BadInput where the key is not ours to change.
    """
    # Under the write lock: no process encrypts at the moment at which another key becomes the
    # present one.
    with store.database.transaction() as tx:
        every = store.credentials.list_all(tx)
        is_stale = any(_is_stale(cipher, sealed, or_alone=True) for sealed in every)
        is_new = not is_stale and not channel_keys.is_any_stale(tx, cipher)
        if is_new and not cipher.is_from_file:
            raise BadInput("key", GIVEN_KEY)
        if is_new:
            cipher.add_key()
    with store.database.reading() as conn:
        ids = [sealed.account_id for sealed in store.credentials.list_all(conn)]
    resealed = 0
    for start in range(0, len(ids), CHUNK):
        with store.database.transaction() as tx:
            resealed += _reseal(tx, cipher, ids[start : start + CHUNK])
    while True:
        with store.database.transaction() as tx:
            every = store.credentials.list_all(tx, alone=True)
            # Saved meanwhile by a process that did not know the new key yet.
            late = _reseal(tx, cipher, [sealed.account_id for sealed in every])
            resealed += late
            if not late + channel_keys.reseal(tx, cipher):
                # Nothing hangs on the old keys, and nothing of this transaction hangs on their
                # being gone.
                return _finish(tx, cipher, every, is_new, resealed, now, actor)


def _finish(
    tx: Connection,
    cipher: TokenCipher,
    every: Sequence[EncryptedCredential],
    is_new: bool,
    resealed: int,
    now: int,
    actor: str,
) -> Rotated:
    lost = [sealed.account_id for sealed in every if not _is_readable(cipher, sealed)]
    names = tuple(a.name for a in store.accounts.get_by_ids(tx, lost).values())
    channels = tuple(one.name for one in channel_keys.unreadable(tx, cipher))
    old_keys = cipher.drop_old_keys(now)
    if not lost:
        store.auth.set_setting(tx, BOUND, "1")
    store.audit_log.add(tx, now, "key_rotated", actor, resealed=resealed, unreadable=len(lost))
    return Rotated(is_new, resealed, names, channels, old_keys, cipher.is_from_file)


def _reseal(tx: Connection, cipher: TokenCipher, ids: Sequence[int]) -> int:
    stale = [
        sealed
        for sealed in store.credentials.get_by_ids(tx, ids).values()
        if _is_stale(cipher, sealed)
    ]
    for sealed in stale:
        store.credentials.reencrypt(tx, resealed(cipher, sealed))
        _fingerprint(tx, cipher, sealed)
    return len(stale)


def _fingerprint(tx: Connection, cipher: TokenCipher, sealed: EncryptedCredential) -> None:
    """Give the refresh token, and the claim on it, the fingerprint of the present key."""
    if sealed.refresh_fp is None or sealed.refresh_sealed is None:
        return
    token = cipher.open(sealed.refresh_sealed, sealed.account_id, REFRESH)
    new = cipher.fingerprints(token)[0]
    store.renewals.set_fingerprint(tx, sealed.account_id, sealed.refresh_fp, new)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of sealed values that came from elsewhere."""

    #: Accounts whose tokens were sealed anew.
    resealed: int
    #: Accounts whose tokens no key opens and that have no file to read them from again.
    lost: list[Account]
    #: Names of the alert channels that no key opens.
    lost_channels: list[str]


def adopt(tx: Connection, cipher: TokenCipher) -> Adopted:
    """Seal what came from elsewhere with the present key, whichever of our keys opens it, those
    kept from before a change included.

    What none opens is taken away, so that it is read from the account's file again.
    """
    every = store.credentials.list_all(tx)
    only_bound = store.auth.setting_of(tx, BOUND) is not None
    wide = None if cipher.is_missing else cipher.with_kept_keys(only_bound)
    stale = [sealed for sealed in every if wide is not None and _is_stale(wide, sealed)]
    for sealed in stale:
        store.credentials.reencrypt(tx, resealed(wide or cipher, sealed))
        _fingerprint(tx, wide or cipher, sealed)
    lost = [sealed.account_id for sealed in every if wide is None or not _is_readable(wide, sealed)]
    store.credentials.drop(tx, lost)
    found = store.accounts.get_by_ids(tx, lost).values()
    for account in found:
        store.accounts.set_fault(tx, account.id, Fault("token_lost"))
        store.accounts.update_account(tx, account.id, source_hash=None)
    store.auth.set_setting(tx, BOUND, "1")
    without_file = [a for a in found if not (a.source_path and os.path.exists(a.source_path))]
    return Adopted(len(stale), without_file, channel_keys.adopt(tx, wide))


def bind(cipher: TokenCipher) -> int:
    """Seal tokens from before 1.1 anew with their account and kind, and end the acceptance of
    others.

    In pieces; several processes may do it at once, and interrupted it goes on at the next start.
    While there is a token that no key opens, it cannot be known how it was encrypted, and older
    ones are accepted on. Returns how many accounts were sealed anew.
    """
    with store.database.reading() as conn:
        is_done = store.auth.setting_of(conn, BOUND) is not None
        ids = [] if is_done else [sealed.account_id for sealed in store.credentials.list_all(conn)]
    done = 0
    for start in range(0, len(ids), CHUNK):
        with store.database.transaction() as tx:
            done += _reseal(tx, cipher, ids[start : start + CHUNK])
    if not is_done:
        with store.database.transaction() as tx:
            every = store.credentials.list_all(tx, alone=True)
            done += _reseal(tx, cipher, [sealed.account_id for sealed in every])
            is_done = all(_is_readable(cipher, sealed) for sealed in every)
            if is_done:
                store.auth.set_setting(tx, BOUND, "1")
    cipher.only_bound = is_done
    return done


def resealed(
    cipher: TokenCipher, sealed: EncryptedCredential, owner: int | None = None
) -> EncryptedCredential:
    """The same tokens, sealed with the present key for the account with the id *owner* (None: the
    one that has them). Raises DecryptionFailed.
    """
    had, has = sealed.account_id, sealed.account_id if owner is None else owner
    tokens = {column: (cipher.open(part, had, kind), kind) for column, part, kind in _parts(sealed)}
    new: dict[str, Any] = {c: cipher.seal(token, has, kind) for c, (token, kind) in tokens.items()}
    return replace(sealed, **new, account_id=has, key_id=cipher.key_id)


def _parts(sealed: EncryptedCredential) -> Iterator[tuple[str, bytes, str]]:
    """Column, content and kind of each token."""
    for column, kind in _COLUMNS.items():
        if (part := getattr(sealed, column)) is not None:
            yield column, part, kind


def _is_stale(cipher: TokenCipher, sealed: EncryptedCredential, *, or_alone: bool = False) -> bool:
    """Whether it is to be sealed anew: another key than the present one opens it, or it was sealed
    alone.

    With *or_alone* the latter does not count.
    """
    owner = sealed.account_id
    present = (
        cipher.is_present(part, owner, kind, or_alone=or_alone) for _, part, kind in _parts(sealed)
    )
    return not all(present) and _is_readable(cipher, sealed)


def _is_readable(cipher: TokenCipher, sealed: EncryptedCredential) -> bool:
    return all(cipher.opens(part, sealed.account_id, kind) for _, part, kind in _parts(sealed))
