"""The values that judging takes and returns: what an account looked like, what was told of it, and
what is told now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quota_web.core import quota
from quota_web.core.quota import Block, Facts, Reading, Status


@dataclass(frozen=True, slots=True)
class AlertState:
    """What is known of one kind of alert for an account or one of its windows."""

    #: The lowest threshold that was reached, in percent left, or another number of the kind.
    level: float | None = None
    #: Counts what was told.
    episode: int = 0
    #: Since when it is told and not over; None: nothing is.
    open_since: int | None = None
    #: Whether it may be told; False until the state before it has come back.
    armed: bool = True
    #: When something was seen first that a second look is to confirm, and its number.
    seen_at: int | None = None
    seen_value: float | None = None


#: A window's key, a credit's id or "" for the whole account; and the kind.
StateKey = tuple[str, str]
States = Mapping[StateKey, AlertState]


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something to tell."""

    kind: str
    #: The window that it is about; "" for the whole account.
    window: str
    #: Counts what was told of its kind, account, window and level.
    episode: int
    at: int
    #: What tells it apart from others of the same kind: a threshold, a step, or the kind it ends.
    level: float | str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


#: The states that are other ones now, and what is to be told.
Verdict = tuple[dict[StateKey, AlertState], list[AlertEvent]]


@dataclass(frozen=True, slots=True)
class Observation:
    """An account as its last attempt left it."""

    status: Status
    #: When its readings were taken; None before the first.
    taken_at: int | None = None
    windows: tuple[Reading, ...] = ()
    facts: Facts = field(default_factory=Facts)

    def window(self, key: str) -> Reading | None:
        return next((w for w in self.windows if w.key == key), None)

    @property
    def block(self) -> Block:
        """Whether the account was blocked when the readings were taken."""
        at = self.taken_at or 0
        return quota.block_state(self.facts, self.windows, at, at)

    @property
    def says_blocked(self) -> bool:
        """Whether the answer itself says so, and not its percents alone."""
        return quota.block_state(self.facts, (), 0, 0).blocked
