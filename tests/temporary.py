"""Where a test run keeps its files: in memory where there is room.

A database waits for the disk at each commit, milliseconds where disks are slow, and most tests make
some commits: they would wait longer than they work.
"""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
#: Far more than a run needs; a container's is small.
ROOM = 6 << 30


def use_memory() -> None:
    """Let temporary folders of this process, and of those it starts, be in memory, unless TMPDIR
    says where they are to be.
    """
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _has_room() -> bool:
    """Whether much may be written there, and programs be started."""
    try:
        there, memory = os.statvfs(MEMORY), Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return False
    free = next(int(line.split()[1]) for line in memory.splitlines() if "MemAvailable" in line)
    is_open = os.access(MEMORY, os.W_OK | os.X_OK) and not there.f_flag & os.ST_NOEXEC
    return is_open and min(free << 10, there.f_bavail * there.f_frsize) >= ROOM
