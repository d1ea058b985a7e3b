"""Counts the messages that a person would have got in a year of the demo, alert by alert.

.venv/bin/python scripts/alert_year.py [--accounts 8] [--days 365] [--lies 0.02] [--no-forecasts]

Each account's story is lived through answer by answer: every attempt is judged as it is when it is
stored, resets by the judge of cycles, and every ten minutes what comes true by the time alone. A
forecast is made of each window's reading at most every half an hour. With --lies that share of the
answers shows untouched windows, as real ones do now and then.
"""

import argparse
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from quota_web.alerts import kinds, outbox  # noqa: E402 - the path comes first
from quota_web.alerts.alert_values import AlertEvent, Observation, States  # noqa: E402
from quota_web.alerts.judging import judge  # noqa: E402
from quota_web.alerts.kinds import Alert  # noqa: E402
from quota_web.alerts.site import LastAttempt, judge_site  # noqa: E402
from quota_web.alerts.timed import WatchedAccount, judge_time  # noqa: E402
from quota_web.core import quota  # noqa: E402
from quota_web.core.quota import WEEKLY, Facts, Reading, Status  # noqa: E402
from quota_web.demo.generate import Era, Invented, invent  # noqa: E402
from quota_web.foresight import AccountHistory, WindowHistory, WindowReadings, forecast  # noqa: E402
from quota_web.foresight import judge as judge_resets  # noqa: E402
from quota_web.foresight.making import EACH_S  # noqa: E402
from quota_web.store.channels import ChannelChoice  # noqa: E402
from quota_web.store.event_log import LoggedEvent  # noqa: E402
from quota_web.store.forecasts import StoredForecast  # noqa: E402

END = 1_795_262_400
DAY, HOUR = 86_400, 3_600
LOOK_S, FORECAST_S, LONGEST_WAIT_S = 600, 1_800, HOUR + 600
#: A channel that was made without a choice, and one that takes every type.
DEFAULT = ChannelChoice(1, None, None, None)
EVERYTHING = ChannelChoice(2, frozenset(map(str, Alert)), None, None)


@dataclass(slots=True)
class Column:
    """A window's readings so far, those older than EACH_S thinned to one an hour."""

    length_s: int | None
    at: list[int] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    resets: list[int | None] = field(default_factory=list)
    #: The first reading that has not been thinned.
    raw: int = 0
    said_at: int = 0

    def add(self, reading: Reading, at: int) -> None:
        self.at.append(at)
        self.used.append(reading.used_percent)
        self.resets.append(reading.resets_at)
        while self.raw + 1 < len(self.at) and self.at[self.raw] < at - EACH_S:
            if self.at[self.raw] // HOUR == self.at[self.raw + 1] // HOUR:
                for column in (self.at, self.used, self.resets):
                    del column[self.raw]
            else:
                self.raw += 1

    def history(self, key: str) -> WindowHistory:
        return WindowHistory(key, self.length_s, self.at, self.used, self.resets)


