"""The CPU of one forecast, against what the plain script spends on one request; and the command
that reads what is stored of them.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from bench import classic
from bench.harness import Report, Result, alternate, main
from bench.place import place, upstream
from quota_web.core import clock
from quota_web.demo import fill, generate
from quota_web.demo.generate import DAY, Era
from quota_web.demo.personas import Persona
from quota_web.demo.tank import Track
from quota_web.foresight import WindowHistory, forecast, forecast_pass
from quota_web.services import services

START = 1_767_571_200
#: The goal's bound for a long and for a short window, in requests of the plain script.
WANTED = {"weekly": "<= 6", "five_hour": "<= 8"}


@dataclass(frozen=True)
class Case:
    """One window of an account at one moment, with the account's other windows."""

    window: WindowHistory
    siblings: Sequence[WindowHistory]
    now: int


def run(report: Report) -> None:
    _making(report)
    _next(report)


def _making(report: Report) -> None:
    accounts, days = report.size.pick((2, 5), (8, 90), (16, 90))
    cases = {key: _cases(key, accounts, days, report.size.pick(2, 10, 20)) for key in WANTED}
    requests = report.size.pick(6, 100, 200)
    with upstream() as codex, place() as here:
        codex.latency(0)
        here.add_accounts(requests)
        sides: dict[str, Callable[[], float]] = {}
        for key, found in cases.items():
            sides[key] = partial(_cpu_each, partial(_forecast_all, found), len(found))
        plain = partial(classic.ask, here.accounts, codex.url)
        sides["classic"] = partial(_cpu_each, plain, requests)
        samples = alternate(sides, report.size.rounds)
    for key, wanted in WANTED.items():
        readings = sum(len(case.window.taken_at) for case in cases[key]) // len(cases[key])
        what = f"CPU of one forecast, {key} window, {readings:,} readings"
        ours, other = samples[key], samples["classic"]
        result = Result("23", what, "times the cost", ours, other, "plain script, one request")
        result.unit, result.wanted = "µs", wanted
        report.add(result)


def _next(report: Report) -> None:
    """`next` from stored forecasts, beside `status` of the same accounts."""
    accounts, days = report.size.pick((2, 2), (20, 30), (50, 60))
    with place() as here:
        with here.app().app_context():
            services().ready()
            fill.fill(accounts, days, clock.now())
            forecast_pass.run(clock.now(), 3_600, None)
        command = [sys.executable, "-m", "flask", "quota"]
        sides = {
            "next": partial(here.timed, [*command, "next", "--json"]),
            "status": partial(here.timed, [*command, "status"]),
        }
        if report.size.name != "smoke":
            for side in sides.values():
                side()
        samples = alternate(sides, report.size.rounds * report.size.pick(1, 2, 3))
    what, other = f"flask quota next --json, {accounts} accounts", "flask quota status"
    ours, theirs = samples["next"], samples["status"]
    report.add(Result("24", what, "times the cost", ours, theirs, other, wanted="<= 1.2"))


def _cases(key: str, accounts: int, days: int, moments: int) -> list[Case]:
    """Moments of invented accounts' windows, within the last ninth of *days*."""
    era, rng = Era(START, START + days * DAY), random.Random(1)
    cases = []
    for number in range(accounts):
        tracks = generate.invent(number, era, persona=Persona("plus")).tracks
        for _ in range(moments):
            now = era.end - rng.randrange(days * DAY // 9)
            windows = {track.key: _known(track, now) for track in tracks}
            mine = windows.pop(key)
            cases.append(Case(mine, tuple(windows.values()), now))
    return cases


def _known(track: Track, now: int) -> WindowHistory:
    rows = zip(track.at, track.used, track.resets_at, strict=True)
    known = [(at, used, reset) for at, used, reset in rows if at <= now and used is not None]
    at, used, resets = zip(*known, strict=True)
    return WindowHistory(track.key, track.length_s, at, used, resets)


def _forecast_all(cases: Sequence[Case]) -> None:
    for case in cases:
        forecast(case.window, case.siblings, case.now, UTC)


def _cpu_each(act: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for each of *count* things that *act* does."""
    start = time.process_time()
    act()
    return (time.process_time() - start) / count * 1e6


if __name__ == "__main__":
    main("forecast", run)
