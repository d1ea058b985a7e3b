"""Locks between processes: each is a file that the system unlocks when its process dies.

`DatabaseLock` shows that a database is in use, `RunLock` that a refresh still lives; `exclusive`
lets one process migrate at a time.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flask import current_app

from quota_web.config import Settings
from quota_web.core.errors import BadDatabase
from quota_web.store import filesystem

#: File names of run locks begin so; the claim's number follows.
PREFIX = ".asking."


def lock_file(path: Path) -> int:
    """Open a file that is there to be locked, and make it where there is none."""
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return filesystem.created(path)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; False where another process has locked it.

    Raises OSError on a file system without locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Lock *path* for the block; waits for another process that has it."""
    descriptor = lock_file(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class DatabaseLock:
    """Shows other processes that this one uses a database, for as long as this object exists.

    Any number of processes may share it; on a network file system only one has it, since processes
    could not see each other's writes there.
    """

    _descriptor = -1

    def __init__(self, file: Path) -> None:
        """Raises BadDatabase where another process must be alone with the database."""
        self._descriptor = lock_file(file.with_name(filesystem.IN_USE))
        network = filesystem.network_type(file.parent)
        if not self._lock(shared=network is None):
            self.leave()
            raise BadDatabase(_refusal(file, network))

    def alone(self) -> bool:
        """Keep all other processes off, until `shared` or `leave`; False where one is there."""
        if self._lock(shared=False):
            return True
        # Changing a lock gives the old one up first, also where the new one is not to be had.
        self.shared()
        return False

    def shared(self) -> None:
        """Share the database with other processes again."""
        self._lock(shared=True)

    def leave(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _lock(self, *, shared: bool) -> bool:
        try:
            return try_lock(self._descriptor, shared=shared)
        except OSError as error:
            # A file system without locks keeps no process out; SQLite reports what it finds itself.
            return error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)

    def __del__(self) -> None:
        self.leave()


def in_use(file: Path) -> BadDatabase:
    return BadDatabase(
        f"{file}: is in use by another process; stop the service (and any other command) first"
    )


def _refusal(file: Path, network: str | None) -> str:
    if network is None:
        return f"{file}: is being restored or moved by another process; try again when that is done"
    return (
        f"{file}: lies on a network file system ({network}), where only one process may use it, "
        f"and another one does; "
        "stop that one, move the instance folder to a local disk, or use PostgreSQL"
    )


class RunLock:
    """Shows that the refresh with this claim lives, until `leave` or the end of the process.

    So the accounts that a killed process had claimed are free at once, and not when its claims run
    out. A process of another machine leaves no file that could be seen here; its claims run out.
    """

    def __init__(self, claim_id: int) -> None:
        self._path = _folder() / f"{PREFIX}{claim_id}"
        self._descriptor = -1
        while not self._hold():
            pass

    def _hold(self) -> bool:
        """Make and lock the file; False where a process that was cleaning up removed it before."""
        try:
            self._descriptor = lock_file(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:
                return True
        except OSError:
            # No such folder, no room, a file system without locks: then claims run out by
            # themselves.
            self.leave()
            return True
        os.close(self._descriptor)
        return False

    def leave(self, *, is_released: bool = True) -> None:
        """Unlock the file and remove it; where the claims could not be released, it stays, and the
        next look for dead runs releases them.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if is_released:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def dead_runs() -> Iterator[list[int]]:
    """The claims whose processes are dead; they are returned again unless the block ends well."""
    dead = dict(_dead())
    try:
        yield [int(path.name.removeprefix(PREFIX)) for path in dead]
        for path in dead:
            path.unlink(missing_ok=True)
    finally:
        for descriptor in dead.values():
            os.close(descriptor)


def _dead() -> Iterator[tuple[Path, int]]:
    """The files that no process has locked, each with the descriptor that locks it now."""
    folder = _folder()
    for name in _names(folder):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).isdecimal():
            with suppress(OSError):
                descriptor = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
                if _is_free(descriptor):
                    yield folder / name, descriptor
                else:
                    os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _folder() -> Path:
    settings: Settings = current_app.config["SETTINGS"]
    return settings.instance_dir
