"""Act: what the schedule tidies up beside asking. Everything goes in small pieces, so that nobody
waits for it.

Several processes may do this at the same time; whoever comes second finds less to do.
"""

import re
import threading
from pathlib import Path

from quota_web import store
from quota_web.auth import throttle
from quota_web.core import clock
from quota_web.maintenance import prune

HOURLY_S = 3_600.0
DAY = 86_400
ACTOR = "retention"
#: Old history goes only after the clock has kept pace for so many hourly rounds: a clock that ran
#: ahead must not make everything old.
STEADY_ROUNDS = 3
STEADY_WITHIN_S = 600.0


class Housekeeping:
    """The chores of one process, and when the hourly ones were done last."""

    def __init__(
        self,
        retention_days: int | None,
        folder: Path | None = None,
        state_file: Path | None = None,
    ) -> None:
        """*folder* is the instance folder; *state_file* is written into somebody's."""
        self._retention_days = retention_days
        self._folder, self._state_file = folder, state_file
        self._hourly_at = float("-inf")
        self._wall_at = 0
        self._steady_rounds = 0

    def work(self, now: int, stop: threading.Event) -> None:
        """Do what there is to do, until *stop*: deleted accounts' history at once, the rest
        hourly.
        """
        prune.purge_deleted(stop.is_set)
        if clock.monotonic() - self._hourly_at < HOURLY_S or stop.is_set():
            return
        self._note_clock(now)
        if self._retention_days is not None and self._steady_rounds >= STEADY_ROUNDS:
            prune.prune(now - self._retention_days * DAY, now, ACTOR, stop.is_set)
        with store.database.transaction() as tx:
            store.auth.forget_failures(
                tx, before=now - throttle.HOUR, after=now + throttle.CLOCK_SLACK_S
            )
        if not stop.is_set():
            self._tidy_up(now)
            store.database_files.truncate_log()

    def _tidy_up(self, now: int) -> None:
        """Remove what killed processes left half written."""
        if self._folder is not None:
            store.leftovers.remove_parts(self._folder)
            store.leftovers.remove_small(self._folder, now)
        if self._state_file is not None:
            store.leftovers.remove_small(
                self._state_file.parent, now, re.escape(self._state_file.name)
            )

    def _note_clock(self, now: int) -> None:
        """Whether as much time has passed by the wall clock as by the one that cannot be set."""
        at = clock.monotonic()
        is_steady = abs((now - self._wall_at) - (at - self._hourly_at)) < STEADY_WITHIN_S
        self._steady_rounds = self._steady_rounds + 1 if is_steady else 1
        self._hourly_at, self._wall_at = at, now
