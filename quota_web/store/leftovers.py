"""Files that are made under a hidden name and get theirs when they are whole; a kill leaves them
behind.

A copy of a database is locked for as long as a process writes it, which may be long: one without
a lock is left over. Smaller files take milliseconds: those are judged by their age.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quota_web.store import filesystem, locks

#: SQLite's files begin with this.
MAGIC = b"SQLite format 3\0"
#: Longer than any process takes, in seconds, to write a file of a few kilobytes.
OLD_S = 600
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_BESIDE = ("-wal", "-shm", "-journal")


@contextmanager
def part_of(target: Path) -> Iterator[Path]:
    """An empty file beside *target* that only its owner can read; gone at the end, with whatever
    SQLite put beside it.
    """
    part, descriptor = _made(target)
    try:
        yield part
    finally:
        for suffix in ("", *_BESIDE):
            filesystem.beside(part, suffix).unlink(missing_ok=True)
        os.close(descriptor)


def _made(target: Path) -> tuple[Path, int]:
    while True:
        part = target.with_name(filesystem.hidden_name(target.name, ".part"))
        descriptor = filesystem.created(part)
        # On a file system without locks this cannot be known, and nothing is removed.
        with suppress(OSError):
            locks.try_lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return part, descriptor
        # Another process removed it before it was locked.
        os.close(descriptor)


def remove_parts(folder: Path) -> None:
    """Remove copies of databases in *folder* that no process writes any more."""
    for name in _names(folder):
        if _PART.fullmatch(name):
            with suppress(OSError):
                _remove_unlocked(folder / name)


def _remove_unlocked(part: Path) -> None:
    descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not locks.try_lock(descriptor):
            return
        head = os.pread(descriptor, len(MAGIC), 0)
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        # Its first page is written last.
        if is_file and (head == MAGIC or not head.strip(b"\0")):
            for suffix in (*_BESIDE, ""):
                filesystem.beside(part, suffix).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def remove_small(folder: Path, now: int, of: str = ".*") -> None:
    """Remove files of a few kilobytes in *folder* that were never given their names.

    *of* is a pattern of those names, for a folder that is not ours alone.
    """
    for name in _names(folder):
        if re.fullmatch(rf"\.{of}\.[0-9a-f]{{8}}(\.moved)?", name):
            with suppress(OSError):
                seen = os.lstat(folder / name)
                if stat.S_ISREG(seen.st_mode) and abs(now - seen.st_mtime) > OLD_S:
                    os.unlink(folder / name)


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.startswith(".")]
    except OSError:
        return []
