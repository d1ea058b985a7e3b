"""What several accounts still give while work is spread over them by the rule that chooses the next
one. Pure but for its own state, which a caller lives through from one moment to the next.

Points are percents of a Plus week.
"""

from collections.abc import Sequence
from math import inf

from quota_web.foresight.choose import Candidate, choose
from quota_web.foresight.history import DAY, HOUR

FIVE_HOURS, WEEK = 5 * HOUR, 7 * DAY
#: Less is nothing: what rounding leaves.
LEAST_POINTS = 1e-6


class _Tank:
    """One account's windows; a window that has not started has no reset."""

    __slots__ = (
        "candidate",
        "capacity",
        "five",
        "five_full",
        "five_resets_at",
        "last_used_at",
        "name",
        "next_reset",
        "week",
        "week_full",
        "week_resets_at",
    )

    def __init__(self, account: Candidate, name: str, exchange: float) -> None:
        self.name, self.capacity = name, account.capacity
        self.week_full = 100 * account.capacity
        self.five_full = self.week_full * exchange
        self.week = (100 - account.weekly_used) * account.capacity
        used = account.five_hour_used
        self.five = inf if used is None else (100 - used) * account.capacity * exchange
        self.week_resets_at = account.weekly_resets_at or inf
        self.five_resets_at = account.five_hour_resets_at or inf
        self.last_used_at = account.last_used_at
        self._changed()

    def refill(self, at: float) -> None:
        if self.next_reset > at:
            return
        if self.week_resets_at <= at:
            self.week, self.week_resets_at = self.week_full, inf
        if self.five_resets_at <= at:
            self.five, self.five_resets_at = self.five_full, inf
        self._changed()

    def take(self, points: float, at: int) -> float:
        """As much of *points* as there is; the first use starts a window."""
        taken = min(points, self.week, self.five)
        self.week -= taken
        self.week_resets_at = min(self.week_resets_at, at + WEEK)
        if self.five < inf:
            self.five -= taken
            self.five_resets_at = min(self.five_resets_at, at + FIVE_HOURS)
        self.last_used_at = at
        self._changed()
        return taken

    def _changed(self) -> None:
        """Work out what is asked of all accounts each time; few change between two choices."""
        self.next_reset = min(self.week_resets_at, self.five_resets_at)
        #: None while nothing is left.
        self.candidate = self._as_candidate()

    def _as_candidate(self) -> Candidate | None:
        if min(self.week, self.five) <= LEAST_POINTS:
            return None
        has_five = self.five < inf
        return Candidate(
            self.name,
            self.capacity,
            100 - 100 * self.five / self.five_full if has_five else None,
            None if self.five_resets_at == inf else int(self.five_resets_at),
            100 - 100 * self.week / self.week_full,
            None if self.week_resets_at == inf else int(self.week_resets_at),
            self.last_used_at,
        )


class Supply:
    """The accounts of a pool and the one in use.

    *need* is what a quarter of an hour of work may take, in percent of a Plus five-hour window;
    *exchange* how many weekly points one five-hour point costs.
    """

    def __init__(self, accounts: Sequence[Candidate], need: float, exchange: float) -> None:
        self._tanks = [
            _Tank(account, str(position), exchange) for position, account in enumerate(accounts)
        ]
        self._need, self._exchange = need, exchange
        self._in_use: _Tank | None = None
        self._next_reset = -inf

    def spend(self, points: float, at: int) -> float:
        """What of *points* no account could give."""
        if self._next_reset <= at:
            for tank in self._tanks:
                tank.refill(at)
            self._next_reset = min(tank.next_reset for tank in self._tanks)
        while points > LEAST_POINTS:
            if self._in_use is None or self._in_use.candidate is None:
                self._in_use = self._chosen(at)
            if self._in_use is None:
                break
            points -= self._in_use.take(points, at)
            self._next_reset = min(self._next_reset, self._in_use.next_reset)
        return max(0.0, points)

    def is_any_left(self, at: int) -> bool:
        """Whether an account can be used *at* that moment."""
        for tank in self._tanks:
            tank.refill(at)
        return any(tank.candidate is not None for tank in self._tanks)

    def look_again(self, at: int) -> None:
        """Choose anew, though the account in use still gives."""
        self._in_use = self._chosen(at)

    def _chosen(self, at: int) -> _Tank | None:
        usable = [tank.candidate for tank in self._tanks if tank.candidate is not None]
        current = None if self._in_use is None else self._in_use.name
        name = choose(usable, at, current, self._need, self._exchange).name
        return None if name is None else self._tanks[int(name)]
