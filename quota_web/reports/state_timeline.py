"""Which state each account was in over time: can be used, low, used up, not known, paused.

Read from rollups, facts, cycles, attempts and pauses; the number of queries is the same for any
number of accounts.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import quota
from quota_web.core.quota import Facts, Reading, Status
from quota_web.core.series import Axis
from quota_web.reports.lanes import Drawn, held, is_coarse, windows_over
from quota_web.reports.pauses import Span, pauses
from quota_web.store.accounts import Account, Scope
from quota_web.store.attempts import AttemptRun

#: Below this a window is low, in percent left.
LOW_PERCENT = 15


class ShownState(StrEnum):
    """What an account was good for at a moment."""

    USABLE = "usable"
    LOW = "low"
    USED_UP = "used_up"
    UNKNOWN = "unknown"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class StateRun:
    """Slots of one state in a row: from *start* up to before *end*."""

    start: int
    end: int
    state: ShownState


@dataclass(frozen=True, slots=True)
class StateTimeline:
    """One account's states over the axis; before its first reading there are none."""

    account: str
    runs: tuple[StateRun, ...]

    def share(self, state: ShownState) -> float | None:
        """The part of the slots in that state; None where there are none at all."""
        whole = sum(run.end - run.start for run in self.runs)
        those = sum(run.end - run.start for run in self.runs if run.state is state)
        return those / whole if whole else None


def load_all(scope: Scope, axis: Axis, carry_s: int, now: int) -> dict[str, StateTimeline]:
    """The timelines of all accounts, by name."""
    with store.database.reading() as conn:
        accounts = store.accounts.list_all(conn, scope)
        return {one.account: one for one in load(conn, accounts, axis, carry_s, now)}


def load(
    conn: Connection, accounts: Sequence[Account], axis: Axis, carry_s: int, now: int
) -> list[StateTimeline]:
    """The timelines of these accounts, in their order."""
    ids = [a.id for a in accounts]
    drawn = windows_over(conn, ids, axis, carry_s)
    facts = store.windows.facts_over(conn, ids, axis.end)
    runs = store.attempts.runs(conn, ids, axis.start, axis.end)
    paused = pauses(conn, accounts, now)
    coarse = [w.window_id for those in drawn.values() for w in those if is_coarse(w.key, axis.step)]
    dry = _dry_spans(conn, coarse, axis)
    return [
        StateTimeline(
            a.name,
            tuple(
                _in_runs(
                    _States(
                        axis,
                        drawn.get(a.id, ()),
                        facts.get(a.id, ()),
                        _answered(runs.get(a.id, ()), carry_s),
                        paused.get(a.id, ()),
                        dry,
                        now,
                    ).of_slots()
                )
            ),
        )
        for a in accounts
    ]


def _dry_spans(conn: Connection, window_ids: Sequence[int], axis: Axis) -> dict[int, list[Span]]:
    """When windows that are too short for the axis were used up, by their closed cycles."""
    if not window_ids:
        return {}
    ends = store.event_log.cycle_ends(conn, window_ids, axis.start, axis.end, only_dry=True)
    return {
        window_id: [(c.ran_out_at, c.ended_at) for c in those if c.ran_out_at is not None]
        for window_id, those in ends.items()
    }


def _answered(runs: Iterable[AttemptRun], carry_s: int) -> list[Span]:
    """When answers came: each holds as long as a reading would, and so does the time between them
    where they are close enough.
    """
    spans: list[Span] = []
    for run in runs:
        if run.status != Status.OK:
            continue
        if run.last_at - run.first_at <= carry_s * (run.count - 1):
            spans.append((run.first_at, run.last_at + carry_s))
        else:
            spans += [(run.first_at, run.first_at + carry_s), (run.last_at, run.last_at + carry_s)]
    return spans


