"""Invented histories of windows for the tests of foresight: what a poller would have stored."""

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime

from quota_web.foresight import Forecast, WindowHistory, forecast

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
FIVE_HOURS = 5 * HOUR
#: A Monday, 00:00 UTC.
MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())


@dataclass
class Recorder:
    """Readings of one window, taken one after the other."""

    key: str = "weekly"
    length: int = WEEK
    taken_at: list[int] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    resets: list[int | None] = field(default_factory=list)

    def take(self, at: int, used: float, resets_at: int | None) -> "Recorder":
        self.taken_at.append(at)
        self.used.append(used)
        self.resets.append(resets_at)
        return self

    def history(self, until: int | None = None) -> WindowHistory:
        """What was known at *until*: readings up to that moment; all by default."""
        stop = None if until is None else bisect_right(self.taken_at, until)
        columns = self.taken_at[:stop], self.used[:stop], self.resets[:stop]
        return WindowHistory(self.key, self.length, *columns)


def office_weeks(days: float, points_a_day: float = 12, start: int = MONDAY) -> Recorder:
    """A weekly window, polled each half hour, used from 9 to 17 on work days."""
    recorder, used, cycle = Recorder(), 0.0, start
    for at in range(start + 60, int(start + days * DAY), HOUR // 2):
        if at >= cycle + WEEK:
            cycle, used = cycle + WEEK, 0.0
        moment = datetime.fromtimestamp(at, UTC)
        if moment.weekday() < 5 and 9 <= moment.hour < 17:
            used = min(100.0, used + points_a_day / 16)
        recorder.take(at, float(int(used)), cycle + WEEK)
    return recorder


def five_hours(days: float, points_an_hour: float = 8, start: int = MONDAY) -> Recorder:
    """A five-hour window, polled each 10 minutes, that starts with each day's first use at 9."""
    recorder = Recorder("five_hour", FIVE_HOURS)
    used, ends = 0.0, 0
    for at in range(start + 60, int(start + days * DAY), 600):
        if ends and at >= ends:
            used, ends = 0.0, 0
        if 9 <= datetime.fromtimestamp(at, UTC).hour < 17:
            ends = ends or at + FIVE_HOURS
            used = min(100.0, used + points_an_hour / 6)
        recorder.take(at, float(int(used)), ends or at + FIVE_HOURS)
    return recorder


def random_walk(seed: int) -> Recorder:
    """Anything a poller may see: bursts, gaps, jitter, early resets, odd answers, empty resets."""
    rng = random.Random(seed)
    length = rng.choice([FIVE_HOURS, DAY, WEEK, 30 * DAY])
    recorder = Recorder("window", length)
    at, used, ends = MONDAY, 0.0, 0
    for _ in range(rng.randrange(1, 400)):
        at += rng.choice([60, 300, 300, HOUR, 5 * HOUR])
        if ends and (at >= ends or rng.random() < 0.01):
            used, ends = 0.0, 0
        if rng.random() < 0.5:
            ends = ends or at + length
            used = min(100.0, used + rng.random() * rng.choice([1, 5, 20]))
        shown, reset = used, ends or at + length
        if rng.random() < 0.05:
            shown, reset = rng.choice([(0.0, at + length), (min(100, used + 37), reset - HOUR)])
        recorder.take(at, shown, rng.choice([reset, reset, reset, reset + rng.randrange(-2, 3), 0]))
    return recorder


def said(
    window: WindowHistory,
    *siblings: WindowHistory,
    now: int | None = None,
    zone=UTC,
) -> Forecast:
    """The forecast at *now*; at the last reading by default."""
    at = window.taken_at[-1] if now is None else now
    return forecast(window, siblings, at, zone)
