"""What is judged from readings: events and cycles, and the histories they are judged from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened; the words are part of the outside contract."""

    RESET_SCHEDULED = "reset_scheduled"
    RESET_EARLY = "reset_early"
    RESET_BANKED = "reset_banked"
    RESET_PROVIDER = "reset_provider"
    CORRECTED = "corrected"
    BOUNDARY_MOVED = "boundary_moved"
    FLAPPING = "flapping"
    WINDOW_GONE = "window_gone"
    WINDOW_BACK = "window_back"
    USED_UP = "used_up"
    BACK = "back"
    PLAN_CHANGED = "plan_changed"
    CREDIT_GRANTED = "credit_granted"
    CREDIT_USED = "credit_used"
    CREDIT_EXPIRED = "credit_expired"


class How(StrEnum):
    """How a cycle ended."""

    SCHEDULED = "scheduled"
    EARLY = "early"
    BANKED = "banked"
    PROVIDER = "provider"
    PLAN = "plan"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at *at*; *account* is None where it came to all of them."""

    kind: Kind
    account: str | None
    window: str | None
    at: int
    #: Numbers before and after, by the kind.
    data: Mapping[str, Any] = field(default_factory=dict)
    #: The moment from which the readings showed it.
    told_at: int = 0
    #: The moment from which the readings showed that it had not been so.
    withdrawn_at: int | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """One life of a window, from its first use to its reset; percents of use, epoch seconds."""

    window: str
    started_at: int
    #: None while it is open; the same for *used_at_reset* and *wasted*.
    ended_at: int | None
    how: How
    used_at_reset: float | None
    peak: float
    wasted: float | None
    #: When nothing was left for the first time; None where something always was.
    ran_out_at: int | None
    hours_at_zero: float
    readings: int
    #: Seconds between the last reading before its end and the first one after it.
    gap_s: int
    #: Whether that gap is so long that more may have been used than the last reading says.
    is_lower_bound: bool


@dataclass(frozen=True, slots=True)
class WindowReadings:
    """A window's readings, oldest first: taken_at, used percent, resets_at.

    A used percent of None: the window was absent from a complete answer.
    """

    #: None where no answer gave one.
    length_s: int | None
    readings: Sequence[tuple[int, float | None, int | None]]


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """One account's windows, plans and banked resets; facts as (since, value), oldest first."""

    windows: Mapping[str, WindowReadings]
    plan: Sequence[tuple[int, str]] = ()
    reset_credits: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What happened, in the order of time; closed cycles by (account, window), oldest first."""

    events: tuple[Event, ...]
    cycles: Mapping[tuple[str, str], tuple[Cycle, ...]]
    #: Cycles that have not ended, by (account, window); none for a window that is untouched.
    open_cycles: Mapping[tuple[str, str], Cycle]
