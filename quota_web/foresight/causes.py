"""One account's facts (plan, banked resets) and the causes they give to its windows' breaks."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from quota_web.foresight.detector_state import HOUR
from quota_web.foresight.event_types import Event, How, Kind
from quota_web.foresight.reset_detection import WindowJudge
from quota_web.foresight.segments import Break, Turn, joined

#: A fact that is seen so long after a break still explains it.
FACT_LAG_S = 2 * HOUR
#: So long the break that a vanished banked reset made may take to be seen; then it has expired.
CREDIT_WAIT_S = 12 * HOUR
#: A moved reset with a greater rise than this is a correction.
CORRECTED_RISE = 5

T = TypeVar("T", str, int)


@dataclass(slots=True)
class Fact(Generic[T]):
    """A value and the moment from which answers gave it."""

    since: int
    value: T
    #: When a break showed that a banked reset had gone because it was used.
    used_at: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """What a break was: the event to tell, and how it ends the cycle; None: not at all."""

    kind: Kind | None
    how: How | None
    #: From when the fact was known that decided it; None where the readings alone did.
    fact_at: int | None = None


@dataclass(slots=True)
class AccountJudge:
    """One account after its answers so far; the first plan and the first count are no changes."""

    windows: dict[str, WindowJudge] = field(default_factory=dict)
    plans: list[Fact[str]] = field(default_factory=list)
    credits: list[Fact[int]] = field(default_factory=list)
    #: Events of facts up to then have been handed out for good.
    settled_to: int = -1

    def window(self, key: str, length_s: int | None) -> WindowJudge:
        """The judge of the window *key*, made where there is none yet; *length_s* may change."""
        window = self.windows.setdefault(key, WindowJudge(length_s))
        window.length_s = length_s or window.length_s
        return window

    def feed_plan(self, at: int, plan: str) -> None:
        """Take up the plan that an answer at *at* named; before the answer's readings or after."""
        _take_up(self.plans, at, plan)

    def feed_credits(self, at: int, count: int) -> None:
        """Take up how many banked resets an answer at *at* counted."""
        _take_up(self.credits, at, count)

    def facts_to_json(self) -> str:
        """The facts as JSON; each window has its own."""
        plans = [[fact.since, fact.value] for fact in self.plans]
        credits = [[fact.since, fact.value, fact.used_at] for fact in self.credits]
        return json.dumps([self.settled_to, plans, credits], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "AccountJudge":
        """Go on with stored facts; the windows' judges are put back by the caller."""
        settled_to, plans, credits = json.loads(text)
        return cls(
            plans=[Fact(*values) for values in plans],
            credits=[Fact(*values) for values in credits],
            settled_to=settled_to,
        )

    def cause(self, broke: Break) -> Cause:
        """What *broke* was, as far as this account alone can tell."""
        if broke.turn is Turn.SCHEDULED:
            return Cause(Kind.RESET_SCHEDULED, How.SCHEDULED)
        if broke.turn is Turn.UNTOUCHED:
            return Cause(None, None)
        if (plan := _between(self.plans[1:], broke)) is not None:
            return Cause(None, How.PLAN if broke.moved else None, plan.since)
        if broke.turn is Turn.MOVED:
            is_correction = broke.first.used - broke.before.used > CORRECTED_RISE
            return Cause(Kind.CORRECTED if is_correction else Kind.BOUNDARY_MOVED, None)
        if (credit := _between(self._falls(), broke)) is not None:
            return Cause(Kind.RESET_BANKED, How.BANKED, credit.since)
        return Cause(Kind.RESET_EARLY, How.EARLY)

    def fact_events(self, account: str, now: int) -> Iterator[tuple[int, Event]]:
        """Events of plans and banked resets, each with the moment its fact was known."""
        for before, after in pairwise(self.plans):
            kind = Kind.PLAN_CHANGED
            yield after.since, _event(kind, account, before, after, after.since)
        used = self._used_credits(b for window in self.windows.values() for b in window.breaks)
        for less, more in pairwise(self.credits):
            at, late = more.since, more.since + CREDIT_WAIT_S
            if more.value > less.value:
                yield at, _event(Kind.CREDIT_GRANTED, account, less, more, at)
            elif at in used:
                yield at, _event(Kind.CREDIT_USED, account, less, more, used[at])
            elif now >= late:
                yield at, _event(Kind.CREDIT_EXPIRED, account, less, more, late)

    def used_at(self, moment: int) -> bool:
        """Whether more than 1 % of a window was used at *moment*."""
        return any(window.over_at(moment) for window in self.windows.values())

    def settle(self, until: int) -> None:
        """Forget what was told by *until*, and the facts that no break can need any more."""
        settled = {key: window.settle(until) for key, window in self.windows.items()}
        used = self._used_credits(broke for breaks in settled.values() for broke in breaks)
        for fact in self.credits:
            fact.used_at = used.get(fact.since)
        for key, breaks in settled.items():
            window = self.windows[key]
            for broke in breaks:
                ends = self.cause(broke).how is not None or broke.turn is Turn.UNTOUCHED
                window.carried = None if ends else joined(window.carried, broke.before)
        self.settled_to = max(until, self.settled_to)
        needed_from = min([until, *self._compared_at()])
        _forget(self.plans, needed_from)
        _forget(self.credits, needed_from)

    def _falls(self) -> list[Fact[int]]:
        return [after for before, after in pairwise(self.credits) if after.value < before.value]

    def _used_credits(self, breaks: Iterable[Break]) -> dict[int, int]:
        """When it showed, by the moment of the fall, that banked resets had gone because of use."""
        used = {f.since: f.used_at for f in self.credits if f.used_at is not None}
        for broke in breaks:
            cause, told_at = self.cause(broke), broke.told_at
            at = cause.fact_at if cause.how is How.BANKED else None
            if at is not None and told_at <= at + CREDIT_WAIT_S:
                used[at] = min(used.get(at, told_at), told_at)
        return used

    def _compared_at(self) -> Iterator[int]:
        """The believed readings after which a fact may still explain a break."""
        for window in self.windows.values():
            yield from (broke.before.at for broke in window.breaks + window.withdrawn)
            if window.segment is not None:
                yield window.segment.at


def _take_up(facts: list[Fact[T]], at: int, value: T) -> None:
    if not facts or facts[-1].value != value:
        facts.append(Fact(at, value))


def _between(facts: Iterable[Fact[T]], broke: Break) -> Fact[T] | None:
    """The first of *facts* that came between the readings around *broke*, or soon after them."""
    last = broke.first.at + FACT_LAG_S
    return next((f for f in facts if broke.before.at < f.since <= last), None)


def _forget(facts: list[Fact[T]], needed_from: int) -> None:
    """Drop facts from the front; the first that stays is where things stood, no change any more."""
    while len(facts) > 1 and facts[1].since <= needed_from:
        del facts[0]


def _event(kind: Kind, account: str, before: Fact[T], after: Fact[T], told_at: int) -> Event:
    data = {"before": before.value, "after": after.value}
    return Event(kind, account, None, after.since, data, max(after.since, told_at))
