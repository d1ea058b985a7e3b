"""Readings told as stories: a window's life in hours since a start, step by step."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quota_web.foresight import AccountHistory, Cycle, Event, Judgement, WindowReadings, judge

START = 1_800_000_000
HOUR, DAY = 3_600, 86_400
FIVE_HOUR_H, WEEK_H = 5.0, 168.0
RESETS = ("reset_scheduled", "reset_early", "reset_banked", "reset_provider")

Row = tuple[int, float | None, int | None]


def moment(hours: float) -> int:
    return START + round(hours * HOUR)


@dataclass
class Story:
    """One window's readings so far; *h* is the hour at which the next one is taken."""

    length_h: float = WEEK_H
    every_h: float = 0.5
    h: float = 0
    rows: list[Row] = field(default_factory=list)

    def add(self, used: float | None, resets_at: int | None) -> "Story":
        self.rows.append((moment(self.h), used, resets_at))
        self.h += self.every_h
        return self

    def one(self, used: float, resets_h: float) -> "Story":
        return self.add(used, moment(resets_h))

    def use(self, hours: float, used: float, resets_h: float, rate: float = 0) -> "Story":
        """Go on for *hours* from *used*, which grows by *rate* points an hour in whole points."""
        begin, end = self.h, self.h + hours
        while self.h < end - 1e-9:
            self.one(used + math.floor(rate * (self.h - begin) + 1e-9), resets_h)
        return self

    def untouched(self, hours: float, used: float = 0) -> "Story":
        end = self.h + hours
        while self.h < end - 1e-9:
            self.one(used, self.h + self.length_h)
        return self

    def full(self, used: float = 0) -> "Story":
        """One reading with a full length ahead."""
        return self.one(used, self.h + self.length_h)

    def absent(self, times: int = 1) -> "Story":
        for _ in range(times):
            self.add(None, None)
        return self

    def gap(self, hours: float) -> "Story":
        self.h += hours
        return self

    def every(self, hours: float) -> "Story":
        """Take the readings from here on so often."""
        self.h += hours - self.every_h
        self.every_h = hours
        return self

    @property
    def window(self) -> WindowReadings:
        return WindowReadings(round(self.length_h * HOUR), self.rows)


def account(
    *,
    plan: Iterable[tuple[float, str]] = ((0, "plus"),),
    credits: Iterable[tuple[float, int]] = (),
    **windows: Story,
) -> AccountHistory:
    """An account from stories; plans and banked resets as (hour, value)."""
    return AccountHistory(
        {key: story.window for key, story in windows.items()},
        [(moment(h), value) for h, value in plan],
        [(moment(h), value) for h, value in credits],
    )


def judged(accounts: Mapping[str, AccountHistory], now: int | None = None) -> Judgement:
    times = [row[0] for a in accounts.values() for w in a.windows.values() for row in w.readings]
    return judge(accounts, max(times) + 60 if now is None else now)


@dataclass
class Told:
    """What was judged of one account `alice`; hours since the start."""

    judgement: Judgement

    def hours(self, *kinds: str, withdrawn: bool = False) -> list[tuple[str, float]]:
        """The events as (kind, hour); only *kinds*, if there are any."""
        events = [e for e in self.judgement.events if (e.withdrawn_at is not None) == withdrawn]
        return [(str(e.kind), hour(e)) for e in events if not kinds or e.kind in kinds]

    @property
    def events(self) -> list[tuple[str, float]]:
        return self.hours()

    @property
    def withdrawn(self) -> list[tuple[str, float]]:
        return self.hours(withdrawn=True)

    @property
    def cycles(self) -> list[tuple[str, float | None]]:
        """The closed cycles as (how, used at the reset)."""
        return [(str(c.how), c.used_at_reset) for c in self.closed()]

    def closed(self, window: str = "weekly") -> tuple[Cycle, ...]:
        return self.judgement.cycles["alice", window]

    def open(self, window: str = "weekly") -> Cycle:
        return self.judgement.open_cycles["alice", window]


def hour(event: Event) -> float:
    return (event.at - START) / HOUR


def told(story: Story, key: str = "weekly", **facts: Iterable[tuple[float, object]]) -> Told:
    """Judge *story* as the one window of one account; *facts*: plan, credits."""
    history = account(**{key: story}, **facts)  # type: ignore[arg-type]
    return Told(judged({"alice": history}))


def wild(
    random_: random.Random, accounts: int, hours: float, most: int = 600
) -> dict[str, AccountHistory]:
    """Accounts that live through everything at once: resets of all kinds, flaps, gaps; *most*
    readings of a window, about.
    """
    wide = [random_.uniform(0, hours) for _ in range(random_.randint(0, 3))]
    return {f"account {i}": _wild_account(random_, hours, wide, most) for i in range(accounts)}


def _wild_account(
    random_: random.Random, hours: float, wide: list[float], most: int
) -> AccountHistory:
    banked = sorted(random_.uniform(0, hours) for _ in range(random_.randint(0, 2)))
    changed = sorted(random_.uniform(0, hours) for _ in range(random_.randint(0, 2)))
    resets = sorted([*(h + random_.uniform(0, 2) for h in wide), *banked])
    lag = random_.choice([0, 0, 1, 3])
    windows = {
        key: _wild_window(random_, length_h, hours, resets, changed, hours / most)
        for key, length_h in (("five_hour", FIVE_HOUR_H), ("weekly", WEEK_H))
        if random_.random() < 0.8
    }
    plans = [(0, "plus"), *((h + lag, f"plan {i}") for i, h in enumerate(changed))]
    count = len(banked)
    credits = [(0, count), *((h + lag, count - i - 1) for i, h in enumerate(banked))]
    return account(plan=plans, credits=credits, **windows)


def _wild_window(
    random_: random.Random,
    length_h: float,
    hours: float,
    resets: list[float],
    changed: list[float],
    least_h: float,
) -> Story:
    story = Story(length_h, random_.choice([1 / 60, 1 / 12, 0.5, 1.0]))
    story.every_h = max(story.every_h, least_h)
    used, resets_h, busy = random_.uniform(0, 60), random_.uniform(0, length_h), True
    events = sorted([*resets, *changed])
    odd: list[tuple[float, float]] = []
    while story.h < hours:
        h = story.h
        if resets_h and h >= resets_h:
            used, resets_h = 0, 0
        while events and events[0] <= h:
            at = events.pop(0)
            used = 0 if at in resets else used * random_.choice([0.2, 1, 1.5])
            resets_h = 0 if random_.random() < 0.8 else resets_h
        busy = busy if random_.random() < 0.9 else not busy
        if busy and random_.random() < 0.6:
            resets_h = resets_h or h + length_h
            used = min(100, used + random_.expovariate(1) * 100 * story.every_h / length_h * 3)
        luck = random_.random()
        if luck < 0.01:
            odd = [(random_.choice([0, 1, used / 2, used + 30]), h + random_.uniform(1, 170))]
            odd *= random_.choice([1, 1, 2, 5])
        elif luck < 0.02:
            story.absent(random_.randint(1, 3))
            continue
        elif luck < 0.03:
            story.add(random_.choice([0, used]), random_.choice([None, 0]))
            continue
        elif luck < 0.035:
            story.gap(random_.expovariate(1 / 8))
            continue
        if odd:
            story.one(min(100, round(odd[0][0])), odd.pop()[1])
        else:
            story.one(math.floor(used), (resets_h or h + length_h) + random_.uniform(-1, 1) / 120)
    return story
