"""Acts on the database as a whole: a backup while it is in use, and a backup put back in its place.

A backup holds the sealed tokens, and never the key that opens them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quota_web import store
from quota_web.core import times
from quota_web.core.errors import BadDatabase, BadInput, BadSetting
from quota_web.maintenance import backup_files, backup_rows, rotate_key
from quota_web.maintenance.backup_files import Content
from quota_web.store.encryption import TokenCipher
from quota_web.store.filesystem import DatabaseLock

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
    #: Accounts whose tokens were sealed with another key than the present one, and are now sealed
    #: with that.
    resealed: int
    #: Accounts whose tokens no key here opens; they need theirs from a person.
    without_tokens: tuple[str, ...]
    #: Accounts that followed a file in no folder of ours; they follow none now.
    no_longer_followed: tuple[str, ...]
    #: Names of the API tokens that came along.
    api_tokens: tuple[str, ...]


def backup(target: Path, *, overwrite: bool = False) -> Content:
    """Write the database into *target* (mode 0600) and look through what was written; it appears
    under that name when it is good.

    Raises BadInput where the file is there already or the database is a server's, BadSetting where
    the folder cannot be written.
    """
    source = _sqlite_file("back it up with pg_dump, which knows how to")
    if os.path.lexists(target) and not overwrite:
        raise BadInput("file", f"{target}: is there already; choose another name or give --force")
    if os.path.exists(target) and os.path.samefile(target, source):
        raise BadInput("file", f"{target}: is the database itself")
    store.leftovers.remove_parts(target.parent)
    with _writing(target.parent), store.leftovers.part_of(target) as part:
        _require_room(
            target.parent,
            store.filesystem.size_of(source)
            + store.filesystem.size_of(store.filesystem.beside(source, "-wal")),
        )
        before = backup_files.data_version()
        backup_files.write_copy(part)
        content = backup_files.judged(part)
        if not before <= content.data_version <= backup_files.data_version():
            raise BadDatabase(
                f"{target}: the copy does not belong to this database; nothing was kept"
            )
        os.replace(part, target)
        store.filesystem.sync(target.parent)
    return content


def restore(
    source: Path,
    cipher: TokenCipher,
    folder: Path,
    now: int,
    actor: str,
    *,
    without_tokens: bool = False,
) -> Restored:
    """Put a backup in the database's place: taken in, judged and brought up to date beside it
    first.

    Its accounts go on following files of *folder*, and of those that the present database follows.

    Raises BadInput where *source* is no backup of ours, or where no key here opens its tokens and
    that is not wanted; DatabaseTooNew, DatabaseDamaged; and BadDatabase while a service runs.
    """
    file = _sqlite_file("restore it with pg_restore")
    store.filesystem.make_folder(file.parent)
    store.filesystem.require_writable(file)
    presence = DatabaseLock(file)
    try:
        if not presence.alone():
            raise store.filesystem.in_use(file)
        store.leftovers.remove_parts(file.parent)
        with _writing(file.parent), store.leftovers.part_of(file) as part:
            _require_room(file.parent, 2 * store.filesystem.size_of(source))
            _take_in(source, part)
            found = backup_files.judged(part)
            store.schema.bring_up(f"sqlite:///{part}")
            present = backup_files.quiet(file) if os.path.exists(file) else backup_files.Present()
            rows = _judge_rows(part, source, cipher, [folder, *present.folders])
            if rows.lost and not without_tokens:
                raise BadInput("file", _closed(source, cipher, rows.lost))
            content, aside = _put_in_place(part, file, present.session_epoch, now, actor)
            older = found.version if found.version != content.version else None
            return Restored(
                content,
                aside,
                older,
                rows.resealed,
                rows.lost,
                rows.no_longer_followed,
                rows.api_tokens,
            )
    finally:
        presence.leave()


@dataclass(frozen=True, slots=True)
class _Rows:
    """What came of the rows of a backup; the fields are those of `Restored`."""

    resealed: int
    lost: tuple[str, ...]
    no_longer_followed: tuple[str, ...]
    api_tokens: tuple[str, ...]


def _judge_rows(part: Path, source: Path, cipher: TokenCipher, folders: list[Path]) -> _Rows:
    """Make the rows of a copy fit for this place. Raises BadInput where some are not ours."""
    with store.database.elsewhere(f"sqlite:///{part}", write=True) as conn:
        backup_rows.require_ours(conn, source)
        backup_rows.leave_behind(conn)
        kept = backup_rows.settle_files(conn, folders)
        resealed, lost = rotate_key.adopt(conn, cipher)
        tokens = backup_rows.token_names(conn)
    return _Rows(resealed, tuple(a.name for a in lost), tuple(kept), tuple(tokens))


def _put_in_place(
    part: Path, file: Path, epoch: int, now: int, actor: str
) -> tuple[Content, Path | None]:
    """Returns what is in place now, and where the database from before is."""
    backup_files.renew(part, now, epoch, actor)
    content = backup_files.judged(part)
    store.filesystem.sync(part)
    aside = None
    if os.path.exists(file):
        aside = store.filesystem.free_name(
            store.filesystem.beside(file, f".before-restore-{times.compact(now)}")
        )
    backup_files.swap(part, file, aside)
    store.filesystem.sync(file.parent)
    return content, aside


def _closed(source: Path, cipher: TokenCipher, names: tuple[str, ...]) -> str:
    """One line: whose tokens cannot be opened, and the three things that may help."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if cipher.is_missing:
        mend = f"put the key of that time back as {cipher.file} first"
    elif cipher.is_from_file:
        mend = f"add the key of that time as a further line of {cipher.file}"
    else:
        mend = "set QUOTA_SECRET_KEY_OLD to the key of that time"
    return (
        f"{source}: no key here opens the tokens of {shown}; nothing was changed. "
        f"To have them, {mend}, and restore again. Without that key, --without-tokens "
        "brings the history back, and these accounts are given their tokens again"
    )


def _take_in(source: Path, part: Path) -> None:
    try:
        backup_files.take_in(source, part)
    except OSError as error:
        if error.filename is None or Path(error.filename) != source:
            raise
        raise BadInput("file", f"{source}: cannot be read: {error.strerror}") from None


def _sqlite_file(instead: str) -> Path:
    file = store.database.file()
    if file is None:
        raise BadInput("file", f"the database is PostgreSQL: {instead}")
    return file


def _require_room(folder: Path, needed: int) -> None:
    free = store.filesystem.free_bytes(folder)
    if free is not None and free < needed + ROOM_TO_SPARE:
        raise BadSetting(
            f"{folder}: {free // 2**20} MiB are free, about {(needed + ROOM_TO_SPARE) // 2**20} "
            f"MiB are needed"
        )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadSetting(store.filesystem.no_entry(folder, error)) from None
