"""Invented histories of accounts: people work by day, rest at weekends, run out, and machines
that fail now and then. Pure.

Each account is lived through from poll to poll, as the schedule would have asked for it: windows
start at first use, fill during work, and reset; nothing is used while the account is
blocked. Times are epoch seconds.
"""

from bisect import bisect_right
from dataclasses import dataclass
from random import Random

from quota_web.core.faults import Fault
from quota_web.core.quota import Facts
from quota_web.demo import surprises
from quota_web.demo.personas import NAMES, PERSONAS, Persona
from quota_web.demo.surprises import Surprises
from quota_web.demo.tank import Tank, Track

DAY, HOUR = 86_400, 3_600
#: How often an account is asked while idle and while in use, and how long it counts as in use after
#: its last rise.
IDLE, ACTIVE, ACTIVE_FOR = 3_600, 300, 1_800
#: Nothing happens after this long before the end, save the last poll.
END_MARGIN = 120


@dataclass(slots=True)
class InventedRun:
    """Equal attempts in a row."""

    first_at: int
    last_at: int
    fault: Fault | None
    count: int
    ms_sum: int
    ms_max: int


@dataclass(frozen=True, slots=True)
class Invented:
    """One account's whole story."""

    name: str
    email: str
    created_at: int
    is_paused: bool
    tracks: tuple[Track, ...]
    #: When each changed set of facts was first seen.
    facts: tuple[tuple[int, Facts], ...]
    runs: tuple[InventedRun, ...]
    interval_s: int

    @property
    def readings(self) -> int:
        return sum(len(t.at) for t in self.tracks)


@dataclass(frozen=True, slots=True)
class Episode:
    """A time in which asking failed with *fault*, or for None was not tried at all."""

    start: int
    end: int
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Era:
    """From when to when, whose days those are, and how often is asked (None: as the schedule
    does).
    """

    start: int
    end: int
    utc_offset_s: int = 0
    every_s: int | None = None


def invent(number: int, era: Era, seed: int = 0, persona: Persona | None = None) -> Invented:
    """The *number*-th account's story; the same for the same arguments."""
    # Nothing secret depends on them; the shared one gives faults that all accounts have at once.
    rng, shared = Random(f"{seed}:{number}"), Random(seed)  # noqa: S311
    persona = persona or PERSONAS[number % len(PERSONAS)]
    first, again = NAMES[number % len(NAMES)], number // len(NAMES)
    name = f"{first}-{again + 1}" if again else first
    episodes = _episodes(persona, era, rng, shared)
    told = surprises.of(number, era.start, era.end, persona)
    life = _Life(persona, era, _sessions(persona, era, rng), episodes, told, rng)
    life.live()
    return Invented(
        name,
        f"{name}@example.com",
        era.start,
        persona.ending == "paused",
        tuple(t.track for t in life.tanks),
        tuple(life.facts),
        tuple(life.runs),
        life.interval_s,
    )


Session = tuple[int, int, float]


