"""What this process holds open: no test file may leave anything behind for those that come after it
in the same process.
"""

import gc
import os
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_LISTED = Path("/proc/self/fd")
#: What somebody else still closes, such as the thread of a server that has just been stopped, gets
#: this long.
PATIENCE_S = 5.0


def open_files() -> Counter[str]:
    """What is open now, and how often: paths, and names such as `socket:[123]`; empty where nobody
    can tell.
    """
    seen: Counter[str] = Counter()
    for name in os.listdir(_LISTED) if _LISTED.is_dir() else ():
        try:
            seen[os.readlink(_LISTED / name)] += 1
        except FileNotFoundError:
            continue  # It was the one that this list was read from.
    return seen


def left_open(allowed: Counter[str], patience: float = PATIENCE_S) -> list[str]:
    """What is open now and was not *allowed*, after everything that nobody holds any more has gone;
    sorted.
    """
    give_up_at = time.monotonic() + patience
    for look in range(1_000):
        left = open_files() - allowed
        if not left or (look > 3 and time.monotonic() > give_up_at):
            break
        if look == 2:
            # The classic command freezes what there is, as its process ends with it; this one goes
            # on.
            gc.unfreeze()
        if look <= 3:
            # What a finalizer has let go of is found by one more look alone.
            gc.collect()
        else:
            time.sleep(0.05)
    return sorted(left.elements())


class Watch:
    """A pytest plugin: fails the last test of a file that leaves something open, and names it."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._allowed: Counter[str] = Counter()
        self._failed = 0

    # Both outermost: inside, standard input and output are those that a test sees.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        if item.path != self._file:
            self._file, self._allowed, self._failed = (
                item.path,
                open_files(),
                item.session.testsfailed,
            )
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """What a fixture of the whole run opens stays open by right."""
        before = open_files() if fixturedef.scope == "session" else None
        result = yield
        if before is not None:
            self._allowed += open_files() - before
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        result = yield
        if nextitem is None or nextitem.path != item.path:
            self._judge(item)
        return result

    def _judge(self, item: pytest.Item) -> None:
        if item.session.testsfailed > self._failed:
            # The traceback of a failed test holds what it had open, and is what should be read.
            return
        if isinstance(item, pytest.Function):
            item.funcargs.clear()
        if left := left_open(self._allowed):
            pytest.fail(
                f"{item.path.name} left {len(left)} files open: {', '.join(left[:20])}",
                pytrace=False,
            )
        # What is still there stays: the next file's look through the garbage need not go through it
        # again.
        gc.collect()
        gc.freeze()
