"""How the database is: reachable, whole, how large, and where it lies.

Nothing here makes or changes it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from quota_web.core.errors import DatabaseDamaged
from quota_web.store import database, db_errors, filesystem, schema
from quota_web.store.models import account, credential


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes."""

    database: int
    #: SQLite's write-ahead log; None on a server.
    log: int | None
    #: What is free on the file's disk; None on a server.
    free: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an SQLite database lies."""

    file: Path
    is_there: bool
    network: str | None


@dataclass(frozen=True, slots=True)
class StoredContent:
    """What the database says about itself."""

    version: str | None
    newest_version: str
    is_known: bool
    newest_reading: int | None
    accounts: int
    #: Which keys sealed the stored tokens, and those of how many accounts.
    sealed_with: dict[str, int]


def place() -> Place | None:
    """Where the SQLite file lies; None for a server."""
    file = database.file()
    return (
        None
        if file is None
        else Place(file, os.path.exists(file), filesystem.network_type(file.parent))
    )


def sizes(conn: Connection) -> Sizes:
    file = database.file()
    if file is None:
        return Sizes(
            int(conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one()),
            None,
            None,
        )
    return Sizes(
        filesystem.size_of(file),
        filesystem.size_of(filesystem.beside(file, "-wal")),
        filesystem.free_bytes(file.parent),
    )


def measured() -> Sizes:
    with database.reading() as conn:
        return sizes(conn)


def check() -> None:
    """Look through an SQLite file's pages.

    Raises DatabaseDamaged, after which this process writes no more; a server looks after itself.
    """
    file = database.file()
    if file is None or not filesystem.size_of(file):
        return
    with database.reading() as conn:
        found = conn.execute(text("PRAGMA quick_check(1)")).scalar()
    if found != "ok":
        error = DatabaseDamaged(
            f"{file}: {db_errors.damaged_text(str(found).strip().splitlines()[-1])}"
        )
        database.found_damaged(error)
        raise error


def broken_references() -> str | None:
    """The table of a row that refers to one that is not there; None where all is well."""
    with database.reading() as conn:
        row = (
            conn.execute(text("PRAGMA foreign_key_check")).first()
            if database.is_sqlite(conn)
            else None
        )
    return None if row is None else str(row[0])


def content() -> StoredContent:
    """What is in it. Of a database that is not at this program's version only the version is looked
    at.
    """
    version = schema.version()
    if version != schema.HEAD:
        return StoredContent(
            version, schema.HEAD, version is None or version in schema.KNOWN, None, 0, {}
        )
    with database.reading() as conn:
        newest = conn.execute(select(func.max(account.c.taken_at))).scalar()
        accounts = int(
            conn.execute(
                select(func.count()).select_from(account).where(account.c.deleted_at.is_(None))
            ).scalar_one()
        )
        sealed = conn.execute(
            select(credential.c.key_id, func.count()).group_by(credential.c.key_id)
        ).all()
    return StoredContent(
        version,
        schema.HEAD,
        True,
        newest,
        accounts,
        {key_id: int(count) for key_id, count in sealed},
    )


def server_time() -> int | None:
    """The clock of the database server, in epoch seconds; None for SQLite, which has none."""
    with database.reading() as conn:
        if database.is_sqlite(conn):
            return None
        return int(conn.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def server() -> str | None:
    """The name and version of the database server; None for SQLite."""
    with database.reading() as conn:
        if database.is_sqlite(conn):
            return None
        return str(conn.execute(text("SHOW server_version")).scalar())


def other_connections() -> int:
    """How many others are connected to our database on a server, whatever they do there; 0 for
    SQLite.
    """
    with database.reading() as conn:
        return 0 if database.is_sqlite(conn) else int(conn.execute(text(_OTHERS)).scalar_one())


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    "pg_backend_pid() AND backend_type = 'client backend'"
)
