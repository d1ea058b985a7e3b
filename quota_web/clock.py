"""The only clock: wall time as whole epoch seconds in UTC, and a monotonic one for waits.

Doors (views, commands, the schedule) read it and hand `now` down; nothing below them looks at the time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_frozen_at: int | None = None


def now() -> int:
    """The wall time in whole epoch seconds, UTC."""
    return int(time.time()) if _frozen_at is None else _frozen_at


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
