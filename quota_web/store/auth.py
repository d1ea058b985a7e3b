"""Queries on API tokens, failed sign-ins and the few stored settings (the password's hash, the
set-up code's).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, not_, or_, select, update

from quota_web.store.accounts import new_id
from quota_web.store.models import api_token, login_failure, setting, site_state

#: Keys of stored settings.
PASSWORD = "password_hash"
SETUP_CODE = "setup_code_hash"
#: JSON: the time of the last sign-in, by address.
KNOWN_ADDRESSES = "known_addresses"
#: When a proxy on this machine was last seen.
LOCAL_PROXY = "local_proxy_at"
#: What the pots of known browsers begin with; no address does.
OWN = "own:"


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it is known here: everything but itself."""

    id: int
    name: str
    can_write: bool
    created_at: int
    last_used_at: int | None


_TOKEN = (
    api_token.c.id,
    api_token.c.name,
    api_token.c.can_write,
    api_token.c.created_at,
    api_token.c.last_used_at,
)


def lock(conn: Connection) -> None:
    """Let no other process get past this point before our transaction ends; SQLite's write lock
    does that by itself.
    """
    conn.execute(select(site_state.c.id).with_for_update())


def setting_of(conn: Connection, key: str) -> str | None:
    value: str | None = conn.execute(select(setting.c.value).where(setting.c.key == key)).scalar()
    return value


def settings_beginning(conn: Connection, prefix: str) -> dict[str, str]:
    """All settings whose keys begin with *prefix*, by key."""
    query = select(setting.c.key, setting.c.value).where(
        setting.c.key.startswith(prefix, autoescape=True)
    )
    return {row.key: row.value for row in conn.execute(query)}


def set_setting(conn: Connection, key: str, value: str) -> None:
    if conn.execute(update(setting).where(setting.c.key == key).values(value=value)).rowcount == 0:
        conn.execute(insert(setting).values(key=key, value=value))


def drop_setting(conn: Connection, key: str) -> bool:
    """Whether there was one to drop."""
    return conn.execute(delete(setting).where(setting.c.key == key)).rowcount == 1


def add_token(conn: Connection, name: str, token_hash: str, can_write: bool, now: int) -> None:
    conn.execute(
        insert(api_token).values(name=name, hash=token_hash, can_write=can_write, created_at=now)
    )


def token_by_hash(conn: Connection, token_hash: str) -> Token | None:
    row = conn.execute(select(*_TOKEN).where(api_token.c.hash == token_hash)).first()
    return Token(*row) if row else None


def token_by_name(conn: Connection, name: str) -> Token | None:
    row = conn.execute(select(*_TOKEN).where(api_token.c.name == name)).first()
    return Token(*row) if row else None


def tokens(conn: Connection) -> list[Token]:
    return [
        Token(*row)
        for row in conn.execute(
            select(*_TOKEN).order_by(func.lower(api_token.c.name), api_token.c.id)
        )
    ]


def mark_used(conn: Connection, token_id: int, now: int) -> None:
    conn.execute(update(api_token).where(api_token.c.id == token_id).values(last_used_at=now))


def remove_token(conn: Connection, name: str) -> bool:
    """Whether there was one to remove."""
    return conn.execute(delete(api_token).where(api_token.c.name == name)).rowcount == 1


def add_failure(conn: Connection, address: str, at: int) -> int:
    """Count a wrong guess and return its number, by which it can be taken back."""
    return new_id(conn.execute(insert(login_failure).values(address=address, at=at)))


def forgive_failure(conn: Connection, failure_id: int) -> None:
    conn.execute(delete(login_failure).where(login_failure.c.id == failure_id))


def failures_of(conn: Connection, address: str, since: int, most: int) -> list[int]:
    """When wrong guesses came from an address after *since*, the newest first, at most so many."""
    query = select(login_failure.c.at).where(
        login_failure.c.address == address, login_failure.c.at > since
    )
    return list(conn.execute(query.order_by(login_failure.c.at.desc()).limit(most)).scalars())


def all_failures(conn: Connection, since: int, most: int) -> list[int]:
    """The same from all addresses."""
    return list(conn.execute(_ALL_FAILURES, {"since": since, "most": most}).scalars())


def strangers_failures(conn: Connection, since: int, most: int) -> list[int]:
    """The same from every address but those with a pot of their own."""
    return list(
        conn.execute(
            _ALL_FAILURES.where(not_(login_failure.c.address.startswith(OWN))),
            {"since": since, "most": most},
        ).scalars()
    )


_ALL_FAILURES = (
    select(login_failure.c.at)
    .where(login_failure.c.at > bindparam("since"))
    .order_by(login_failure.c.at.desc())
    .limit(bindparam("most"))
)


def forget_failures(conn: Connection, before: int, after: int) -> None:
    """Forget wrong guesses that count no more, and those that a clock put into the future."""
    conn.execute(
        delete(login_failure).where(or_(login_failure.c.at <= before, login_failure.c.at > after))
    )


def forget_all_failures(conn: Connection) -> None:
    conn.execute(delete(login_failure))
