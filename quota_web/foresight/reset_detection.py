"""Judging one window's readings, a few at a time: what is believed, what waits, what broke.

1. A reading without a reset is a placeholder; absent from two answers in a row, it has gone.
2. The same reset and no fall: the same cycle. Hardly used and a full length ahead: untouched.
3. From just before it was due, a moved reset or a lower use is the scheduled reset.
4. Any other break waits for a second reading. If the old state comes back first, it was a flap; if
   it comes back later, yet soon enough, what had been made of the break is withdrawn.

Facts of the account (plans, banked resets) and other accounts are no business of this file: they
give a break its cause in `causes.py`.
"""

from collections.abc import Iterable

from quota_web.foresight.detector_state import HOUR, RUN_GAP_S, WindowMemory
from quota_web.foresight.event_types import Kind
from quota_web.foresight.segments import (
    ABOVE,
    BELOW,
    SAME_RESET_S,
    Break,
    Measurement,
    Note,
    Rise,
    Segment,
    Turn,
)

#: Untouched: at most so much used, and a reset this near to a full length ahead.
UNTOUCHED_USED, UNTOUCHED_S = 1, 300
#: So long before it is due a reset may show already.
DUE_EARLY_S = 90
#: A fall of so many points breaks the cycle; a smaller one is the provider's rounding.
FALL = 5
#: A second reading agrees no sooner than this.
AGREES_AFTER_S = 60
#: How long an old state may come back, and how long a quiet time ends an episode of flapping.
RETURN_S = 12 * HOUR
#: A scheduled reset may move the boundary first and empty the window so much later.
LAG_S = 2 * HOUR
#: So many odd states wait side by side.
MOST_ODD = 3


