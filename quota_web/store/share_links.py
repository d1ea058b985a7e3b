"""Queries on share links: addresses that show one thing to whoever has them. Only the hash of a
link's secret is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, insert, or_, select, update

from quota_web.store.accounts import new_id
from quota_web.store.models import account, share_link


@dataclass(frozen=True, slots=True)
class ShareLink:
    """Everything that is known of a link but its secret."""

    id: int
    kind: str
    #: None: all accounts.
    account_id: int | None
    account_name: str | None
    with_names: bool
    created_at: int
    #: None: it holds until it is revoked.
    expires_at: int | None
    #: To the hour; None: never.
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class NewShareLink:
    """What a link is made of."""

    kind: str
    account_id: int | None
    with_names: bool
    expires_at: int | None


def add(conn: Connection, secret_hash: str, new: NewShareLink, now: int) -> int:
    values = {
        "hash": secret_hash,
        "kind": new.kind,
        "account_id": new.account_id,
        "with_names": new.with_names,
        "created_at": now,
        "expires_at": new.expires_at,
    }
    return new_id(conn.execute(insert(share_link).values(values)))


def by_hash(conn: Connection, secret_hash: str) -> ShareLink | None:
    """The link with that hash; None where there is none, or it is revoked, or its account is
    deleted.
    """
    return next(iter(_links(conn, _links_query().where(share_link.c.hash == secret_hash))), None)


def by_id(conn: Connection, link_id: int) -> ShareLink | None:
    """The one with this number as `list_all` has it."""
    return next(iter(_links(conn, _listed_query().where(share_link.c.id == link_id))), None)


def list_all(conn: Connection) -> list[ShareLink]:
    """The links that are not revoked, expired ones included, the oldest first; also those whose
    account has no row, such as after a restore: they open nothing and can still be revoked.
    """
    return _links(conn, _listed_query().order_by(share_link.c.id))


def revoke(conn: Connection, link_id: int, now: int) -> None:
    conn.execute(update(share_link).where(share_link.c.id == link_id).values(revoked_at=now))


def mark_used(conn: Connection, link_id: int, now: int) -> None:
    conn.execute(update(share_link).where(share_link.c.id == link_id).values(last_used_at=now))


def _links(conn: Connection, query: Select[Any]) -> list[ShareLink]:
    rows: Sequence[Any] = conn.execute(query).all()
    return [ShareLink(*row) for row in rows]


def _links_query() -> Select[Any]:
    """What opens something: a link whose account has no row does not."""
    is_whole = or_(share_link.c.account_id.is_(None), account.c.id.is_not(None))
    return _listed_query().where(is_whole)


def _listed_query() -> Select[Any]:
    link = share_link.c
    columns = (
        link.id,
        link.kind,
        link.account_id,
        account.c.name,
        link.with_names,
        link.created_at,
        link.expires_at,
        link.last_used_at,
    )
    # The row of a deleted account stays for a while; its links open nothing from then on.
    joined = share_link.outerjoin(account, account.c.id == link.account_id)
    stands = link.revoked_at.is_(None), account.c.deleted_at.is_(None)
    return select(*columns).select_from(joined).where(*stands)
