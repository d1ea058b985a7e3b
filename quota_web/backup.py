"""Acts on the database as a whole: a backup while it is in use, and a backup put back in its place.

A backup holds the sealed tokens, and never the key that opens them.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from quota_web.errors import BadDatabase, BadInput, BadSetting
from quota_web.store import backup as store
from quota_web.store import engine, files, schema
from quota_web.store.backup import Content
from quota_web.store.files import Presence

#: A copy needs as much room as the database, and SQLite some for its work.
ROOM_TO_SPARE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now."""

    content: Content
    #: Where the database that was there before lies now; None where there was none.
    aside: Path | None
    #: The version that the backup was at, where it was older than this program.
    migrated_from: str | None


def backup(target: Path, *, overwrite: bool = False) -> Content:
    """Write the database into *target* (mode 0600) and look through what was written; it appears under that name when it is good.

    Raises BadInput where the file is there already or the database is a server's, BadSetting where the folder cannot be written.
    """
    source = _sqlite_file("back it up with pg_dump, which knows how to")
    if os.path.lexists(target) and not overwrite:
        raise BadInput("file", f"{target}: is there already; choose another name or give --force")
    if os.path.exists(target) and os.path.samefile(target, source):
        raise BadInput("file", f"{target}: is the database itself")
    with _writing(target.parent), _temporary(target) as part:
        _require_room(target.parent, files.size_of(source) + files.size_of(files.beside(source, "-wal")))
        before = store.data_version()
        store.write_copy(part)
        content = store.judged(part)
        if not before <= content.data_version <= store.data_version():
            raise BadDatabase(f"{target}: the copy does not belong to this database; nothing was kept")
        os.replace(part, target)
        files.sync(target.parent)
    return content


def restore(source: Path, now: int, actor: str) -> Restored:
    """Put a backup in the database's place: taken in, judged and brought up to date beside it first.

    Raises BadInput where *source* is no backup of ours, DatabaseTooNew, DatabaseDamaged, and BadDatabase while a service runs.
    """
    file = _sqlite_file("restore it with pg_restore")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.require_writable(file)
    presence = Presence(file)
    try:
        if not presence.alone():
            raise files.in_use(file)
        with _writing(file.parent), _temporary(file) as part:
            return _put_back(source, file, part, now, actor)
    finally:
        presence.leave()


def _put_back(source: Path, file: Path, part: Path, now: int, actor: str) -> Restored:
    _require_room(file.parent, 2 * files.size_of(source))
    _take_in(source, part)
    found = store.judged(part)
    schema.bring_up(f"sqlite:///{part}")
    epoch = store.quiet(file) if os.path.exists(file) else 0
    store.renew(part, now, epoch, actor)
    content = store.judged(part)
    files.sync(part)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = _free_name(files.beside(file, f".before-restore-{stamp}")) if os.path.exists(file) else None
    store.swap(part, file, aside)
    files.sync(file.parent)
    return Restored(content, aside, found.version if found.version != content.version else None)


def _take_in(source: Path, part: Path) -> None:
    try:
        store.take_in(source, part)
    except OSError as error:
        if error.filename is None or Path(error.filename) != source:
            raise
        raise BadInput("file", f"{source}: cannot be read: {error.strerror}") from None


def _free_name(path: Path) -> Path:
    """*path*, or with a number where a restore of the same second has it."""
    number, name = 1, path
    while os.path.lexists(name):
        number, name = number + 1, files.beside(path, f"-{number}")
    return name


def _sqlite_file(instead: str) -> Path:
    file = engine.file()
    if file is None:
        raise BadInput("file", f"the database is PostgreSQL: {instead}")
    return file


def _require_room(folder: Path, needed: int) -> None:
    free = files.free_bytes(folder)
    if free is not None and free < needed + ROOM_TO_SPARE:
        raise BadSetting(f"{folder}: {free // 2**20} MiB are free, about {(needed + ROOM_TO_SPARE) // 2**20} MiB are needed")


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """An empty file beside *target* that nobody else can read; gone at the end, with whatever SQLite put beside it."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            files.beside(part, suffix).unlink(missing_ok=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadSetting(files.no_entry(folder, error)) from None
