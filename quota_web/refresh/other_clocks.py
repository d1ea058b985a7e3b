"""Notices that another machine on the same database has another time.

Two such machines would each find all that the other one did out of date, or from the future, and
ask for every account in each round.
"""

import logging
from collections.abc import Iterable, Sequence

from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.policy import Intervals
from quota_web.store.accounts import Account

logger = logging.getLogger(__name__)

#: How long nothing more is said of it, in seconds.
SAID_FOR_S = 3_600.0


class OtherClocks:
    """When this process asked for which account, by its clock and by a stopwatch that no clock
    moves.
    """

    def __init__(self) -> None:
        self._asked: dict[int, tuple[int, float]] = {}
        self._said_at = float("-inf")

    def note(self, chosen: Iterable[Account], now: int, stopwatch: float) -> None:
        """These are asked for now."""
        for found in chosen:
            self._asked[found.id] = (now, stopwatch)

    def believed(
        self, due: Sequence[Account], pace: Intervals, now: int, stopwatch: float
    ) -> tuple[Account, ...]:
        """*due* without those that are so only because another machine's clock is ahead or behind:
        this process asked for them less than their interval ago.
        """
        doubtful = {
            found.id: ahead
            for found in due
            if (ahead := self._ahead(found, now)) is not None
            and stopwatch - self._asked[found.id][1] < (found.interval_s or pace.idle)
        }
        if doubtful and stopwatch - self._said_at >= SAID_FOR_S:
            self._said_at = stopwatch
            logger.warning(
                "another machine that shares the database has another time (about %+d s): set both "
                "clocks, such as by NTP; until then both ask for each account",
                max(doubtful.values(), key=abs),
            )
        return tuple(found for found in due if found.id not in doubtful)

    def _ahead(self, found: Account, now: int) -> int | None:
        """How far a clock that stored the last attempt is ahead of ours, at least; None where ours
        explains it.
        """
        asked = self._asked.get(found.id)
        if asked is None or found.attempted_at is None:
            return None
        if found.attempted_at < asked[0] - CLOCK_SKEW_S:
            return found.attempted_at - asked[0]
        # One that we stored ourselves before our own clock was put back is no other machine's.
        if found.attempted_at > max(now, asked[0]) + CLOCK_SKEW_S:
            return found.attempted_at - now
        return None
