"""The state of the whole site in one row: the version of the data, when it changed, and the
address's block.
"""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, text, update

from quota_web.store.models import site_state


@dataclass(frozen=True, slots=True)
class SiteState:
    """The one row."""

    data_version: int
    updated_at: int | None
    session_epoch: int
    nonce: str
    #: Until when nothing is sent, because the upstream refuses this machine's address.
    address_blocked_until: int | None

    @property
    def version(self) -> tuple[str, int]:
        """Equal versions: nothing was written in between, by any process."""
        return self.nonce, self.data_version


_READ = (
    "SELECT data_version, updated_at, session_epoch, nonce, address_blocked_until "
    "FROM site_state WHERE id = 1"
)
_BUMP = text(
    "UPDATE site_state SET data_version = data_version + 1, updated_at = :now WHERE id = 1"
)

_TOUCH = text("UPDATE site_state SET data_version = data_version + 1 WHERE id = 1")


def read(conn: Connection) -> SiteState:
    """The row as it is now. Every request reads it, hence the SQL as it goes to the driver."""
    return SiteState(*conn.exec_driver_sql(_READ).one())


def bump_version(conn: Connection, now: int) -> None:
    """Give the data a new version; the last statement of a transaction that changes what pages
    show.
    """
    conn.execute(_BUMP, {"now": now})


def touch(conn: Connection) -> None:
    """Let every process read the data again, although nothing changed that has a date."""
    conn.execute(_TOUCH)


def end_sessions(conn: Connection) -> None:
    """Make every cookie signed so far worthless."""
    conn.execute(
        update(site_state)
        .where(site_state.c.id == 1)
        .values(session_epoch=site_state.c.session_epoch + 1)
    )


def block_address(conn: Connection, until: int | None) -> None:
    """Store until when the upstream refuses this machine's address; None lifts it."""
    conn.execute(update(site_state).where(site_state.c.id == 1).values(address_blocked_until=until))


def new_nonce(conn: Connection) -> None:
    conn.execute(update(site_state).where(site_state.c.id == 1).values(nonce=secrets.token_hex(8)))
