"""API tokens. A token is 256 random bits, shown once; only its SHA-256 is kept."""

import hashlib
import re
import secrets
from contextlib import suppress

from quota_web import store
from quota_web.core.errors import BadDatabase, BadInput, Outdated
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.store.auth import Token

PREFIX = "cq_"
MAX_NAME = 80
#: How exactly the last use is known; finer would make every request a write.
USED_EVERY_S = 3600
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


def create(name: str, can_write: bool, now: int, actor: str) -> tuple[str, Secret]:
    """Make a token and return its name and itself, which is stored nowhere.

    Raises BadInput.
    """
    name = _checked(name)
    token = PREFIX + secrets.token_urlsafe(32)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        if store.auth.token_by_name(conn, name) is not None:
            raise BadInput(
                "token_name",
                mark("There is a token %(name)s already; revoke it or take another name."),
                name=name,
            )
        store.auth.add_token(conn, name, _hash(token), can_write, now)
        store.audit_log.add(conn, now, "token_created", actor, name=name, can_write=can_write)
    return name, Secret(token)


def revoke(name: str, now: int, actor: str, created_at: int | None = None) -> str:
    """Make a token worthless at once.

    Raises BadInput where there is none of that name, Outdated where it was not made *created_at*.
    """
    name = name.strip()[: MAX_NAME + 1]
    with store.database.transaction() as conn:
        found = store.auth.token_by_name(conn, name)
        if found is None:
            raise BadInput("token_name", mark("There is no token %(name)s."), name=name)
        if created_at not in (None, found.created_at):
            message = mark("token %(name)s: has changed since that page was loaded")
            raise Outdated(name, message)
        store.auth.remove_token(conn, name)
        store.audit_log.add(conn, now, "token_revoked", actor, name=name)
    return name


def listed() -> list[Token]:
    with store.database.reading() as conn:
        return store.auth.tokens(conn)


def known(token: str, now: int) -> Token | None:
    """The token that a request carries, or None if it is none of ours; notes the use, at most
    once an hour.
    """
    if not _SHAPE.fullmatch(token):
        return None
    # Looked up by its hash: how long that takes says nothing about the token.
    with store.database.reading() as conn:
        found = store.auth.token_by_hash(conn, _hash(token))
    if found is not None and (
        found.last_used_at is None or abs(now - found.last_used_at) >= USED_EVERY_S
    ):
        # A database that is busy, full or read-only must not keep a script from reading.
        with suppress(BadDatabase), store.database.transaction() as conn:
            store.auth.mark_used(conn, found.id, now)
    return found


def _checked(name: str) -> str:
    name = name.strip()
    if not name:
        raise BadInput("token_name", mark("Give the token a name that says what uses it."))
    if len(name) > MAX_NAME or not name.isprintable():
        raise BadInput(
            "token_name", mark("A name has at most %(most)s printable characters."), most=MAX_NAME
        )
    return name


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()