@dataclass(slots=True)
class Life:
    """One account on its way through the year."""

    number: int
    story: Invented
    seen: Observation = field(default_factory=lambda: Observation(Status.PENDING))
    states: States = field(default_factory=dict)
    attempted_at: int | None = None
    next_at: int | None = None
    failing_since: int | None = None
    columns: dict[str, Column] = field(default_factory=dict)
    forecasts: dict[str, StoredForecast] = field(default_factory=dict)
    #: When each week ended.
    week_ends: list[int] = field(default_factory=list)

    def watched(self, now: int) -> WatchedAccount:
        status, seen = self.seen.status, self.seen
        block = quota.block_state(seen.facts, seen.windows, seen.taken_at or 0, seen.taken_at or 0)
        return WatchedAccount(
            status, seen.taken_at, self.attempted_at, self.next_at, HOUR, block.blocked,
            forecasts=self.forecasts, cycles={WEEKLY: bisect_right(self.week_ends, now)},
        )  # fmt: skip

    def last_attempt(self) -> LastAttempt:
        return LastAttempt(
            self.seen.status, self.attempted_at, self.seen.taken_at, self.failing_since
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A message, for the account of this number or None for all."""

    event: AlertEvent
    number: int | None


def attempts(story: Invented, lies: Random, share: float) -> Iterator[tuple[int, Observation]]:
    """Every attempt in order; one that failed has no readings of its own."""
    answers: dict[int, list[Reading]] = {}
    for track in story.tracks:
        for at, used, resets_at in zip(track.at, track.used, track.resets_at, strict=True):
            mine = answers.setdefault(at, [])
            if used is not None:
                mine.append(Reading(track.key, used, resets_at, track.length_s))
    since, facts = zip(*story.facts, strict=True)
    found = []
    for at, readings in answers.items():
        said: Facts = facts[bisect_right(since, at) - 1]
        if lies.random() < share:
            readings = [
                replace(r, used_percent=1.0, resets_at=at + (r.length_s or DAY)) for r in readings
            ]
            said = replace(said, allowed=True, limit_reached=False)
        found.append((at, Observation(Status.OK, at, tuple(readings), said)))
    for run in story.runs:
        step = (run.last_at - run.first_at) / max(1, run.count - 1)
        for count in range(run.count if run.fault else 0):
            at = round(run.first_at + count * step)
            found.append((at, Observation(run.fault.status if run.fault else Status.OK)))
    return iter(sorted(found, key=lambda pair: pair[0]))


class Year:
    """All accounts side by side."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        era = Era(END - options.days * DAY, END)
        self.lives = [Life(n, invent(n, era, options.seed)) for n in range(options.accounts)]
        self.told: list[Told] = []
        self._site: States = {}
        self._answers: list[tuple[int, int, Observation]] = []

    def live(self) -> None:
        lies = Random(self._options.seed)  # noqa: S311 - nothing secret
        for life in self.lives:
            for at, seen in attempts(life.story, lies, self._options.lies):
                self._answers.append((at, life.number, seen))
        self._answers.sort(key=lambda row: row[:2])
        self._resets()
        upcoming = self._next_attempts()
        looked_at = self._answers[0][0]
        for place, (at, number, seen) in enumerate(self._answers):
            while looked_at + LOOK_S <= at:
                looked_at += LOOK_S
                self._look(looked_at)
            self._attempt(self.lives[number], at, seen, upcoming[place])

    def _next_attempts(self) -> list[int | None]:
        following: dict[int, int] = {}
        found: list[int | None] = []
        for at, number, _ in reversed(self._answers):
            found.append(following.get(number))
            following[number] = at
        return found[::-1]

    def _attempt(self, life: Life, at: int, seen: Observation, next_at: int | None) -> None:
        before = life.seen
        if seen.taken_at is None:
            seen = replace(before, status=seen.status)
            life.failing_since = life.failing_since or at
        else:
            life.failing_since = None
        life.states, events = judge(life.states, before, seen, at)
        life.seen, life.attempted_at = seen, at
        # While the machine is off an account is overdue, as it is when the machine is back.
        life.next_at = min(next_at, at + LONGEST_WAIT_S) if next_at else None
        self.told += [Told(event, life.number) for event in events]
        if seen.taken_at == at:
            for reading in seen.windows:
                if quota.is_own(reading.key):
                    column = life.columns.setdefault(reading.key, Column(reading.length_s))
                    column.add(reading, at)
            if self._options.forecasts:
                self._forecast(life, at)

    def _forecast(self, life: Life, at: int) -> None:
        for key, column in life.columns.items():
            if at - column.said_at < FORECAST_S or column.at[-1] != at:
                continue
            column.said_at = at
            siblings = [c.history(k) for k, c in life.columns.items() if k != key]
            said = forecast(column.history(key), siblings, at, UTC)
            life.forecasts[key] = StoredForecast(
                0, at, said.state, at, column.used[-1], said.resets_at, said.run_out_probability
            )

    def _look(self, now: int) -> None:
        attempts = [life.last_attempt() for life in self.lives]
        changed, events = judge_site(self._site, attempts, None, now)
        self._site = {**self._site, **changed}
        self.told += [Told(event, None) for event in events]
        state = next(iter(self._site.values()), None)
        for life in self.lives:
            changed, found = judge_time(
                life.states,
                life.watched(now),
                now,
                state.seen_at if state else None,
                is_site_down=bool(state and state.open_since),
            )
            life.states = {**life.states, **changed}
            self.told += [Told(event, life.number) for event in found]

    def _resets(self) -> None:
        """What the judge of cycles tells of early resets, and how many cycles each window had."""
        histories = {}
        for life in self.lives:
            rows: dict[str, list[tuple[int, float | None, int | None]]] = {}
            for at, number, seen in self._answers:
                if number == life.number and seen.taken_at is not None:
                    for reading in seen.windows:
                        row = (at, reading.used_percent, reading.resets_at)
                        rows.setdefault(reading.key, []).append(row)
            lengths = {track.key: track.length_s for track in life.story.tracks}
            windows = {k: WindowReadings(lengths[k] or 30 * DAY, v) for k, v in rows.items()}
            histories[str(life.number)] = AccountHistory(windows)
        said = judge_resets(histories, END)
        for life in self.lives:
            weeks = said.cycles.get((str(life.number), WEEKLY), ())
            life.week_ends = [cycle.ended_at or END for cycle in weeks]
        for event in said.events:
            if str(event.kind) in kinds.EARLY_RESETS:
                points = event.data.get("used_before", 100) - event.data.get("used_after", 0)
                gone_at, sent_at = event.withdrawn_at, event.told_at + kinds.EARLY_RESET_HELD_S
                is_sent = gone_at is None or gone_at > sent_at
                if is_sent and points >= kinds.EARLY_RESET_LEAST:
                    owner = None if event.account is None else int(event.account)
                    alert = AlertEvent(str(event.kind), event.window or "", 1, event.told_at)
                    self.told.append(Told(alert, owner))


def chosen(told: list[Told], choice: ChannelChoice) -> Counter[tuple[Alert, str]]:
    """How many messages a channel gets, by type and window."""
    counts: Counter[tuple[Alert, str]] = Counter()
    for place, one in enumerate(told):
        event = one.event
        logged = LoggedEvent(
            place, event.at, event.kind, one.number, event.window, event.data, None
        )
        for _ in outbox.chosen([logged], choice):
            found = kinds.type_of(event.kind, event.data)
            if found is not None:
                counts[found, event.window] += 1
    return counts


def run_outs_that_came(year: Year) -> tuple[int, int]:
    """How many windows that were told to run out did so before the reset that was named."""
    told = [one for one in year.told if one.event.kind == Alert.QUOTA_RUNOUT]
    came = 0
    for one in told:
        track = next(
            t for t in year.lives[one.number or 0].story.tracks if t.key == one.event.window
        )
        place = bisect_right(track.at, one.event.at)
        ends_at = one.event.data["resets_at"]
        came += any(
            (track.used[i] or 0) >= 100
            for i in range(place, len(track.at))
            if track.at[i] <= ends_at
        )
    return came, len(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lies", type=float, default=0.0)
    parser.add_argument("--no-forecasts", dest="forecasts", action="store_false")
    year = Year(parser.parse_args())
    year.live()
    by_default, by_choice = chosen(year.told, DEFAULT), chosen(year.told, EVERYTHING)
    print("| type | window | by default | with everything on |\n|---|---|---|---|")
    for alert, window in sorted(by_choice, key=lambda pair: (list(Alert).index(pair[0]), pair[1])):
        counts = f"{by_default[alert, window]} | {by_choice[alert, window]}"
        print(f"| `{alert}` | {window or '–'} | {counts} |")
    print(f"| all | | {by_default.total()} | {by_choice.total()} |")
    came, told = run_outs_that_came(year)
    if told:
        print(f"\nRun-outs told: {told}; came true: {came}.")


if __name__ == "__main__":
    main()
