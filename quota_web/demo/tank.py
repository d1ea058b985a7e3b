"""One window of an invented account as it fills and resets, and what was read of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from quota_web.core import quota
from quota_web.core.quota import Spend
from quota_web.demo.personas import Limit
from quota_web.demo.surprises import Surprises

DAY = 86_400
SPEND_LIMIT = 15_000


@dataclass(slots=True)
class Track:
    """One window's readings in columns.

    A used percent of None marks the moment at which the window was gone.
    """

    key: str
    length_s: int | None
    upstream_name: str | None = None
    at: list[int] = field(default_factory=list)
    used: list[float | None] = field(default_factory=list)
    resets_at: list[int | None] = field(default_factory=list)
    spend: Spend | None = None


class Tank:
    """One window as it fills and resets."""

    def __init__(self, limit: Limit, start: int, rng: Random, told: Surprises) -> None:
        self.limit = limit
        self.track = Track(limit.key, limit.length_s, limit.upstream_name)
        self.is_lost = False
        self._told, self._early_before = told, start
        self._is_own = quota.is_own(limit.key)
        #: 0 while nothing of it is used.
        self._used, self._resets_at = 0.0, 0
        if limit.length_s is not None and limit.length_s > DAY:
            # Somewhere in the middle: otherwise the weeks of all accounts would begin together.
            self._used, self._resets_at = rng.uniform(0, 60), start + rng.randrange(limit.length_s)

    def blocks_until(self) -> int:
        """When the account can be used again, as far as this window goes; 0 where it can be."""
        return self._resets_at if self._is_own and self._used >= 100 else 0

    def draw(self, amount: float, at: int) -> bool:
        """Use up *amount* by *at*; whether the shown percent rose."""
        is_early = self._is_reset_early(at)
        if at >= self._resets_at or is_early:
            self._used, self._resets_at = 0.0, 0
        if not self._resets_at and (amount or self.limit.length_s is None):
            self._resets_at = self._next_reset(at)
        before = int(self._used)
        if amount:
            self._used = min(100.0, self._used + amount * self.limit.share)
        return int(self._used) > before

    def note(self, at: int) -> None:
        """Write down what an answer says now; an untouched window's reset slides along."""
        track = self.track
        track.at.append(at)
        if self._flaps(at):
            track.used.append(0)
            track.resets_at.append(self._next_reset(at))
            return
        track.used.append(int(self._used))
        track.resets_at.append(self._resets_at or self._next_reset(at))

    def _is_reset_early(self, at: int) -> bool:
        before, self._early_before = self._early_before, at
        is_due = self._is_own and self.limit.length_s is not None
        return is_due and any(before < moment <= at for moment in self._told.early_at)

    def _flaps(self, at: int) -> bool:
        """Whether answers show an unused window for a while, and then what was again."""
        is_long = self.limit.length_s is not None and self.limit.length_s > DAY
        shown = (start <= at < end for start, end in self._told.flaps)
        return is_long and self._used > 1 and at < self._resets_at and any(shown)

    def lose(self, at: int) -> None:
        self.is_lost = True
        self._used = 0.0
        self.track.at.append(at)
        self.track.used.append(None)
        self.track.resets_at.append(None)

    def _next_reset(self, at: int) -> int:
        if self.limit.length_s is not None:
            return at + self.limit.length_s
        day = datetime.fromtimestamp(at, UTC)
        return int(
            datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC).timestamp()
        )

    def spend(self) -> Spend | None:
        return (
            Spend(str(SPEND_LIMIT), f"{SPEND_LIMIT * self._used / 100:.2f}", None)
            if self.limit.length_s is None
            else None
        )
