"""Refreshing: against the plain script, against the ideal, how many connections, how much CPU, and
how much of that is storing.
"""

import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench import classic
from bench.harness import PROJECT, Curve, Report, Result, alternate, main
from bench.place import Place, Upstream, place, upstream
from quota_web import store
from quota_web.accounts import folder_sync
from quota_web.core import clock
from quota_web.refresh import context, refresh_service
from quota_web.refresh.refresh_service import RefreshContext
from quota_web.services import services
from quota_web.store.accounts import Scope

LATENCY = 0.2


def run(report: Report) -> None:
    with upstream() as codex:
        _whole_process(report, codex)
        _loop(report, codex)
        _connections(report, codex)
        _processor_time(report, codex)


def _whole_process(report: Report, codex: Upstream) -> None:
    """Goal 1: the classic command from start to end, stored, against the plain script."""
    accounts = report.size.pick(6, 200, 200)
    codex.latency(LATENCY if report.size.name != "smoke" else 0.02)
    with place() as here:
        here.add_accounts(accounts)
        ours = {k: _timed(here, _command(here, codex), QUOTA_CONCURRENCY=str(k)) for k in (16, 64)}
        for one in list(ours.values())[: report.size.pick(1, 2, 2)]:
            one()  # makes the database and follows the accounts, once
        plain = _timed(here, [sys.executable, "-m", "bench.classic", str(here.accounts), codex.url])
        # The plain script's time is accounts × latency; one turn of it says enough, and five would
        # take minutes.
        sides = {"classic": plain, "16": ours[16], "64": ours[64]}
        samples = alternate(
            sides, report.size.rounds, once=() if report.size.name == "full" else ("classic",)
        )
    for k, wanted in ((16, ">= 12"), (64, ">= 25")):
        what = f"refresh {accounts} accounts, {k} at once, whole process, stored"
        report.add(
            Result(
                "1",
                what,
                "times faster",
                samples[str(k)],
                samples["classic"],
                "plain script, one by one",
                wanted=wanted,
            )
        )


def _command(here: Place, codex: Upstream) -> list[str]:
    return [
        sys.executable,
        str(PROJECT / "codex_quota.py"),
        "--account-dir",
        str(here.accounts),
        "--chatgpt-url",
        codex.url,
        "--refresh",
    ]


