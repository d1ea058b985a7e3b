"""What a restore keeps of the database that it replaces: newer sign-ins, and which refresh tokens
were sent. A token works once, so those of a backup may have been used since it was made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from quota_web import store
from quota_web.core import account_identity, names
from quota_web.core.errors import QuotaError
from quota_web.core.renewal_policy import CredentialKind
from quota_web.maintenance import rotate_key
from quota_web.store.accounts import FOLLOWED, MANAGED, Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import DecryptionFailed, TokenCipher
from quota_web.store.renewals import Claim


@dataclass(frozen=True, slots=True)
class SignIns:
    """What a database holds of them."""

    accounts: tuple[Account, ...] = ()
    #: By account id.
    credentials: Mapping[int, EncryptedCredential] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    #: The moment before which no renewal begins.
    not_before: int | None = None


def read(file: Path) -> SignIns:
    """Those of the SQLite database *file*; none where it is damaged, or older than renewals."""
    try:
        with store.database.elsewhere(f"sqlite:///{file}", write=False) as conn:
            return SignIns(
                tuple(store.accounts.list_all(conn)),
                {one.account_id: one for one in store.credentials.list_all(conn)},
                tuple(store.renewals.list_all(conn)),
                store.renewals.not_before(conn),
            )
    except (QuotaError, SQLAlchemyError, TypeError, ValueError):
        return SignIns()


def carry_over(conn: Connection, cipher: TokenCipher, before: SignIns, now: int) -> list[Account]:
    """Keep in *conn*, the backup, what is newer in the database *before*; returns the accounts
    whose credentials were kept.

    A claim on a token is kept whatever becomes of its account: the token is never sent again.
    """
    here = store.accounts.list_all(conn)
    theirs = {one.account_id: one for one in store.credentials.list_all(conn)}
    #: The account here of each login that stood there, by its id there.
    same: dict[int, Account] = {}
    kept: dict[int, Account] = {}
    for account in sorted(before.accounts, key=lambda a: _age(before.credentials.get(a.id))):
        found, held = _of_login(here, account), before.credentials.get(account.id)
        if found is None:
            continue
        same[account.id] = found
        if held is None or found.id in kept or cipher.is_missing:
            continue
        if _keep(conn, cipher, found, held, theirs.get(found.id), now):
            kept[found.id] = found
    ids = {there: found.id for there, found in same.items()}
    store.renewals.put_claims(
        conn, [replace(c, account_id=ids.get(c.account_id, c.account_id)) for c in before.claims]
    )
    if before.not_before is not None:
        store.renewals.wait_until(conn, before.not_before)
    return list(kept.values())


def _age(held: EncryptedCredential | None) -> int:
    """The newest credential of a login comes first."""
    return 0 if held is None else -held.updated_at


def _of_login(here: Sequence[Account], account: Account) -> Account | None:
    found = [one for one in here if account_identity.is_same(one.login, account.login)]
    folded = names.fold(account.name)
    return min(found, key=lambda one: (names.fold(one.name) != folded, one.id), default=None)


_TOLD_APART_BY = ("access_fp", "refresh_fp", "kind", "renewal", "renewal_code")


def _is_to_keep(
    found: Account, held: EncryptedCredential, theirs: EncryptedCredential | None
) -> bool:
    """Whether *held*, of the database from before, is at least as new as what the backup has."""
    if held.kind == CredentialKind.FILE:
        return False
    if held.kind != CredentialKind.OWN and found.origin == FOLLOWED:
        # Read from its file again.
        return False
    if theirs is None:
        return True
    is_equal = all(getattr(held, name) == getattr(theirs, name) for name in _TOLD_APART_BY)
    return not is_equal and held.updated_at >= theirs.updated_at


def _keep(
    conn: Connection,
    cipher: TokenCipher,
    found: Account,
    held: EncryptedCredential,
    theirs: EncryptedCredential | None,
    now: int,
) -> bool:
    """Give the account *found* the credentials from before where they are to be kept and a key
    here opens them; whether that was so.
    """
    if not _is_to_keep(found, held, theirs):
        return False
    try:
        sealed = rotate_key.resealed(cipher, held, found.id)
    except DecryptionFailed:
        return False
    store.credentials.put(conn, sealed)
    if found.origin == FOLLOWED:
        alone = {"source_path": None, "source_hash": None, "source_gone_at": None}
        store.accounts.update_account(conn, found.id, origin=MANAGED, **alone)
    if theirs is None or theirs.access_fp != held.access_fp:
        store.accounts.set_fault(conn, found.id, None)
        store.accounts.update_account(conn, found.id, next_due_at=now)
    return True
