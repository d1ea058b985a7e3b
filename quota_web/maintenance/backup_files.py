"""Copies of an SQLite database: made while it is in use, judged before anybody relies on them, put
in its place.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import update

from quota_web import store
from quota_web.core.errors import BadDatabase, BadInput, DatabaseDamaged, DatabaseTooNew
from quota_web.store.leftovers import MAGIC
from quota_web.store.models import account, site_state

#: More than a history of decades; what is larger is something else, or meant to fill the disk.
MAX_SIZE = 16 * 1024**3
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What a database file holds."""

    version: str
    size: int
    data_version: int
    session_epoch: int
    #: Rows by table.
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Present:
    """What a restore wants to know of the database that it replaces."""

    session_epoch: int = 0
    #: The folders whose files its accounts follow.
    folders: tuple[Path, ...] = ()


def data_version() -> int:
    with store.database.reading() as conn:
        return store.site_state.read(conn).data_version


def write_copy(target: Path) -> None:
    """Write the database as it is at one moment into *target*, an empty file; others go on reading
    and writing.

    VACUUM INTO and not the backup interface: that one starts over with each write of another
    process.
    """
    with store.database.driver() as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    store.filesystem.sync(target)


def judged(file: Path) -> Content:
    """Look through a whole copy that nobody has open, without changing it.

    Raises DatabaseDamaged, DatabaseTooNew, or BadInput where it is not a database of ours.
    """
    try:
        with _immutable(file) as connection:
            version = _known_version(file, connection)
            _require_our_tables(file, connection, version)
            for check, good in (("integrity_check", "ok"), ("foreign_key_check", None)):
                found = connection.execute(f"PRAGMA {check}").fetchone()
                if (found[0] if found else None) != good:
                    raise DatabaseDamaged(
                        f"{file}: is damaged ({check}: {str(found[0]).splitlines()[0][:200]})"
                    )
            return _content(file, connection, version)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Damaged text comes back as the latter, also from within SQLite's own messages.
        raise DatabaseDamaged(f"{file}: cannot be read as a database ({error})") from error


@contextmanager
def _immutable(file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True)
    try:
        # The file may come from anybody: nothing in it is run.
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        yield connection
    finally:
        connection.close()


def _known_version(file: Path, connection: sqlite3.Connection) -> str:
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    ).fetchone():
        raise BadInput("file", f"{file}: is a database, but not one of this program")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    version = str(row[0]) if row else ""
    if version not in store.schema.KNOWN:
        raise DatabaseTooNew(
            f"{file}: is at version {version or 'none'}, this program knows {store.schema.HEAD}; "
            f"use the program that made it"
        )
    return version


def _require_our_tables(file: Path, connection: sqlite3.Connection, version: str) -> None:
    """Exactly the tables, indexes and views of that version: a trigger or a view of somebody else's
    would run here with our rights.
    """
    there = store.schema.listed_objects(
        connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    )
    wrong = sorted(name for _, name, _ in there ^ store.schema.objects_at(version))
    if wrong:
        raise BadInput(
            "file",
            f"{file}: its tables are not those of version {version} of this program "
            f"({', '.join(wrong[:3])})",
        )


def _content(file: Path, connection: sqlite3.Connection, version: str) -> Content:
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' "
            "ESCAPE '^'"
        )
    ]
    known = [name for name in names if name in store.models.metadata.tables]
    # The names are those of our own tables, compared a line above.
    rows = {
        name: int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608
        for name in known
    }
    state = connection.execute(
        "SELECT data_version, session_epoch FROM site_state WHERE id = 1"
    ).fetchone()
    if state is None:
        raise DatabaseDamaged(f"{file}: is damaged (the row of the site's state is missing)")
    if not all(isinstance(value, int) for value in state):
        raise BadInput("file", f"{file}: table site_state holds what this program never writes")
    return Content(version, store.filesystem.size_of(file), int(state[0]), int(state[1]), rows)


