"""How far a command is, on a terminal: the one place that draws a progress bar."""

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: What takes less than this many seconds shows no bar, and does not load the library for it.
SHOW_AFTER_S = 1.0


class ProgressBar:
    """A bar on standard error, while a `with` block lasts; in a pipe nothing is printed.

    Called from any thread.
    """

    def __init__(self, doing: str, total: int | None = None) -> None:
        """*total* is None where it is known later, and 0 where there is nothing to do."""
        self._doing, self._total, self._done = doing, total, 0
        self._shown: tuple[Progress, TaskID] | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(SHOW_AFTER_S, self._show)
        self._timer.daemon = True

    def __enter__(self) -> "ProgressBar":
        if self._total != 0 and sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._shown is not None:
                self._shown[0].stop()

    def count(self) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            self._update()

    def set(self, doing: str, done: int, total: int) -> None:
        """So many of *total* are done of what is done at present."""
        with self._lock:
            self._doing, self._done, self._total = doing, done, total
            self._update()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with self._lock:
            if self._is_over:
                return
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._shown = bar, bar.add_task(self._doing)
            self._update()
            bar.start()

    def _update(self) -> None:
        """The caller holds the lock."""
        if self._shown is not None:
            bar, task = self._shown
            bar.update(task, description=self._doing, completed=self._done, total=self._total)
