"""Who holds claims, and whether they still live: a locked file a run in the instance folder, which
the system unlocks when the process dies.

So what a killed process was asking for is free at once, and not when its claims have run out. A
process of another machine, or without that folder, leaves no file that could be seen; its claims
run out.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flask import current_app

from quota_web.config import Settings
from quota_web.store import filesystem

PREFIX = ".asking."


class RunLock:
    """Says that the run with this claim lives, until `leave` or the end of the process."""

    def __init__(self, claim_id: int) -> None:
        self._path = _folder() / f"{PREFIX}{claim_id}"
        self._descriptor = -1
        while not self._hold():
            pass

    def _hold(self) -> bool:
        """Make and lock the file; False where somebody who was cleaning up took it for an abandoned
        one.
        """
        try:
            self._descriptor = filesystem.lock_file(self._path)
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

    def leave(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def dead_runs() -> Iterator[list[int]]:
    """The claims whose holders are dead; they are told again to the next who asks unless the block
    ends well.
    """
    dead = dict(_dead())
    try:
        yield [int(path.name.removeprefix(PREFIX)) for path in dead]
        for path in dead:
            path.unlink(missing_ok=True)
    finally:
        for descriptor in dead.values():
            os.close(descriptor)


def _dead() -> Iterator[tuple[Path, int]]:
    """The files that nobody has locked any more, each with the descriptor that holds its lock
    now.
    """
    folder = _folder()
    for name in _names(folder):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).isdecimal():
            with suppress(OSError):
                descriptor = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                    continue
                yield folder / name, descriptor


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _folder() -> Path:
    settings: Settings = current_app.config["SETTINGS"]
    return settings.instance_dir