def take_in(source: Path, target: Path) -> None:
    """Copy *source*, a file of anybody's, byte by byte into *target*, an empty file of ours.

    Raises BadInput.
    """
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise BadInput("file", f"{source}: is not a file")
    with open(source, "rb") as incoming, open(target, "wb") as out:
        _require_database(source, os.fstat(incoming.fileno()).st_size, incoming.read(len(MAGIC)))
        incoming.seek(0)
        copied = 0
        while chunk := incoming.read(_CHUNK):
            copied += len(chunk)
            if copied > MAX_SIZE:
                raise BadInput("file", f"{source}: is larger than {MAX_SIZE // 1024**3} GiB")
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())


def _require_database(source: Path, size: int, head: bytes) -> None:
    if size > MAX_SIZE:
        raise BadInput("file", f"{source}: is larger than {MAX_SIZE // 1024**3} GiB")
    if head != MAGIC:
        raise BadInput("file", f"{source}: is not a backup of this program")
    if store.filesystem.size_of(store.filesystem.beside(source, "-wal")):
        raise BadInput(
            "file",
            f"{source}: is a database in use, not a backup (there is a {source.name}-wal); use "
            f"one made by `scripts/quota backup`",
        )


def renew(copy: Path, now: int, epoch_before: int, actor: str) -> None:
    """Make a copy fit to go on from: sessions of both pasts end, version numbers of the other past
    mean nothing, nobody is being asked.
    """
    with store.database.elsewhere(f"sqlite:///{copy}", write=True) as conn:
        conn.execute(update(account).values(claim_id=None, claimed_at=None, requested_at=None))
        epoch = max(store.site_state.read(conn).session_epoch, epoch_before) + 1
        conn.execute(update(site_state).values(session_epoch=epoch))
        store.site_state.new_nonce(conn)
        store.events.add(conn, now, "database_restored", actor)
        store.site_state.bump_version(conn, now)


def quiet(file: Path) -> Present:
    """Make sure that no other program has the database open, and move its log into it.

    Returns what it says, as far as that can be read. Raises BadDatabase where somebody has it open.
    A damaged one is left as it is.
    """
    # Whatever connections this process has: none may be open when the file is looked into by hand.
    store.database.forget_troubles()
    if _head(file) != MAGIC:
        # SQLite would throw away the log of what it does not take for a database.
        return Present()
    connection = sqlite3.connect(file, timeout=1, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (epoch,) = connection.execute(
            "SELECT session_epoch FROM site_state WHERE id = 1"
        ).fetchone()
        followed = (
            "SELECT source_path FROM account WHERE origin = 'followed' AND deleted_at IS NULL"
        )
        folders = {Path(path).parent for (path,) in connection.execute(followed) if path}
        return Present(int(epoch), tuple(sorted(folders)))
    except sqlite3.Error as error:
        if isinstance(
            plain := store.db_errors.plain_driver_error(error), BadDatabase
        ) and "BUSY" in getattr(error, "sqlite_errorname", ""):
            raise store.filesystem.in_use(file) from plain
        return Present()
    except (TypeError, ValueError):  # no such row, or nothing that we wrote
        return Present()
    finally:
        connection.close()


def _head(file: Path) -> bytes:
    with open(file, "rb") as there:
        return there.read(len(MAGIC))


def swap(copy: Path, file: Path, aside: Path | None) -> None:
    """Put *copy* in the place of *file*, which is kept as *aside* (None: there is none); at no
    moment is there no database.
    """
    if aside is not None:
        _keep(file, aside)
    os.replace(copy, file)
    store.database.forget_troubles()


def _keep(file: Path, aside: Path) -> None:
    for suffix in ("-wal", "-shm"):
        # Left over by a damaged database: beside the new one it would be taken for that one's log.
        with suppress(FileNotFoundError):
            os.rename(store.filesystem.beside(file, suffix), store.filesystem.beside(aside, suffix))
    try:
        os.link(file, aside)
    except OSError as error:
        # A file system without second names.
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        os.rename(file, aside)
