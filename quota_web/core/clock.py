"""The only clock: wall time as whole epoch seconds in UTC, and a monotonic one for waits.

Views, commands and the schedule read it and hand `now` down; nothing below them looks at the
time.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A process that is older serves, or its age is not to be believed.
OLDEST_COMMAND_S = 600.0
_frozen_at: int | None = None


def now() -> int:
    """The wall time in whole epoch seconds, UTC."""
    return int(time.time()) if _frozen_at is None else _frozen_at


def process_began() -> int:
    """When this command's process was started; now, where the system does not tell."""
    try:
        # The 22nd field; the second one is a name in brackets that may hold anything.
        said = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        started_s = int(said.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    except (OSError, AttributeError, ValueError, IndexError):
        age_s = 0.0
    return int(time.time() - age_s) if 0 <= age_s <= OLDEST_COMMAND_S else now()


def monotonic() -> float:
    """Seconds that only ever grow; says nothing about the date."""
    return time.monotonic()


@contextmanager
def frozen(at: int) -> Iterator[None]:
    """Let `now` answer *at* inside the block, so that a test can stand at any date."""
    global _frozen_at
    before, _frozen_at = _frozen_at, at
    try:
        yield
    finally:
        _frozen_at = before
