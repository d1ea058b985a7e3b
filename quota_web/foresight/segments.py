"""Stretches of readings that agree, and the breaks between them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

#: A reset that moved by no more than this many seconds is the same one.
SAME_RESET_S = 180
#: An old state is back where used stands between so much below and so much above it.
BELOW, ABOVE = 1, 5


class Measurement(NamedTuple):
    """One measured reading; *untouched*: hardly used, with a full length ahead."""

    at: int
    used: float
    resets_at: int
    untouched: bool


class Turn(StrEnum):
    """What the readings alone say about a break; its cause is for `causes.py`."""

    SCHEDULED = "s"
    #: Used fell, long before it was due.
    RESET = "r"
    #: The reset moved and used did not fall.
    MOVED = "m"
    #: Hardly used and then untouched: nothing happened.
    UNTOUCHED = "u"


@dataclass(slots=True)
class Segment:
    """Believed readings in a row that agree; corrections join several to one cycle."""

    #: None while untouched.
    started_at: int | None
    #: The earliest moment at which it can have started.
    since: int
    first_at: int
    at: int
    used: float
    resets_at: int
    untouched: bool
    peak: float
    readings: int = 1
    ran_out_at: int | None = None
    zero_s: int = 0
    #: The greatest rise between two neighbours.
    step: float = 0
    #: Nothing is left, and that was said.
    exhausted: bool = False
    #: Its one reading came first after a scheduled reset, and none has agreed with it yet.
    fresh: bool = False
    #: It still announces the reset that has passed.
    stale: bool = False
    #: Its reset slides although something is used.
    sliding: bool = False
    #: Until then a fall belongs to the scheduled reset that moved the boundary alone.
    lags_until: int = 0
    #: Until then it may prove to be the flap that it looks like, and the scheduled reset to be
    #: another.
    doubtful_until: int = 0

    def same_reset(self, reading: Measurement) -> bool:
        moved = reading.resets_at - self.resets_at
        most = SAME_RESET_S + (reading.at - self.at if self.sliding else 0)
        return -SAME_RESET_S <= moved <= most

    def is_state_of(self, reading: Measurement) -> bool:
        """Whether *reading* shows the state that this segment ended in."""
        if self.untouched:
            return reading.untouched
        return self.same_reset(reading) and self.used - BELOW <= reading.used <= self.used + ABOVE

    def copy(self) -> "Segment":
        return replace(self)

    def values(self) -> list[Any]:
        return list(_values_of(self))


# Four states of two windows each are written a batch: asked for one by one, these were most of it.
_values_of = attrgetter(*Segment.__slots__)


@dataclass(slots=True)
class Rise:
    """A jump of used with the same reset: a flap, where it soon falls back to *before*."""

    at: int
    points: float
    before: Segment

    def values(self) -> list[Any]:
        return [self.at, self.points, self.before.values()]


@dataclass(slots=True)
class Break:
    """The moment *at* which one segment ended and another began."""

    turn: Turn
    #: When it happened: the due moment, or the first reading of the new state.
    at: int
    told_at: int
    first: Measurement
    #: The usual distance of the readings, in seconds; None where there were too few.
    usual_s: float | None
    before: Segment
    rises: list[Rise] = field(default_factory=list)
    withdrawn_at: int | None = None

    @property
    def moved(self) -> bool:
        return not self.before.same_reset(self.first)

    def values(self) -> list[Any]:
        rises = [rise.values() for rise in self.rises]
        end = [self.before.values(), rises, self.withdrawn_at]
        return [self.turn.value, self.at, self.told_at, list(self.first), self.usual_s, *end]


@dataclass(slots=True)
class Note:
    """An event of one window that needs no cause: its kind's word, its moment, and what to say."""

    kind: str
    at: int
    told_at: int
    data: dict[str, Any]
    withdrawn_at: int | None = None

    def values(self) -> list[Any]:
        return [self.kind, self.at, self.told_at, self.data, self.withdrawn_at]


@dataclass(slots=True)
class Run:
    """A time without long gaps in which more than 1 % was used throughout, or never."""

    start: int
    last: int
    over: bool

    def values(self) -> list[Any]:
        return [self.start, self.last, self.over]


def rises_from(values: Iterable[list[Any]]) -> list[Rise]:
    return [Rise(at, points, Segment(*before)) for at, points, before in values]


def break_from(values: list[Any]) -> Break:
    turn, at, told_at, first, usual_s, before, rises, withdrawn_at = values
    segment = Segment(*before)
    first = Measurement(*first)
    return Break(Turn(turn), at, told_at, first, usual_s, segment, rises_from(rises), withdrawn_at)


def joined(earlier: Segment | None, later: Segment) -> Segment:
    """Two segments of one cycle as one: the later one's end, what both add up to."""
    if earlier is None or earlier.started_at is None:
        return later
    return replace(
        later,
        started_at=earlier.started_at,
        first_at=earlier.first_at,
        peak=max(earlier.peak, later.peak),
        readings=earlier.readings + later.readings,
        ran_out_at=later.ran_out_at if earlier.ran_out_at is None else earlier.ran_out_at,
        zero_s=earlier.zero_s + later.zero_s,
    )
