"""The encrypted credentials of accounts. Every function takes the open connection; none commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, text, update

from quota_web.core import renewal_policy
from quota_web.core.quota import Status
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.store.models import account, credential


@dataclass(frozen=True, slots=True)
class EncryptedCredential:
    """One account's credentials at rest."""

    account_id: int
    access_sealed: bytes
    refresh_sealed: bytes | None
    id_sealed: bytes | None
    access_expires_at: int | None
    access_fp: str
    refresh_fp: str | None
    client_id: str | None
    fedramp: bool
    key_id: str
    version: int
    updated_at: int
    #: Where it comes from, and how its renewal stands; see `core.renewal_policy`.
    kind: str = CredentialKind.COPY
    renewal: str = Renewal.OFF
    renewal_code: str | None = None
    renew_at: int | None = None
    renewed_at: int | None = None
    renewal_failures: int = 0
    renewal_refusals: int = 0
    refused_at: int | None = None
    spare_sealed: bytes | None = None

    @property
    def may_be_renewed(self) -> bool:
        """Whether a renewal may still come, so that the access token's end says nothing yet."""
        return renewal_policy.may_be_renewed(self.kind, self.renewal, self.renew_at)

    def is_useless(self, now: int) -> bool:
        """Whether the access token has ended, or the upstream has refused it."""
        ends_at = self.access_expires_at
        return self.refused_at is not None or (ends_at is not None and ends_at <= now)

    def is_renewing(self, now: int) -> bool:
        """Whether a renewal has to come before anything can be sent with it."""
        return self.may_be_renewed and self.is_useless(now)


_IDS: Any = bindparam("ids", expanding=True)
_CREDENTIALS = select(*(credential.c[f] for f in EncryptedCredential.__slots__))
_CREDENTIALS_OF = _CREDENTIALS.where(credential.c.account_id.in_(_IDS))


def put(conn: Connection, sealed: EncryptedCredential) -> None:
    """Store an account's credentials in place of what it had."""
    values = {
        f: getattr(sealed, f)
        for f in EncryptedCredential.__slots__
        if f not in ("account_id", "version")
    }
    changed = conn.execute(
        update(credential)
        .where(credential.c.account_id == sealed.account_id)
        .values(**values, version=credential.c.version + 1)
    )
    if changed.rowcount == 0:
        conn.execute(insert(credential).values(account_id=sealed.account_id, version=1, **values))


def get_by_ids(conn: Connection, ids: Sequence[int]) -> dict[int, EncryptedCredential]:
    """The credentials of these accounts, by account id."""
    return {
        row.account_id: EncryptedCredential(*row)
        for row in conn.execute(_CREDENTIALS_OF, {"ids": ids}).all()
    }


@dataclass(frozen=True, slots=True)
class TokenEnd:
    """When an access token ends (None: it does not say), and whether it is renewed before."""

    at: int | None
    is_renewed: bool
    #: Whether a renewal may still come, also after an answer that refused the token.
    may_be_renewed: bool


def token_ends(conn: Connection, ids: Sequence[int] | None = None) -> dict[int, TokenEnd]:
    """The ends of the access tokens of these accounts (or None: all), by account id."""
    c = credential.c
    query = select(c.account_id, c.access_expires_at, c.kind, c.renewal, c.renew_at)
    if ids is not None:
        query = query.where(c.account_id.in_(ids))
    return {
        account_id: TokenEnd(
            ends_at,
            renewal == Renewal.ON,
            renewal_policy.may_be_renewed(kind, renewal, renew_at),
        )
        for account_id, ends_at, kind, renewal, renew_at in conn.execute(query)
    }


def key_ids(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Which key these accounts' credentials are encrypted with, by account id."""
    query = select(credential.c.account_id, credential.c.key_id)
    return {
        row.account_id: row.key_id
        for row in conn.execute(query.where(credential.c.account_id.in_(ids)))
    }


def set_spare(conn: Connection, account_id: int, spare_sealed: bytes | None) -> None:
    """Store what is kept aside for an account, in place of what was."""
    set_columns(conn, account_id, {"spare_sealed": spare_sealed})


def set_columns(conn: Connection, account_id: int, columns: Mapping[str, Any]) -> None:
    """Set just these columns of an account's credential."""
    conn.execute(
        update(credential).where(credential.c.account_id == account_id).values(dict(columns))
    )


def ends(conn: Connection) -> dict[int, int]:
    """When the access tokens end that say so, by account id."""
    c = credential.c
    query = select(c.account_id, c.access_expires_at).where(c.access_expires_at.is_not(None))
    return {row.account_id: row.access_expires_at for row in conn.execute(query)}


def failed_with_spare(conn: Connection, now: int) -> list[int]:
    """The ids of accounts whose tokens have failed, for which others are kept aside."""
    return list(conn.execute(_FAILED_WITH_SPARE, {"now": now}).scalars())


def _failed_with_spare() -> Select[Any]:
    c, ended_at = credential.c, credential.c.access_expires_at
    has_failed = (account.c.status == Status.EXPIRED) | (ended_at <= bindparam("now"))
    return (
        select(c.account_id)
        .join_from(credential, account)
        .where(c.spare_sealed.is_not(None), has_failed, account.c.paused_at.is_(None))
        .where(~(c.renewal.in_((Renewal.ON, Renewal.UNSURE)) & c.renew_at.is_not(None)))
    )


#: Made once, since the schedule asks twice a minute.
_FAILED_WITH_SPARE = _failed_with_spare()


def own(conn: Connection) -> set[int]:
    """The ids of the accounts that were signed in to here."""
    query = select(credential.c.account_id).where(credential.c.kind == CredentialKind.OWN)
    return set(conn.execute(query).scalars())


def list_all(conn: Connection, *, alone: bool = False) -> list[EncryptedCredential]:
    """The credentials of all accounts; with *alone*, no other process changes any until the
    transaction ends.
    """
    if alone and conn.dialect.name == "postgresql":
        conn.execute(text("LOCK TABLE credential IN SHARE ROW EXCLUSIVE MODE"))
    return [EncryptedCredential(*row) for row in conn.execute(_CREDENTIALS).all()]


def reencrypt(conn: Connection, sealed: EncryptedCredential) -> None:
    """Store the same tokens under another key."""
    values = {
        f: getattr(sealed, f)
        for f in ("access_sealed", "refresh_sealed", "id_sealed", "spare_sealed", "key_id")
    }
    conn.execute(
        update(credential).where(credential.c.account_id == sealed.account_id).values(**values)
    )


def drop(conn: Connection, ids: Sequence[int]) -> None:
    """Delete these accounts' credentials."""
    for account_id in ids:
        conn.execute(credential.delete().where(credential.c.account_id == account_id))