class WindowJudge(WindowMemory):
    """Judges one window's readings; whole or in pieces, they come to the same."""

    @classmethod
    def from_json(cls, text: str) -> "WindowJudge":
        """Go on where `to_json` stopped. Raises ValueError for the state of another version."""
        judge = cls(None)
        judge.read_json(text)
        return judge

    def feed(self, readings: Iterable[tuple[int, float | None, int | None]]) -> None:
        """Judge more readings (taken_at, used percent or None: absent, resets_at), oldest first."""
        steady = self._steady()
        length = self.length_s
        for at, used, resets_at in readings:
            # Nearly all readings just go on. A year of minutes is judged in this loop, so it is
            # spelled out; whatever is not that plain, and only that, is left to `_take`.
            if steady is None or used is None or not resets_at:
                pass
            elif 0 <= at - steady.at <= RUN_GAP_S:
                if steady.untouched:
                    slid = -UNTOUCHED_S <= resets_at - at - length <= UNTOUCHED_S
                    if used <= UNTOUCHED_USED and slid:
                        steady.at, steady.used, steady.resets_at = at, used, resets_at
                        continue
                elif (
                    -SAME_RESET_S <= resets_at - steady.resets_at <= SAME_RESET_S
                    and UNTOUCHED_USED < steady.used <= used < 100
                    and (rise := used - steady.used) < FALL
                ):
                    if rise:
                        steady.used = used
                        if used > steady.peak:
                            steady.peak = used
                        if rise > steady.step:
                            steady.step = rise
                    steady.at, steady.resets_at = at, resets_at
                    steady.readings += 1
                    continue
            self._take(at, used, resets_at)
            steady = self._steady()

    def _steady(self) -> Segment | None:
        """The present segment, where the next reading will most probably just continue it."""
        s = self.segment
        if s is None or self.odd or self.absences or s.fresh or s.stale or s.sliding:
            return None
        return s

    def _take(self, at: int, used: float | None, resets_at: int | None) -> None:
        if used is None:
            self._absent(at)
        elif resets_at and resets_at > 0 and at >= self.last_at():
            if self.absences > 1:
                self.notes.append(Note(Kind.WINDOW_BACK, at, at, {"used": used}))
            self.absences = 0
            slid = abs(resets_at - at - self.length_s) <= UNTOUCHED_S and self.length_s > 0
            self._measured(Measurement(at, used, resets_at, used <= UNTOUCHED_USED and slid))

    def _absent(self, at: int) -> None:
        if self.segment is None or at < self.last_at():
            return
        self.absences += 1
        if self.absences == 1:
            self.absent_since = at
        elif self.absences == 2:
            data = {"used": self.segment.used}
            self.notes.append(Note(Kind.WINDOW_GONE, self.absent_since, at, data))

    def _measured(self, reading: Measurement) -> None:
        segment = self.segment
        if segment is None:
            first = self._begin(reading, reading.at - self.length_s, reading.at)
            self._note_exhaustion(first, reading.at, reading.at)
        elif self._shows_passed_reset(segment, reading):
            return
        elif self.odd and segment.is_state_of(reading):
            in_time = segment.untouched or reading.at < segment.resets_at
            if in_time and reading.at - self.odd_since <= RETURN_S:
                self._flap(self.odd_since, self.odd[0], reading.at)
            is_fresh = segment.fresh
            self._believe(segment, reading)
            segment.fresh = is_fresh
        elif self._falls_back(segment, reading) or self._returns(segment, reading):
            return
        elif not self._agrees(segment, reading):
            self._compare(segment, reading)

    def _compare(self, segment: Segment, reading: Measurement) -> None:
        """Judge *reading* by the last believed one alone."""
        if self._continues(segment, reading):
            self._believe(segment, reading)
        elif segment.untouched:
            self._wait(reading)
        elif segment.used <= UNTOUCHED_USED and reading.untouched:
            self._break(Turn.UNTOUCHED, segment, reading.at, reading, reading.at)
            self._begin(reading, since=reading.at, otherwise=reading.at)
        elif reading.at >= segment.resets_at - DUE_EARLY_S:
            self._reset_as_due(segment, reading)
        elif segment.same_reset(reading) and segment.used - reading.used < FALL:
            self._believe(segment, reading)
        else:
            self._wait(reading)

    def _continues(self, segment: Segment, reading: Measurement) -> bool:
        if segment.stale:
            return True
        if segment.untouched and not reading.untouched:
            # The reset stopped sliding at some moment between the two readings.
            slid = reading.resets_at - segment.resets_at
            most = reading.at + self.length_s + UNTOUCHED_S - segment.resets_at
            return -SAME_RESET_S <= slid <= most
        if segment.untouched:
            return True
        return segment.same_reset(reading) and segment.used - reading.used <= BELOW

    def _shows_passed_reset(self, segment: Segment, reading: Measurement) -> bool:
        """Whether *reading* is a late answer: the reset that it announces has passed."""
        if segment.stale or segment.resets_at <= reading.at:
            return False
        if reading.resets_at < reading.at - DUE_EARLY_S:
            return True
        last = self.breaks[-1] if self.breaks else None
        if last is None or last.turn is not Turn.SCHEDULED:
            return False
        passed = last.before.resets_at
        shows = abs(reading.resets_at - passed) <= SAME_RESET_S < abs(segment.resets_at - passed)
        return shows and reading.at - last.told_at <= RETURN_S

    # ------------------------------------------------------------------------------ believing

    def _believe(self, segment: Segment, reading: Measurement) -> None:
        """Let *reading* continue the present segment."""
        self.odd.clear()
        self.note_run(reading.at, reading.used > UNTOUCHED_USED)
        rise = reading.used - segment.used
        if segment.used >= 100:
            segment.zero_s += reading.at - segment.at
        if segment.stale and not segment.same_reset(reading):
            segment.stale, segment.untouched = False, reading.untouched
            segment.started_at = self._start(reading, segment.since, segment.since)
        elif segment.untouched and not reading.untouched:
            self._touch(segment, reading)
        elif rise >= FALL:
            self.rises = [r for r in self.rises if reading.at - r.at <= RETURN_S]
            self.rises.append(Rise(reading.at, rise, segment.copy()))
        if segment.sliding and reading.at - segment.at > 2 * SAME_RESET_S:
            segment.sliding = abs(reading.resets_at - segment.resets_at) > SAME_RESET_S
        segment.at, segment.used, segment.resets_at = reading.at, reading.used, reading.resets_at
        segment.readings += 1
        segment.peak = max(segment.peak, reading.used)
        segment.step = max(segment.step, rise)
        segment.fresh = False
        self._note_exhaustion(segment, reading.at, reading.at)

    def _touch(self, segment: Segment, reading: Measurement) -> None:
        """Start the cycle: the reset stopped sliding, where it was or some way on."""
        start = min(reading.at, reading.resets_at - self.length_s)
        segment.started_at = segment.since = start
        segment.untouched, segment.doubtful_until = False, 0
        segment.first_at, segment.readings = reading.at, 0
        segment.peak, segment.step, segment.ran_out_at, segment.zero_s = reading.used, 0, None, 0
        self.rises = []

    def _begin(self, reading: Measurement, since: int, otherwise: int) -> Segment:
        """Start a segment with *reading*; its cycle began at reset − length, where that can be."""
        self.note_run(reading.at, reading.used > UNTOUCHED_USED)
        before = self.segment
        self.segment = segment = Segment(
            self._start(reading, since, otherwise),
            since,
            reading.at,
            reading.at,
            reading.used,
            reading.resets_at,
            reading.untouched,
            reading.used,
            exhausted=before is not None and before.exhausted,
        )
        self.rises = []
        self.odd.clear()
        return segment

    def _start(self, reading: Measurement, since: int, otherwise: int) -> int | None:
        if reading.untouched:
            return None
        start = min(reading.at, reading.resets_at - self.length_s)
        return start if self.length_s and start >= since - SAME_RESET_S else otherwise

    # ------------------------------------------------------------------------------ breaking

    def _break(
        self, turn: Turn, segment: Segment, at: int, first: Measurement, told_at: int
    ) -> None:
        if segment.readings > 2:
            self.usual_s = (segment.at - segment.first_at) / (segment.readings - 1)
        self.breaks.append(Break(turn, at, told_at, first, self.usual_s, segment, self.rises))

    def _reset_as_due(self, segment: Segment, reading: Measurement) -> None:
        due = segment.resets_at
        is_stale, fell = segment.same_reset(reading), reading.used < segment.used - BELOW
        self._break(Turn.SCHEDULED, segment, due, reading, reading.at)
        new = self._begin(reading, since=due, otherwise=due)
        new.stale, new.fresh = is_stale, not is_stale
        new.lags_until = 0 if fell else due + LAG_S
        if self._looks_like_the_flap(reading):
            new.doubtful_until = reading.at + RETURN_S
        self._note_exhaustion(new, due, reading.at)

    def _wait(self, reading: Measurement) -> None:
        if not self.odd:
            self.odd_since = reading.at
        self.odd = [*self.odd[1 - MOST_ODD :], reading]
        self.last_odd_at = reading.at

    def _agrees(self, segment: Segment, reading: Measurement) -> bool:
        """Whether *reading* shows the state of a waiting one, which is believed then."""
        for odd in self.odd:
            moved, elapsed = reading.resets_at - odd.resets_at, reading.at - odd.at
            follows = -SAME_RESET_S <= moved <= elapsed + SAME_RESET_S
            if not follows or reading.used < odd.used - BELOW:
                continue
            self.last_odd_at = reading.at
            if elapsed >= AGREES_AFTER_S:
                slides = reading.untouched and moved > SAME_RESET_S
                first = odd._replace(untouched=odd.untouched or slides)
                self._adopt(segment, first, reading)
            return True
        return False

    def _adopt(self, segment: Segment, first: Measurement, second: Measurement) -> None:
        """Believe the state that two readings agree on."""
        fell = segment.used - first.used
        to_nothing = first.used <= UNTOUCHED_USED < segment.used
        turn = Turn.RESET if fell >= FALL or to_nothing else Turn.MOVED
        if self._completes_reset(segment, first, turn):
            new = self._begin(first, segment.since, segment.since)
        else:
            self._break(turn, segment, first.at, first, second.at)
            new = self._begin(first, since=segment.at, otherwise=first.at)
        new.sliding = not first.untouched and second.resets_at - first.resets_at > SAME_RESET_S
        self._note_exhaustion(new, first.at, second.at)
        self._believe(new, second)

    def _completes_reset(self, segment: Segment, first: Measurement, turn: Turn) -> bool:
        """Whether the new state is what the scheduled reset that was just told has led to."""
        if turn is Turn.RESET and segment.same_reset(first):
            return first.at <= segment.lags_until
        if not segment.fresh and first.at > segment.doubtful_until:
            return False
        # A cycle that can have started since the reset may have been real, and fallen early.
        start = segment.resets_at - self.length_s
        can_be = segment.since - SAME_RESET_S <= start <= segment.first_at + UNTOUCHED_S
        return turn is Turn.MOVED or not (segment.untouched or can_be)

    # ------------------------------------------------------------------------------ returning

    def _falls_back(self, segment: Segment, reading: Measurement) -> bool:
        """Take a jump of used back, where *reading* stands on the line from before it again."""
        fall = segment.used - reading.used
        due = reading.at >= segment.resets_at - DUE_EARLY_S
        if not self.rises or fall < FALL or due or not segment.same_reset(reading):
            return False
        jump = 0.0
        for index in range(len(self.rises) - 1, -1, -1):
            rise = self.rises[index]
            jump = max(jump, rise.points)
            on_line = rise.before.used - BELOW <= reading.used <= rise.before.used + ABOVE
            # What fell must be what jumped: use by many ordinary steps is no flap.
            if reading.at - rise.at <= RETURN_S and on_line and jump >= fall / 2:
                used = rise.before.used + rise.points
                odd = Measurement(rise.at, used, segment.resets_at, False)
                self._flap(rise.at, odd, reading.at)
                self._restore(rise.before, self.rises[:index], rise.at, reading)
                return True
        return False

    def _returns(self, segment: Segment, reading: Measurement) -> bool:
        """Withdraw breaks, where *reading* jumps back to the state from before them."""
        if segment.untouched and reading.untouched:
            return False
        for index in range(len(self.breaks) - 1, -1, -1):
            broke = self.breaks[index]
            old, since = broke.before, broke.first.at
            if reading.at - since > RETURN_S:
                return False
            in_time = old.untouched or reading.at < old.resets_at
            if broke.turn is Turn.SCHEDULED or not in_time:
                continue
            if old.is_state_of(reading) and self._jumps(segment, reading):
                self._flap(since, broke.first, reading.at)
                for gone in self.breaks[index:]:
                    gone.withdrawn_at = reading.at
                self.withdrawn += self.breaks[index:]
                del self.breaks[index:]
                self._restore(old.copy(), list(broke.rises), since, reading)
                return True
        return False

    def _jumps(self, segment: Segment, reading: Measurement) -> bool:
        """Whether *reading* lies beyond what ordinary use of the present segment came to."""
        if self.odd or not segment.same_reset(reading):
            return True
        rise = reading.used - segment.used
        return rise > FALL and rise > 2 * segment.step

    def _restore(
        self, old: Segment, rises: list[Rise], odd_since: int, reading: Measurement
    ) -> None:
        """Go on from *old* as if nothing had been read since *odd_since*."""
        for note in self.notes:
            if note.kind in (Kind.USED_UP, Kind.BACK) and note.told_at >= odd_since:
                note.withdrawn_at = note.withdrawn_at or reading.at
        self.note_run(reading.at, reading.used > UNTOUCHED_USED)
        self.segment, self.rises = old, rises
        self._believe(old, reading)

    # ------------------------------------------------------------------------------ noting

    def _flap(self, since: int, odd: Measurement, told_at: int) -> None:
        if self.flapped_at is None or since - self.flapped_at > RETURN_S:
            data = {"used": odd.used, "resets_at": odd.resets_at}
            self.notes.append(Note(Kind.FLAPPING, since, told_at, data))
        self.flapped_at, self.flap = self.last_at(), odd

    def _looks_like_the_flap(self, reading: Measurement) -> bool:
        """Whether *reading* shows what odd readings of the last hours showed."""
        flap = self.flap
        if flap is None or self.flapped_at is None or reading.at - self.flapped_at > RETURN_S:
            return False
        same = abs(reading.resets_at - flap.resets_at) <= SAME_RESET_S
        near = flap.used - BELOW <= reading.used <= flap.used + ABOVE
        return (flap.untouched and reading.untouched) or (same and near)

    def _note_exhaustion(self, segment: Segment, at: int, told_at: int) -> None:
        if segment.used >= 100:
            if segment.ran_out_at is None:
                segment.ran_out_at = segment.at
            if not segment.exhausted:
                self.notes.append(Note(Kind.USED_UP, segment.at, told_at, {}))
            segment.exhausted = True
        elif segment.exhausted and segment.used < 100 - BELOW:
            segment.exhausted = False
            self.notes.append(Note(Kind.BACK, at, told_at, {"used": segment.used}))
