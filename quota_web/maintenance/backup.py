"""Writes a backup of the SQLite database while it is in use, and examines it before it gets
its name.

A backup holds the encrypted tokens, and never the key that opens them.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from quota_web import store
from quota_web.core.errors import BadDatabase, BadInput, BadSetting, DatabaseDamaged, DatabaseTooNew

#: A copy needs as much room as the database, and SQLite some for its work.
ROOM_TO_SPARE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BackupContent:
    """What a database file holds."""

    version: str
    size: int
    data_version: int
    session_epoch: int
    #: Rows by table.
    rows: dict[str, int]


def backup(target: Path, *, overwrite: bool = False) -> BackupContent:
    """Write the database into *target* (mode 0600) and examine what was written; it appears
    under that name when it is good.

    Raises BadInput where the file is there already or the database is a server's, BadSetting where
    the folder cannot be written.
    """
    source = sqlite_file("back it up with pg_dump, which knows how to")
    if os.path.lexists(target) and not overwrite:
        raise BadInput("file", f"{target}: is there already; choose another name or give --force")
    if os.path.exists(target) and os.path.samefile(target, source):
        raise BadInput("file", f"{target}: is the database itself")
    store.leftovers.remove_parts(target.parent)
    with writing(target.parent), store.leftovers.part_of(target) as part:
        require_room(
            target.parent,
            store.filesystem.size_of(source)
            + store.filesystem.size_of(store.filesystem.beside(source, "-wal")),
        )
        before = _data_version()
        _write_copy(part)
        content = examine(part)
        if not before <= content.data_version <= _data_version():
            raise BadDatabase(
                f"{target}: the copy does not belong to this database; nothing was kept"
            )
        os.replace(part, target)
        store.filesystem.sync(target.parent)
    return content


def _data_version() -> int:
    with store.database.reading() as conn:
        return store.site_state.read(conn).data_version


def _write_copy(target: Path) -> None:
    """Write the database as it is at one moment into *target*, an empty file; others go on reading
    and writing.

    VACUUM INTO and not the backup interface: that one starts over with each write of another
    process.
    """
    with store.database.driver() as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    store.filesystem.sync(target)


def examine(file: Path) -> BackupContent:
    """Examine a whole copy that no process has open, without changing it.

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
        # The file may come from anywhere: nothing in it is run.
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
    """Exactly the tables, indexes and views of that version: a foreign trigger or view would
    run here with our rights.
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


def _content(file: Path, connection: sqlite3.Connection, version: str) -> BackupContent:
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
    return BackupContent(
        version, store.filesystem.size_of(file), int(state[0]), int(state[1]), rows
    )


def sqlite_file(instead: str) -> Path:
    file = store.database.file()
    if file is None:
        raise BadInput("file", f"the database is PostgreSQL: {instead}")
    return file


def require_room(folder: Path, needed: int) -> None:
    free = store.filesystem.free_bytes(folder)
    if free is not None and free < needed + ROOM_TO_SPARE:
        raise BadSetting(
            f"{folder}: {free // 2**20} MiB are free, about {(needed + ROOM_TO_SPARE) // 2**20} "
            f"MiB are needed"
        )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadSetting(store.filesystem.no_entry(folder, error)) from None
