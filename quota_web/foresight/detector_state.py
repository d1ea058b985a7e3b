"""What a judge of one window keeps between readings, and its form as a little JSON."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from quota_web.foresight.segments import (
    Break,
    Measurement,
    Note,
    Rise,
    Run,
    Segment,
    break_from,
    rises_from,
)

#: Rises with the rules, so that what an older version stored is made again from readings.
VERSION = 1
HOUR = 3_600
#: A silence that ends a run: whether a window was read at a moment is known to this.
RUN_GAP_S = 6 * HOUR


class WindowMemory:
    """All that is known of one window after its readings so far."""

    def __init__(self, length_s: int | None) -> None:
        self.length_s = length_s or 0
        #: The believed readings that the next one is compared with; None before the first.
        self.segment: Segment | None = None
        #: Jumps of its used percent that may still prove to be flaps.
        self.rises: list[Rise] = []
        #: Odd readings that wait for a second one, and when the first was taken.
        self.odd: list[Measurement] = []
        self.odd_since = 0
        self.last_odd_at = 0
        self.absent_since = 0
        self.absences = 0
        #: When the last flap's last odd reading was taken, and what its first one said.
        self.flapped_at: int | None = None
        self.flap: Measurement | None = None
        #: The usual distance of the readings in seconds, from the last cycle that had enough.
        self.usual_s: float | None = None
        self.breaks: list[Break] = []
        self.withdrawn: list[Break] = []
        self.notes: list[Note] = []
        self.runs: list[Run] = []
        #: What belongs to the open cycle, from before the breaks that are kept.
        self.carried: Segment | None = None

    def to_json(self) -> str:
        """Everything as JSON; a few hundred bytes, some thousand after a wild day."""
        odd = [list(reading) for reading in self.odd]
        scalars = [self.odd_since, self.last_odd_at, self.absent_since, self.absences]
        lists: list[Sequence[Rise | Break | Note | Run]] = [
            self.rises,
            self.breaks,
            self.withdrawn,
            self.notes,
            self.runs,
        ]
        values = [
            VERSION,
            self.length_s,
            _values(self.segment),
            _values(self.carried),
            odd,
            self.flap,
            [*scalars, self.flapped_at, self.usual_s],
            *([item.values() for item in items] for items in lists),
        ]
        return json.dumps(values, separators=(",", ":"))

    def read_json(self, text: str) -> None:
        """Take up what `to_json` wrote. Raises ValueError where another version did."""
        values: Any = json.loads(text)
        if not isinstance(values, list) or not values or values[0] != VERSION:
            raise ValueError("the stored state is of another version; judge the readings again")
        _, self.length_s, segment, carried, odd, flap, scalars, *lists = values
        self.segment, self.carried = _segment(segment), _segment(carried)
        self.odd = [Measurement(*reading) for reading in odd]
        self.flap = None if flap is None else Measurement(*flap)
        self.odd_since, self.last_odd_at, self.absent_since, self.absences = scalars[:4]
        self.flapped_at, self.usual_s = scalars[4:]
        rises, breaks, withdrawn, notes, runs = lists
        self.rises = rises_from(rises)
        self.breaks = [break_from(values) for values in breaks]
        self.withdrawn = [break_from(values) for values in withdrawn]
        self.notes = [Note(*values) for values in notes]
        self.runs = [Run(*values) for values in runs]

    def last_at(self) -> int:
        """When the last reading was taken, believed or odd; 0 before the first."""
        return max(self.segment.at, self.last_odd_at) if self.segment else 0

    def over_at(self, moment: int) -> bool | None:
        """Whether more than 1 % was used at *moment*; None where nothing was read around it."""
        runs = self.runs
        index = bisect_right(runs, moment, key=attrgetter("start")) - 1
        if index < 0:
            return None
        run, after = runs[index], runs[index + 1] if index + 1 < len(runs) else None
        last = run.last if after or self.segment is None else max(run.last, self.segment.at)
        is_read = last >= moment - 24 * HOUR or (after and after.start <= moment + RUN_GAP_S)
        return run.over if is_read else None

    def note_run(self, at: int, over: bool) -> None:
        """Note whether more than 1 % was used at *at*, before the segment takes that in."""
        if self.segment is not None and self.runs:
            last = self.runs[-1]
            last.last = max(last.last, self.segment.at)
            if last.over == over and at - last.last <= RUN_GAP_S:
                return
        self.runs.append(Run(at, at, over))

    def settle(self, until: int) -> list[Break]:
        """Forget what was told by *until* and can change no more; return the breaks among it."""
        count = next((i for i, b in enumerate(self.breaks) if b.told_at > until), len(self.breaks))
        settled, self.breaks = self.breaks[:count], self.breaks[count:]
        self.withdrawn = [b for b in self.withdrawn if b.told_at > until]
        self.notes = [n for n in self.notes if n.told_at > until]
        self.runs = [r for r in self.runs[:-1] if r.last > until - 48 * HOUR] + self.runs[-1:]
        return settled


def _values(segment: Segment | None) -> list[Any] | None:
    return None if segment is None else segment.values()


def _segment(values: list[Any] | None) -> Segment | None:
    return None if values is None else Segment(*values)