@dataclass(frozen=True, slots=True)
class _States:
    """What tells one account's state."""

    axis: Axis
    drawn: Sequence[Drawn]
    #: Since when which facts hold, oldest first.
    facts: Sequence[tuple[int, Facts]]
    #: When answers came; of an account that has windows these tell it.
    answered: Sequence[Span]
    paused: Sequence[Span]
    dry: Mapping[int, Sequence[Span]]
    now: int

    def of_slots(self) -> Iterator[ShownState | None]:
        """The state of each slot; None before anything was known."""
        columns = list(self._columns())
        places = self._facts_of_slots()
        coarse = [is_coarse(one.key, self.axis.step) for one in self.drawn]
        answered, paused = self._covered(self.answered), self._covered(self.paused)
        has_begun = any(one.is_older for one in self.drawn)
        blocked: dict[tuple[int, tuple[bool, ...]], bool] = {}
        for slot in range(len(self.axis)):
            left = [column[slot] for column in columns]
            is_known = any(v is not None for v in left) if columns else slot in answered
            has_begun = has_begun or is_known
            if slot in paused:
                yield ShownState.PAUSED
            elif not is_known:
                yield ShownState.UNKNOWN if has_begun else None
            else:
                yield self._known(places[slot], left, coarse, blocked)

    def _columns(self) -> Iterator[Sequence[float | None]]:
        """Each window's percent left; of one too short for the axis whether it was used up for
        most of a slot.
        """
        for one in self.drawn:
            others = [w.columns.remaining for w in self.drawn if w is not one]
            column: Sequence[float | None] = one.columns.remaining
            if is_coarse(one.key, self.axis.step):
                column = self._dry_most(one)
            for other in others:
                column = held(column, other)
            yield column

    def _dry_most(self, one: Drawn) -> list[float | None]:
        dry = self._covered(self.dry.get(one.window_id, ()))
        return [
            None if value is None else 0.0 if slot in dry else 100.0
            for slot, value in enumerate(one.columns.remaining)
        ]

    def _known(
        self,
        places: tuple[int, int],
        left: Sequence[float | None],
        coarse: Sequence[bool],
        blocked: dict[tuple[int, tuple[bool, ...]], bool],
    ) -> ShownState:
        exhausted = tuple(value is not None and value <= 0 for value in left)
        # A window that is used up at a slot's end is so by the answer of its end.
        is_last = any(out and not c for out, c in zip(exhausted, coarse, strict=True))
        place = places[is_last]
        if (place, exhausted) not in blocked:
            blocked[place, exhausted] = self._is_blocked(place, exhausted)
        if blocked[place, exhausted]:
            return ShownState.USED_UP
        is_low = any(value is not None and 0 < value < LOW_PERCENT for value in left)
        return ShownState.LOW if is_low else ShownState.USABLE

    def _is_blocked(self, place: int, exhausted: Sequence[bool]) -> bool:
        facts = self.facts[place - 1][1] if place else Facts()
        windows = [
            Reading(one.key, 100.0 if is_out else 0.0, None, None)
            for one, is_out in zip(self.drawn, exhausted, strict=True)
        ]
        return quota.block_state(facts, windows, 0, 0).blocked

    def _covered(self, spans: Iterable[Span]) -> set[int]:
        """The slots of which spans cover at least half, as far as they are past."""
        start, step = self.axis.start, self.axis.step
        seconds: dict[int, int] = defaultdict(int)
        for since, until in spans:
            first, last = (since - start) // step, (until - 1 - start) // step
            for slot in range(max(0, first), min(len(self.axis) - 1, last) + 1):
                at = start + slot * step
                seconds[slot] += min(at + step, until) - max(at, since)
        past = self.now + 1 - start
        return {
            slot
            for slot, covered in seconds.items()
            if covered * 2 >= max(1, min(step, past - slot * step))
        }

    def _facts_of_slots(self) -> list[tuple[int, int]]:
        """For each slot how many facts were known by the one that holds for its longest part, and
        at its end.
        """
        since = [at for at, _ in self.facts]
        found = []
        for at in self.axis.times():
            end = at + self.axis.step
            first, last = bisect_right(since, at), bisect_right(since, end - 1)
            longest = first
            if last > first:
                bounds = [at, *since[first:last], end]
                lengths = [until - begin for begin, until in pairwise(bounds)]
                longest = first + max(range(len(lengths)), key=lengths.__getitem__)
            found.append((longest, last))
        return found


def _in_runs(states: Iterable[ShownState | None]) -> Iterator[StateRun]:
    start, before = 0, None
    slot = 0
    for slot, state in enumerate([*states, None]):
        if state is not before:
            if before is not None:
                yield StateRun(start, slot, before)
            start, before = slot, state
