"""Notices that the clock of another machine on the same database differs from ours.

Each of the two would find all that the other one stored out of date, or from the future, and ask
for every account in each round.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from quota_web.core import clock
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.policy import Intervals
from quota_web.store.accounts import Account

logger = logging.getLogger(__name__)

#: How long nothing more is said of it, in seconds.
SAID_FOR_S = 3_600.0


class Began(NamedTuple):
    """When a run began, by the clock and by a stopwatch that is never set."""

    at: int
    stopwatch: float


class OtherClocks:
    """When this process began the run in which it last stored an answer of which account."""

    def __init__(self) -> None:
        self._asked: dict[int, Began] = {}
        self._said_at = float("-inf")

    def note(self, account_id: int, began: Began) -> None:
        """An answer was stored, by a run that had begun then."""
        self._asked[account_id] = began

    def believed(self, due: Sequence[Account], pace: Intervals, now: int) -> Sequence[Account]:
        """*due* without those that are so only because another machine's clock is ahead or behind:
        this process asked for them less than their interval ago.
        """
        stopwatch = clock.monotonic()
        doubtful = {
            found.id: ahead
            for found in due
            if (ahead := self._ahead(found, now)) is not None
            and stopwatch - self._asked[found.id].stopwatch < (found.interval_s or pace.idle)
        }
        if not doubtful:
            return due
        if stopwatch - self._said_at >= SAID_FOR_S:
            self._said_at = stopwatch
            logger.warning(
                "the clock of another machine that shares the database differs by about %+d s: set "
                "both, such as by NTP; until then both machines ask for each account",
                max(doubtful.values(), key=abs),
            )
        return [found for found in due if found.id not in doubtful]

    def _ahead(self, found: Account, now: int) -> int | None:
        """How far a clock that stored the last attempt is ahead of ours, at least; None where ours
        explains it.
        """
        asked = self._asked.get(found.id)
        if asked is None or found.attempted_at is None:
            return None
        if found.attempted_at < asked.at - CLOCK_SKEW_S:
            return found.attempted_at - asked.at
        # One that we stored ourselves before our own clock was put back is no other machine's.
        if found.attempted_at > max(now, asked.at) + CLOCK_SKEW_S:
            return found.attempted_at - now
        return None
