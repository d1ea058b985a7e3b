"""The state of the whole site in one row: the version of the data, when it changed, and the
address's block.
"""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, select, text, update

from quota_web.store.direct import Fixed
from quota_web.store.models import site_state


@dataclass(frozen=True, slots=True)
class SiteState:
    """The one row, read with one bare statement: it is asked for at every request."""

    data_version: int
    updated_at: int | None
    session_epoch: int
    nonce: str
    #: Until when nobody is asked, because the upstream refuses this machine's address.
    address_blocked_until: int | None


_S = site_state.c
_READ = Fixed(
    select(
        _S.data_version, _S.updated_at, _S.session_epoch, _S.nonce, _S.address_blocked_until
    ).where(text("id = 1"))
)
_BUMP = text(
    "UPDATE site_state SET data_version = data_version + 1, updated_at = :now WHERE id = 1"
)

_NUDGE = text("UPDATE site_state SET data_version = data_version + 1 WHERE id = 1")


def read(conn: Connection) -> SiteState:
    return SiteState(*_READ.all(conn)[0])


def bump_version(conn: Connection, now: int) -> None:
    """Say that the data changed; the last statement of a transaction that changes what pages
    show.
    """
    conn.execute(_BUMP, {"now": now})


def touch(conn: Connection) -> None:
    """Let every process look again, although nothing changed that has a date."""
    conn.execute(_NUDGE)


def end_sessions(conn: Connection) -> None:
    """Make every cookie signed so far worthless."""
    conn.execute(
        update(site_state)
        .where(site_state.c.id == 1)
        .values(session_epoch=site_state.c.session_epoch + 1)
    )


def block_address(conn: Connection, until: int | None) -> None:
    """Say until when the upstream refuses this machine's address; None lifts it."""
    conn.execute(update(site_state).where(site_state.c.id == 1).values(address_blocked_until=until))


def new_nonce(conn: Connection) -> None:
    conn.execute(update(site_state).where(site_state.c.id == 1).values(nonce=secrets.token_hex(8)))
