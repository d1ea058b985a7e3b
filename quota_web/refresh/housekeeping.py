"""What the schedule tidies up between refreshes, in small pieces, so that no refresh waits for it.

Several processes may do this at the same time; the second one finds less to do.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quota_web import store
from quota_web.core import clock
from quota_web.refresh import hooks

logger = logging.getLogger(__name__)

HOURLY_S = 3_600.0
DAY = 86_400
ACTOR = "retention"
#: Old history goes only after the clock has kept pace for so many hourly rounds: a clock that ran
#: ahead must not make everything old.
STEADY_ROUNDS = 3
STEADY_WITHIN_S = 600.0

Chore = Callable[[], object]


class Prune(Protocol):
    """Deletes history from before a moment, by *actor*, in small pieces until *is_stopped*."""

    def __call__(
        self, before: int, now: int, actor: str, is_stopped: Callable[[], bool]
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class Chores:
    """What other rooms do for the housekeeping; the factory fills it in."""

    #: Deletes the history of deleted accounts, in small pieces until the function says stop.
    purge_deleted: Callable[[Callable[[], bool]], object]
    prune: Prune
    #: Forgets failed sign-ins that no limit counts any more at the given moment.
    forget_failures: Callable[[int], None]
    #: Judges all readings where the present rules have not yet, until the function says stop;
    #: whether they have by now.
    judge_all: Callable[[int, Callable[[], bool]], bool]
    #: Tells what has become true of quota by the time alone.
    settle: Callable[[int], None]
    #: Goes on with sign-ins to ChatGPT that are under way; called every few seconds.
    sign_ins: Callable[[int], None]
    #: Forgets sign-ins that have ended.
    forget_sign_ins: Callable[[int], None]
    #: Makes the backup of the day, where one is wanted.
    back_up: Callable[[int], None]
    #: Renews the sign-in that is due, where one may be renewed now.
    renew_due: Callable[[], object]
    #: Forgets refresh tokens that were used long ago.
    forget_renewals: Callable[[int], None]


class Housekeeping:
    """The chores of one process, and when the hourly ones were done last."""

    def __init__(
        self,
        chores: Chores,
        retention_days: int | None,
        folder: Path | None = None,
        state_file: Path | None = None,
    ) -> None:
        """*folder* is the instance folder; *state_file* may lie in any other one."""
        self._chores, self._retention_days = chores, retention_days
        self._folder, self._state_file = folder, state_file
        self._hourly_at = float("-inf")
        self._wall_at = 0
        self._steady_rounds = 0
        #: Whether all readings from before were judged by these rules.
        self._is_judged = False

    def work(self, now: int, stop: threading.Event) -> None:
        """Do what there is to do, until *stop*: what follows a refresh and deleted accounts'
        history at once, the rest hourly.

        One that fails keeps none of the others from being done and is tried again the next time;
        the first such error is raised when all were tried, others are logged.
        """
        errors: list[Exception] = []
        for chore in self._at_once(now, stop):
            _attempt(chore, errors)
        if clock.monotonic() - self._hourly_at >= HOURLY_S and not stop.is_set():
            self._note_clock(now)
            for chore in self._hourly(now, stop):
                _attempt(chore, errors)
        for error in errors[1:]:
            logger.error("one of the chores failed: %s", error, exc_info=error)
        if errors:
            raise errors[0]

    def _at_once(self, now: int, stop: threading.Event) -> Iterator[Chore]:
        yield hooks.hooks().finished
        yield lambda: self._chores.purge_deleted(stop.is_set)
        if not self._is_judged and not stop.is_set():
            yield lambda: self._judge_all(now, stop)

    def _hourly(self, now: int, stop: threading.Event) -> Iterator[Chore]:
        if self._is_judged:
            yield lambda: self._chores.settle(now)
        if self._retention_days is not None and self._steady_rounds >= STEADY_ROUNDS:
            before = now - self._retention_days * DAY
            yield lambda: self._chores.prune(before, now, ACTOR, stop.is_set)
        yield lambda: self._chores.forget_failures(now)
        yield lambda: self._chores.forget_sign_ins(now)
        yield lambda: self._chores.forget_renewals(now)
        if not stop.is_set():
            yield lambda: self._chores.back_up(now)
        if not stop.is_set():
            yield lambda: self._tidy_up(now)
            yield store.wal_checkpoint.truncate_log

    def _judge_all(self, now: int, stop: threading.Event) -> None:
        self._is_judged = self._chores.judge_all(now, stop.is_set)

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


def _attempt(chore: Chore, errors: list[Exception]) -> None:
    try:
        chore()
    except Exception as error:  # noqa: BLE001 - raised or logged when all chores were tried
        errors.append(error)