def _sessions(persona: Persona, era: Era, rng: Random) -> list[Session]:
    """The sessions of work, from when to when and how hard (percent of a five-hour window a
    second), in order.
    """
    sessions: list[Session] = []
    first_day = (era.start + era.utc_offset_s) // DAY
    for day in range(first_day, (era.end + era.utc_offset_s) // DAY + 1):
        is_weekend = (day + 3) % 7 >= 5
        if rng.random() > (persona.weekends if is_weekend else 0.93):
            continue
        midnight, mood = day * DAY - era.utc_offset_s, persona.appetite * rng.uniform(0.3, 1.7)
        blocks = [(9.0, 12.2), (13.2, 18.0)] + ([(20.5, 22.5)] if rng.random() < 0.3 else [])
        for begins, ends in blocks[int(is_weekend) :]:
            start = midnight + int((begins + rng.uniform(-0.6, 0.6)) * HOUR)
            end = midnight + int((ends + rng.uniform(-0.5, 0.5)) * HOUR)
            sessions.append((start, end, mood * rng.uniform(0.5, 1.5) / HOUR))
    return _ended(
        persona, era, [s for s in sessions if era.start <= s[0] and s[1] < era.end - 4 * HOUR], rng
    )


def _ended(persona: Persona, era: Era, sessions: list[Session], rng: Random) -> list[Session]:
    """The sessions with one just now, so that there is something to look at whatever the hour."""
    length = era.end - era.start
    if persona.ending == "exhausted" and length > 2 * HOUR:
        return [*sessions, (era.end - 5_400, era.end - 2_400, 200 / HOUR)]
    if persona.ending in ("ok", "unreachable") and length > 4 * HOUR and rng.random() < 0.75:
        return [
            *sessions,
            (
                era.end - rng.randint(5_000, 13_000),
                era.end - rng.randint(0, 4_000),
                persona.appetite * rng.uniform(0.8, 2) / HOUR,
            ),
        ]
    return sessions


def _episodes(persona: Persona, era: Era, rng: Random, shared: Random) -> list[Episode]:
    """When asking failed: nights in which the machine was off (for all accounts), faults of the
    upstream, and the ending.
    """
    found: list[Episode] = []
    end = era.end - 9 * HOUR
    for chance, fault, least, most, source in (
        (0.02, None, 4 * HOUR, 30 * HOUR, shared),
        (
            0.03,
            Fault("unreachable", {"reason": "connection refused"}),
            900,
            3 * HOUR,
            shared,
        ),
        (
            0.03,
            Fault("http", {"http_status": 503, "reason": ": Service Unavailable"}),
            600,
            2 * HOUR,
            rng,
        ),
    ):
        for at in range(era.start + DAY, end, DAY):
            if source.random() < chance:
                start = at + source.randrange(DAY)
                found.append(Episode(start, min(end, start + source.randint(least, most)), fault))
    return _apart(found) + _ending(persona, era)


def _ending(persona: Persona, era: Era) -> list[Episode]:
    if persona.ending == "unauthorized":
        return [
            Episode(
                era.end - 8 * HOUR,
                era.end,
                Fault("unauthorized", {"http_status": 401, "reason": "the token was revoked"}),
            )
        ]
    if persona.ending == "unreachable":
        return [
            Episode(
                era.end - 2_500, era.end, Fault("unreachable", {"reason": "no answer within 30 s"})
            )
        ]
    return []


def _apart(episodes: list[Episode]) -> list[Episode]:
    """In order, and where two overlap the earlier one alone."""
    kept: list[Episode] = []
    for one in sorted(episodes, key=lambda e: e.start):
        if one.start < one.end and (not kept or one.start >= kept[-1].end):
            kept.append(one)
    return kept


class _Life:
    """One account lived through, from poll to poll."""

    def __init__(
        self,
        persona: Persona,
        era: Era,
        sessions: list[Session],
        episodes: list[Episode],
        told: Surprises,
        rng: Random,
    ) -> None:
        self._persona, self._era, self._rng = persona, era, rng
        self._sessions, self._next_session = sessions, 0
        self._episodes = episodes
        self._ends = [e.end for e in episodes]
        self._looked_at, self._rose_at, self._failures = era.start, 0, 0
        self._lost_at = era.start + (era.end - era.start) * 2 // 5 if persona.lost else era.end
        self._pays = persona.credits is not None and persona.credits.has_credits
        self._banked_at = told.banked_at
        self.tanks = [Tank(limit, era.start, rng, told) for limit in persona.limits]
        self.facts: list[tuple[int, Facts]] = []
        self.runs: list[InventedRun] = []
        self.interval_s = IDLE

    def live(self) -> None:
        at, end = self._era.start, self._era.end - END_MARGIN
        while at < end:
            at = self._poll(at)
        self._poll(self._era.end - self._rng.randint(5, END_MARGIN - 5))
        for tank in self.tanks:
            tank.track.spend = tank.spend()

    def _poll(self, at: int) -> int:
        """Ask once and say when to ask next."""
        place = bisect_right(self._ends, at)
        episode = (
            self._episodes[place]
            if place < len(self._episodes) and self._episodes[place].start <= at
            else None
        )
        if episode is None:
            self._failures = 0
            return self._answered(at)
        if episode.fault is None:
            return episode.end + 1
        self._failures += 1
        self._attempted(at, episode.fault)
        return at + (self._era.every_s or min(300 * 2 ** (self._failures - 1), 3_600))

    def _answered(self, at: int) -> int:
        amount = self._drawn(at)
        for tank in self.tanks:
            if tank.is_lost:
                continue
            if at >= self._lost_at and tank.limit.key == self._persona.lost:
                tank.lose(at)
                continue
            if tank.draw(amount, at) and at > self._era.start:
                self._rose_at = at
            tank.note(at)
        until = self._blocked_until()
        self._noted(at, until > at)
        self._attempted(at, None)
        return self._next(at, until)

    def _blocked_until(self) -> int:
        return max((t.blocks_until() for t in self.tanks), default=0)

    def _drawn(self, at: int) -> float:
        """What was worked since the last look, in percent of a five-hour window; nothing while
        blocked.
        """
        before, self._looked_at = self._looked_at, at
        sessions, i = self._sessions, self._next_session
        while i < len(sessions) and sessions[i][1] <= before:
            i += 1
        self._next_session = i
        if (
            i == len(sessions)
            or sessions[i][0] >= at
            or (self._blocked_until() > at and not self._pays)
        ):
            return 0.0
        amount = 0.0
        while i < len(sessions) and sessions[i][0] < at:
            start, end, rate = sessions[i]
            amount += rate * max(0, min(end, at) - max(start, before))
            i += 1
        return amount * (0.3 + 1.4 * self._rng.random())

    def _noted(self, at: int, is_exhausted: bool) -> None:
        plan = "plus" if self._persona.lost and at < self._lost_at else self._persona.plan
        facts = Facts(
            plan,
            not is_exhausted or self._pays,
            is_exhausted,
            credits=self._persona.credits,
            reset_credits=2 - sum(b <= at for b in self._banked_at) if plan == "pro" else None,
        )
        if not self.facts or self.facts[-1][1] != facts:
            self.facts.append((at, facts))

    def _attempted(self, at: int, fault: Fault | None) -> None:
        # Spread like a draw, and a hundred times cheaper: there are millions of these.
        ms = (
            30_000
            if fault and fault.code == "unreachable"
            else 180 + (at * 2_654_435_761 >> 7) % 640
        )
        if not self.runs or self.runs[-1].fault != fault:
            self.runs.append(InventedRun(at, at, fault, 0, 0, 0))
        run = self.runs[-1]
        run.last_at, run.count, run.ms_sum, run.ms_max = (
            at,
            run.count + 1,
            run.ms_sum + ms,
            max(run.ms_max, ms),
        )

    def _next(self, at: int, until: int) -> int:
        if self._era.every_s:
            return at + self._era.every_s
        if until > at:
            return min(until + 5 + self._rng.randrange(30), at + 6 * HOUR)
        self.interval_s = ACTIVE if at - self._rose_at < ACTIVE_FOR else IDLE
        return at + int(self.interval_s * self._rng.uniform(0.9, 1.1))
