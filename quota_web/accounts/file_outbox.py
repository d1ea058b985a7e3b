"""What an act does to files of the owner: decided in its transaction, noted there, and done once
that is committed.

Until the commit the files stay as they are. A note (a row of `setting`) stays until the file is in
step, so after a kill or a lost database the next look at the folder does what is left, and only if
the file is still the one that was meant.
"""

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import names
from quota_web.core.errors import BadDatabase, BadInput, QuotaError
from quota_web.core.language import mark

PREFIX = "file_act:"
#: A prepared file that no note mentions is a killed process's when it is older than this, in
#: seconds.
ORPHANED_AFTER_S = 3_600

#: What changes with every write: inode, time and size of the name itself and of what it leads to.
Signature = list[list[int]]


@dataclass(frozen=True, slots=True)
class FileAct:
    """One file to be written, renamed or removed."""

    path: str
    #: Where the file belongs afterwards; None where it is to go.
    moved_to: str | None
    #: The file as it was when this was decided; None where there was none.
    seen: Signature | None
    #: The new content, in a file beside the present one.
    staged: str | None = None
    staged_as: Signature | None = None


class Plan:
    """The file acts of one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._acts: dict[str, FileAct] = {}

    def remove(self, path: Path) -> None:
        """Remove a file after the commit. Raises BadInput where that could not be done.

        What is no auth file stays: a row that names one was not written by us.
        """
        if is_auth_file(path) and os.path.lexists(path):
            with _writable(path.parent):
                _require_changeable(path)
            self._note(FileAct(str(path), None, signature(path)))

    def change(self, path: Path, moved_to: Path, content: bytes | None) -> None:
        """Write a file, or rename it, or both, after the commit.

        Raises BadInput where that could not be done.
        """
        if not is_auth_file(path):
            told = mark("%(file)s is no auth file; it is left alone")
            raise BadInput("", told, file=names.printable(str(path)))
        with _writable(path.parent):
            if moved_to != path and os.path.lexists(moved_to) and not _is_same(path, moved_to):
                told = mark("there is already a file %(file)s")
                raise BadInput("name", told, file=moved_to.name)
            seen = signature(path)
            if content is not None:
                staged = store.filesystem.staged(path.resolve(), content)
                self._note(FileAct(str(path), str(moved_to), seen, str(staged), signature(staged)))
            elif seen is not None and moved_to != path:
                _require_changeable(path)
                self._note(FileAct(str(path), str(moved_to), seen))

    def _note(self, act: FileAct) -> None:
        key = PREFIX + secrets.token_hex(8)
        self._acts[key] = act
        store.auth.set_setting(self._tx, key, json.dumps(asdict(act)))

    def carry_out(self) -> None:
        """Do it. Raises BadInput where it could not be done after all: what the database says
        holds.
        """
        for key, act in self._acts.items():
            with _writable(Path(act.path).parent, is_stored=True):
                done = _do(act)
            with suppress(BadDatabase):
                _forget(key)
            if not done:
                raise BadInput(
                    "",
                    mark(
                        "%(file)s was changed by somebody else at this moment and left alone; look "
                        "at it and try again"
                    ),
                    file=names.printable(act.path),
                )

    def drop(self) -> None:
        """Take prepared files away again, unless the transaction was committed after all, or that
        cannot be told.
        """
        with suppress(BadDatabase):
            noted = _noted()
            for key, act in self._acts.items():
                if key not in noted:
                    _drop_staged(act)


@contextmanager
def transaction() -> Iterator[tuple[Connection, Plan]]:
    """A writing transaction, and the plan of what is done to files once it is committed."""
    plan: Plan | None = None
    try:
        with store.database.transaction() as tx:
            plan = Plan(tx)
            yield tx, plan
    except BaseException:
        if plan is not None:
            plan.drop()
        raise
    plan.carry_out()


def held(conn: Connection) -> set[str]:
    """Paths of files that are not in step yet: nothing may be concluded from their being there, or
    not.
    """
    acts = _acts(conn).values()
    return {path for act in acts for path in (act.path, act.moved_to) if path is not None}


def resume(folder: Path, now: int) -> None:
    """Do what a process that is no more has left to do in *folder*, as far as the files are those
    that were meant.
    """
    noted = _noted()
    for key, act in noted.items():
        if Path(act.path).parent == folder and _is_within(act, folder):
            # What cannot be done now is left for the next look.
            with suppress(OSError, BadDatabase):
                _do(act)
                _forget(key)
    _sweep(folder, {act.staged for act in noted.values()}, now)


def _sweep(folder: Path, staged: set[str | None], now: int) -> None:
    """Remove prepared files whose process was killed before it had decided."""
    with os.scandir(folder) as entries:
        found = [
            folder / e.name
            for e in entries
            if store.filesystem.is_staged_name(e.name, names.FILE_SUFFIX)
        ]
    for path in found:
        with suppress(OSError):
            if str(path) not in staged and now - path.lstat().st_mtime > ORPHANED_AFTER_S:
                path.unlink()


def _is_within(act: FileAct, folder: Path) -> bool:
    """Whether all that it names are auth files of this folder; a note may come from a backup
    that another installation made.
    """
    paths = [Path(path) for path in (act.path, act.moved_to) if path is not None]
    return all(path.parent == folder and is_auth_file(path) for path in paths)


def is_auth_file(path: Path) -> bool:
    """Whether a file may be one that an account follows."""
    return path.name.endswith(names.FILE_SUFFIX) and not path.name.startswith(".")


def signature(path: Path) -> Signature | None:
    """What tells whether a file is still the one it was; None where there is none."""
    try:
        own = os.lstat(path)
    except OSError:
        return None
    try:
        target = os.stat(path)
    except OSError:
        target = own
    return [[found.st_ino, found.st_mtime_ns, found.st_size] for found in (own, target)]


def _do(act: FileAct) -> bool:
    """Bring the file in step; doing it again changes nothing.

    False where it is no longer the file that was meant.
    """
    path = Path(act.path)
    if act.staged is not None and os.path.lexists(act.staged):
        if signature(path) != act.seen:
            _drop_staged(act)
            return False
        target = path.resolve()
        os.replace(act.staged, target)
        store.filesystem.sync(target.parent)
    found = signature(path)
    if act.moved_to == act.path or found is None:
        return True
    if found[0] not in [known[0] for known in (act.seen, act.staged_as) if known is not None]:
        return False
    if act.moved_to is None:
        path.unlink(missing_ok=True)
    else:
        if os.path.lexists(act.moved_to) and not _is_same(path, Path(act.moved_to)):
            return False
        # Another request that resumes it at this moment may have been quicker.
        with suppress(FileNotFoundError):
            path.rename(act.moved_to)
    store.filesystem.sync(path.parent)
    return True


def _drop_staged(act: FileAct) -> None:
    if act.staged is not None:
        with suppress(OSError):
            os.unlink(act.staged)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are one file, as `alice` and `Alice` are on some disks."""
    return one.exists() and other.exists() and one.samefile(other)


