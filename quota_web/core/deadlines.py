"""Ends what waits for too long, whatever it waits for: one thread watches everything that has a
deadline and cuts what is past it.

It sleeps until the nearest deadline and is not woken by what ends in time.
"""

import threading
from typing import Protocol

from quota_web.core import clock


class Waiting(Protocol):
    """Something under way that has to end at *at*, a moment of the monotonic clock; `fire` cuts
    it.
    """

    at: float

    def fire(self) -> None: ...


class DeadlineWatcher:
    """All that is under way, and the thread that cuts what is past its deadline."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.renew()

    def renew(self) -> None:
        """Start with nothing under way: after a fork the thread is not there, and its lock may be
        held for good.
        """
        self._changed = threading.Condition(threading.Lock())
        self._live: set[Waiting] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self._closed = False

    def begin(self, waiting: Waiting) -> None:
        """Watch *waiting* from now on; once closed, cut it at once."""
        with self._changed:
            self._live.add(waiting)
            if self._closed:
                waiting.fire()
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif waiting.at < self._wakes_at:
                self._changed.notify()

    def end(self, waiting: Waiting) -> None:
        """Watch it no more: it is not cut after this has returned."""
        with self._changed:
            self._live.discard(waiting)

    def shorten(self, at: float) -> None:
        """Let everything under way end at *at*, a moment of the monotonic clock, where it would end
        later.
        """
        with self._changed:
            for waiting in self._live:
                waiting.at = min(waiting.at, at)
            self._changed.notify()

    def cut_all(self) -> None:
        """Cut everything under way."""
        with self._changed:
            for waiting in self._live:
                waiting.fire()

    def close(self) -> None:
        """Cut everything and let the thread end."""
        self.cut_all()
        with self._changed:
            self._closed = True
            self._changed.notify()

    def rest(self) -> None:
        """Close, wait for the thread's end, and begin again at the next wait.

        What waits meanwhile is cut, so this is for a process without other threads.
        """
        thread = self._thread
        self.close()
        if thread is not None:
            thread.join()
        self.renew()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = clock.monotonic()
                for waiting in [waiting for waiting in self._live if waiting.at <= now]:
                    waiting.fire()
                    self._live.discard(waiting)
                self._wakes_at = min((waiting.at for waiting in self._live), default=float("inf"))
                self._changed.wait(None if self._wakes_at == float("inf") else self._wakes_at - now)