def _timed(here: Place, command: list[str], **more: str) -> Callable[[], float]:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run(
            command,
            cwd=PROJECT,
            env=here.environment(**more),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start

    return once


def _context(here: Place) -> RefreshContext:
    present = services()
    present.ready()
    folder_sync.sync(present.cipher, here.accounts, clock.now())
    refresh_context = context.make_context(present)
    refresh_context.now = _Minutes()
    return refresh_context


class _Minutes:
    """A clock that a refresh puts on by a minute: two answers within one second are a rare case,
    with a way of its own.
    """

    def __init__(self) -> None:
        self._at = clock.now()

    def __call__(self) -> int:
        return self._at

    def pass_on(self) -> None:
        self._at += 60


def _refreshed(refresh_context: RefreshContext) -> int:
    assert isinstance(refresh_context.now, _Minutes)
    refresh_context.now.pass_on()
    chosen, _ = refresh_service.select(Scope())
    results = list(refresh_service.refresh(refresh_context, chosen, force=True))
    assert all(r.fault is None for r in results), results[0]
    return len(results)


def _loop(report: Report, codex: Upstream) -> None:
    """Goal 2: the loop alone against ceil(N/k) · latency."""
    latency = report.size.pick(0.02, LATENCY, LATENCY)
    codex.latency(latency)
    lines: dict[str, list[tuple[float, float]]] = {}
    for k in (16, 64):
        for accounts in report.size.pick((6,), (10, 50, 200, 1000), (10, 50, 200, 1000)):
            with place(QUOTA_USAGE_URL=codex.url, QUOTA_CONCURRENCY=str(k)) as here:
                here.add_accounts(accounts)
                with here.app().app_context():
                    refresh_context = _context(here)
                    rounds = (
                        report.size.rounds if accounts <= 200 or report.size.name == "full" else 2
                    )
                    samples = alternate(
                        {"loop": partial(_wall, refresh_context)},
                        rounds,
                    )["loop"]
            ideal = math.ceil(accounts / k) * latency
            lines.setdefault(f"{k} at once", []).append(
                (accounts, sorted(samples)[len(samples) // 2])
            )
            lines.setdefault(f"ideal, {k} at once", []).append((accounts, ideal))
            if accounts >= 200 or report.size.name == "smoke":
                what = f"refresh loop, {accounts} accounts, {k} at once, less 0.1 s"
                ours = [max(0.0, s - 0.1) for s in samples]
                report.add(
                    Result(
                        "2",
                        what,
                        "times the cost",
                        ours,
                        [ideal],
                        "ideal: ceil(N/k) · latency",
                        wanted="<= 1.15",
                    )
                )
    report.curves.append(
        Curve(
            "refresh",
            "One refresh of all accounts, answers after 200 ms",
            "accounts",
            "seconds",
            lines,
        )
    )


def _wall(refresh_context: RefreshContext) -> float:
    start = time.perf_counter()
    _refreshed(refresh_context)
    return time.perf_counter() - start


def _connections(report: Report, codex: Upstream) -> None:
    """Goal 3: connections of the first refresh, and of the next."""
    accounts, k = report.size.pick(6, 200, 200), 16
    codex.latency(0.02)
    with place(QUOTA_USAGE_URL=codex.url, QUOTA_CONCURRENCY=str(k)) as here:
        here.add_accounts(accounts)
        with here.app().app_context():
            refresh_context = _context(here)
            counted = []
            for _ in range(2):
                codex.counted()
                _refreshed(refresh_context)
                counted.append(float(codex.counted()["connections"]))
    report.add(
        Result(
            "3",
            f"connections for {accounts} accounts, {k} at once",
            "count",
            counted[:1],
            unit="connections",
            wanted=f"<= {k}",
        )
    )
    report.add(
        Result(
            "3",
            "new connections for the next refresh",
            "count",
            counted[1:],
            unit="connections",
            wanted="<= 0",
        )
    )


def _processor_time(report: Report, codex: Upstream) -> None:
    """Goals 4 and 5: CPU an account, fetched and stored, and what of it is the database's."""
    accounts = report.size.pick(6, 200, 200)
    codex.latency(0)
    with place(QUOTA_USAGE_URL=codex.url) as here:
        here.add_accounts(accounts)
        with here.app().app_context():
            refresh_context, storing = _context(here), _Storing()
            _refreshed(refresh_context)
            sides = {
                "ours": lambda: storing.measured(lambda: _refreshed(refresh_context)),
                "classic": lambda: _cpu(lambda: classic.ask(here.accounts, codex.url)),
            }
            samples = alternate(sides, report.size.rounds)
    each = {name: [s / accounts * 1e6 for s in found] for name, found in samples.items()}
    report.add(
        Result(
            "4",
            "CPU an account, fetched and stored, 16 at once",
            "times the cost",
            each["ours"],
            each["classic"],
            "plain script, not stored",
            "µs",
            "<= 1.6",
        )
    )
    for what, spent, wanted in (
        ("writes and commits", storing.writing, "<= 15"),
        ("claims, reads, writes and commits", storing.whole, ""),
    ):
        shares = [100 * s / whole for s, whole in zip(spent, samples["ours"], strict=True)]
        report.add(
            Result(
                "5", f"share of that CPU that {what}", "percent", shares, unit="%", wanted=wanted
            )
        )


def _cpu(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


class _Storing:
    """Adds up the CPU time of the loop's transactions: the whole of each, and of that what writes
    and commits the results.
    """

    def __init__(self) -> None:
        self.whole: list[float] = []
        self.writing: list[float] = []

    def measured(self, act: Callable[[], object]) -> float:
        whole, writing, transaction, record = (
            [0.0],
            [0.0],
            store.database.transaction,
            store.recording.record,
        )

        class Timed:
            def __enter__(self) -> object:
                self._start, self._real = time.thread_time(), transaction()
                return self._real.__enter__()

            def __exit__(self, *error: object) -> object:
                start = time.thread_time()
                try:
                    return self._real.__exit__(*error)  # type: ignore[arg-type]
                finally:
                    whole[0] += time.thread_time() - self._start
                    writing[0] += time.thread_time() - start

        def timed_record(*arguments: Any) -> set[int]:
            start = time.thread_time()
            try:
                return record(*arguments)
            finally:
                writing[0] += time.thread_time() - start

        store.database.transaction, store.recording.record = Timed, timed_record  # type: ignore[assignment]
        try:
            spent = _cpu(act)
        finally:
            store.database.transaction, store.recording.record = transaction, record
        self.whole.append(whole[0])
        self.writing.append(writing[0])
        return spent


if __name__ == "__main__":
    main("refresh", run)
