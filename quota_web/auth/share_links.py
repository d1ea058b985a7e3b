"""Share links: addresses that show one thing to whoever has them, without a sign-in. The secret in
one is 256 random bits, shown once; only its SHA-256 is stored.
"""

import hashlib
import re
import secrets
from contextlib import suppress
from enum import StrEnum

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.errors import AccountNotFound, BadDatabase, BadInput, Outdated
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.store.accounts import Scope
from quota_web.store.share_links import NewShareLink, ShareLink

DAY = 86_400
MOST_DAYS = 3_650
#: How exactly the last use is known; finer would make every request a write.
USED_EVERY_S = 3_600
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


class LinkKind(StrEnum):
    """What a link can show."""

    CALENDAR = "calendar"
    CHART = "chart"
    BADGE = "badge"
    BOARD = "board"


def create(
    scope: Scope, kind: str, account: str, with_names: bool, days: str, now: int, actor: str
) -> Secret:
    """Make a link and return its secret, which is stored nowhere.

    It shows one *account*, or all of them where that is empty, and holds for so many *days*, or
    until it is revoked where that is empty. Raises BadInput.
    """
    if kind not in set(LinkKind):
        raise BadInput(
            "share_kind", mark("A share link shows one of: %(kinds)s."), kinds=", ".join(LinkKind)
        )
    expires_at = now + _days(days) * DAY if days.strip() else None
    secret = Secret(secrets.token_urlsafe(32))
    with store.database.transaction() as conn:
        account_id = _account_id(conn, account, scope) if account else None
        link_id = store.share_links.add(
            conn,
            _hash(secret.reveal()),
            NewShareLink(kind, account_id, with_names, expires_at),
            now,
        )
        store.audit_log.add(
            conn, now, "share_link_created", actor, account_id, link=link_id, shows=kind
        )
    return secret


def revoke(link_id: int, now: int, actor: str) -> None:
    """Make a link worthless at once. Raises Outdated where it is already."""
    with store.database.transaction() as conn:
        found = store.share_links.by_id(conn, link_id)
        if found is None:
            raise Outdated("", mark("the share link: has changed since that page was loaded"))
        store.share_links.revoke(conn, link_id, now)
        store.audit_log.add(conn, now, "share_link_revoked", actor, found.account_id, link=link_id)


def listed() -> list[ShareLink]:
    """The links that are not revoked; some of them may have expired."""
    with store.database.reading() as conn:
        return store.share_links.list_all(conn)


def find(secret: str, kind: LinkKind, now: int) -> ShareLink | None:
    """The link of that kind that *secret* opens, or None for any other secret; notes the use, at
    most once an hour.
    """
    if not _SHAPE.fullmatch(secret):
        return None
    # Looked up by its hash: how long that takes says nothing about the secret.
    with store.database.reading() as conn:
        found = store.share_links.by_hash(conn, _hash(secret))
    if found is None or found.kind != kind:
        return None
    if found.expires_at is not None and now >= found.expires_at:
        return None
    if found.last_used_at is None or abs(now - found.last_used_at) >= USED_EVERY_S:
        # A database that is busy, full or read-only must not keep a link from showing.
        with suppress(BadDatabase), store.database.transaction() as conn:
            store.share_links.mark_used(conn, found.id, now)
    return found


def _account_id(conn: Connection, name: str, scope: Scope) -> int:
    try:
        return store.accounts.get_by_name(conn, name, scope).id
    except AccountNotFound as error:
        raise BadInput(
            "share_account", mark("There is no account %(name)s."), name=error.name
        ) from None


def _days(text: str) -> int:
    text = text.strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_DAYS))
    if not is_number or not 1 <= int(text) <= MOST_DAYS:
        raise BadInput(
            "share_days",
            mark("Give a whole number of days from 1 to %(most)s."),
            most=f"{MOST_DAYS:,}",
        )
    return int(text)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