def _require_changeable(path: Path) -> None:
    """Raise OSError where *path* could not be renamed or removed by us."""
    folder, own = path.parent.stat(), path.lstat()
    if stat.S_ISDIR(own.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, folder.st_uid, own.st_uid):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    try:
        store.filesystem.staged(path, b"").unlink()
    except OSError as error:
        # Taking something away needs no room.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _forget(key: str) -> None:
    with store.database.transaction() as tx:
        store.auth.drop_setting(tx, key)


def _noted() -> dict[str, FileAct]:
    with store.database.reading() as conn:
        return _acts(conn)


def _acts(conn: Connection) -> dict[str, FileAct]:
    return {
        key: FileAct(**json.loads(value))
        for key, value in store.auth.settings_beginning(conn, PREFIX).items()
    }


@contextmanager
def _writable(folder: Path, *, is_stored: bool = False) -> Iterator[None]:
    try:
        yield
    except QuotaError:
        raise
    except OSError as error:
        told = mark("%(folder)s cannot be written: %(reason)s")
        if is_stored:
            told = mark(
                "%(folder)s cannot be written: %(reason)s; the change is stored, and the file is "
                "tried again"
            )
        shown = names.printable(str(folder))
        raise BadInput("", told, folder=shown, reason=error.strerror) from None
