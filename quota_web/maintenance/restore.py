"""Puts a backup in the place of the SQLite database, which is kept beside it."""

import errno
import os
import sqlite3
import stat
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import update

from quota_web import store
from quota_web.core import times
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadDatabase, BadInput
from quota_web.maintenance import backup, newer_sign_ins, rotate_key, untrusted_rows
from quota_web.maintenance.backup import BackupContent
from quota_web.maintenance.newer_sign_ins import SignIns
from quota_web.store.encryption import TokenCipher
from quota_web.store.leftovers import MAGIC
from quota_web.store.locks import DatabaseLock
from quota_web.store.models import account, site_state

#: More than a history of decades; what is larger is something else, or meant to fill the disk.
MAX_SIZE = 16 * 1024**3
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now."""

    content: BackupContent
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
    #: Accounts that keep the newer credentials of the database from before.
    kept: tuple[str, ...]
    #: Accounts whose sign-in is not renewed any more: its token may have been used since.
    not_renewed: tuple[str, ...]
    #: Names of the API tokens that came along.
    api_tokens: tuple[str, ...]
    #: How many share links that work came along.
    share_links: int
    #: Alert channels that are sent to, and those whose address no key here opens.
    channels: tuple[str, ...]
    lost_channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What is needed of the database that is replaced."""

    session_epoch: int = 0
    #: The folders whose files its accounts follow.
    folders: tuple[Path, ...] = ()
    sign_ins: SignIns = field(default_factory=SignIns)


def restore(
    source: Path,
    cipher: TokenCipher,
    folder: Path,
    now: int,
    actor: str,
    *,
    without_tokens: bool = False,
) -> Restored:
    """Put a backup in the database's place: it is copied, examined and migrated beside it
    first.

    Its accounts go on following files of *folder*, and of those that the present database follows.

    Raises BadInput where *source* is no backup of ours, or where no key here opens its tokens and
    that is not wanted; DatabaseTooNew, DatabaseDamaged; and BadDatabase while a service runs.
    """
    file = backup.sqlite_file("restore it with pg_restore")
    store.filesystem.make_folder(file.parent)
    store.filesystem.require_writable(file)
    lock = DatabaseLock(file)
    try:
        if not lock.alone():
            raise store.locks.in_use(file)
        store.leftovers.remove_parts(file.parent)
        with backup.writing(file.parent), store.leftovers.part_of(file) as part:
            backup.require_room(file.parent, 2 * store.filesystem.size_of(source))
            _take_in(source, part)
            found = backup.examine(part)
            store.schema.bring_up(f"sqlite:///{part}")
            present = _quiet(file) if os.path.exists(file) else _Replaced()
            rows = _judge_rows(part, source, cipher, [folder, *present.folders], present, now)
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
                rows.kept,
                rows.not_renewed,
                rows.api_tokens,
                rows.share_links,
                rows.channels,
                rows.lost_channels,
            )
    finally:
        lock.leave()


@dataclass(frozen=True, slots=True)
class _Rows:
    """What came of the rows of a backup; the fields are those of `Restored`."""

    resealed: int
    lost: tuple[str, ...]
    no_longer_followed: tuple[str, ...]
    kept: tuple[str, ...]
    not_renewed: tuple[str, ...]
    api_tokens: tuple[str, ...]
    share_links: int
    channels: tuple[str, ...]
    lost_channels: tuple[str, ...]


def _judge_rows(
    part: Path,
    source: Path,
    cipher: TokenCipher,
    folders: list[Path],
    before: _Replaced,
    now: int,
) -> _Rows:
    """Make the rows of a copy fit for this place. Raises BadInput where some are not ours."""
    with store.database.elsewhere(f"sqlite:///{part}", write=True) as conn:
        untrusted_rows.require_ours(conn, source)
        untrusted_rows.leave_behind(conn)
        kept = untrusted_rows.settle_files(conn, folders)
        adopted = rotate_key.adopt(conn, cipher)
        # The tokens of a backup may have been used since: a person says if they were not.
        stopped = store.renewals.stop_all(conn, "restored")
        newer = newer_sign_ins.carry_over(conn, cipher, before.sign_ins, now)
        ids = {a.id for a in newer}
        off = store.accounts.get_by_ids(conn, [i for i in stopped if i not in ids]).values()
        tokens = tuple(untrusted_rows.token_names(conn))
        links = len(store.share_links.list_all(conn))
        channels = tuple(c.name for c in store.channels.list_all(conn) if c.is_on)
    return _Rows(
        adopted.resealed,
        tuple(a.name for a in adopted.lost if a.id not in ids),
        tuple(kept),
        tuple(sorted(a.name for a in newer)),
        tuple(sorted(a.name for a in off)),
        tokens,
        links,
        channels,
        tuple(adopted.lost_channels),
    )


def _put_in_place(
    part: Path, file: Path, epoch: int, now: int, actor: str
) -> tuple[BackupContent, Path | None]:
    """Returns what is in place now, and where the database from before is."""
    _renew(part, now, epoch, actor)
    content = backup.examine(part)
    store.filesystem.sync(part)
    aside = None
    if os.path.exists(file):
        aside = store.filesystem.free_name(
            store.filesystem.beside(file, f".before-restore-{times.compact(now)}")
        )
    _swap(part, file, aside)
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
        _copy_in(source, part)
    except OSError as error:
        if error.filename is None or Path(error.filename) != source:
            raise
        raise BadInput("file", f"{source}: cannot be read: {error.strerror}") from None


def _copy_in(source: Path, target: Path) -> None:
    """Copy *source*, a file of any origin, byte by byte into *target*, an empty file of ours.

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
            f"one made by `{COMMAND} backup`",
        )


def _renew(copy: Path, now: int, epoch_before: int, actor: str) -> None:
    """Make a copy fit to go on from: sessions of both pasts end, version numbers of the other past
    mean nothing, no account is being fetched, no alert of back then is sent.
    """
    with store.database.elsewhere(f"sqlite:///{copy}", write=True) as conn:
        conn.execute(update(account).values(claim_id=None, claimed_at=None, requested_at=None))
        store.deliveries.drop_waiting(conn)
        epoch = max(store.site_state.read(conn).session_epoch, epoch_before) + 1
        conn.execute(update(site_state).values(session_epoch=epoch))
        store.site_state.new_nonce(conn)
        store.audit_log.add(conn, now, "database_restored", actor)
        store.site_state.bump_version(conn, now)


def _quiet(file: Path) -> _Replaced:
    """Make sure that no other program has the database open, and move its log into it.

    Returns what is needed of it, as far as that can be read. Raises BadDatabase where another
    program has it open. A damaged one is left as it is.
    """
    # Whatever connections this process has: none may be open when the file is looked into by hand.
    store.database.forget_troubles()
    if _head(file) != MAGIC:
        # SQLite would throw away the log of what it does not take for a database.
        return _Replaced()
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
        found = _Replaced(int(epoch), tuple(sorted(folders)))
    except sqlite3.Error as error:
        if isinstance(
            plain := store.db_errors.plain_driver_error(error), BadDatabase
        ) and "BUSY" in getattr(error, "sqlite_errorname", ""):
            raise store.locks.in_use(file) from plain
        return _Replaced()
    except (TypeError, ValueError):  # no such row, or nothing that we wrote
        return _Replaced()
    finally:
        connection.close()
    return replace(found, sign_ins=newer_sign_ins.read(file))


def _head(file: Path) -> bytes:
    with open(file, "rb") as there:
        return there.read(len(MAGIC))


def _swap(copy: Path, file: Path, aside: Path | None) -> None:
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
