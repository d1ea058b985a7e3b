"""Cycles and CSV on a long history: peaks of cycles from the kept table against raw readings, a
year of minutes as CSV against sqlite3 and csv.writer, and how long judging all of it again takes.
"""

import csv
import sqlite3
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from bench.harness import Report, Result, alternate, main
from bench.place import place
from quota_web import store
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.demo.personas import PLAIN
from quota_web.foresight import detection_backfill
from quota_web.reports import raw_history
from quota_web.reports.history import HistoryQuery
from quota_web.services import services
from quota_web.store.models import cycle

DAY = 86_400
#: The window whose readings are written, and whose cycles are read.
WINDOW, KEY = 2, "weekly"
_READINGS = """
    SELECT a.name, w.key, r.taken_at, r.used_percent, 100 - r.used_percent, r.resets_at
    FROM reading r JOIN limit_window w ON w.id = r.window_id JOIN account a ON a.id = w.account_id
    WHERE w.id = ? ORDER BY r.taken_at
"""
#: The most that was used before each reset; one that moves by seconds is the same.
_PEAKS = """
    SELECT resets_at / 600, max(used_percent) FROM reading WHERE window_id = ? GROUP BY 1
"""


def run(report: Report) -> None:
    accounts, days = report.size.pick((1, 4), (2, 365), (20, 365))
    with place() as here, here.app().app_context():
        services().ready()
        now = clock.now()
        readings = fill.fill(accounts, days, now, every_s=60, persona=PLAIN)
        _peaks(report, here.database, days)
        _csv(report, here.database, now, days)
        what = f"judging {readings / 1e6:.3g} M readings of {accounts} accounts again, CPU"
        report.add(Result("9", what, "s", [_cpu(lambda: detection_backfill.rebuild(now))]))


def _peaks(report: Report, database: Path, days: int) -> None:
    with sqlite3.connect(database) as raw, store.database.reading() as conn:
        kept = select(cycle.c.ended_at, cycle.c.peak).where(cycle.c.window_id == WINDOW)
        sides: dict[str, Callable[[], float]] = {
            "kept": lambda: _milliseconds(lambda: conn.execute(kept).all()),
            "raw": lambda: _milliseconds(lambda: raw.execute(_PEAKS, (WINDOW,)).fetchall()),
        }
        took = alternate(sides, report.size.rounds)
    what = f"peaks of the cycles of one window over {days} days"
    other = "GROUP BY over raw readings"
    report.add(Result("9", what, "times faster", took["kept"], took["raw"], other, "ms", ">= 50"))


def _csv(report: Report, database: Path, now: int, days: int) -> None:
    asked = HistoryQuery(now - days * DAY, now, accounts=("alice",), windows=(KEY,))

    def ours() -> object:
        return sum(len(piece.encode()) for piece in raw_history.csv_lines(services().scope, asked))

    def bare() -> object:
        with sqlite3.connect(database) as raw, Path("/dev/null").open("w", encoding="utf-8") as out:
            csv.writer(out).writerows(raw.execute(_READINGS, (WINDOW,)))
            return None

    grown = _peak_memory(ours)
    took = alternate({"ours": lambda: _cpu(ours), "bare": lambda: _cpu(bare)}, report.size.rounds)
    what = f"CSV of one window's minutes over {days} days, CPU"
    other = "sqlite3 into csv.writer"
    report.add(
        Result("26", what, "times the cost", took["ours"], took["bare"], other, "s", "<= 1.5")
    )
    report.add(
        Result("26", "memory that it takes on top", "MiB", [grown], unit="MiB", wanted="<= 16")
    )


def _milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def _cpu(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def _peak_memory(act: Callable[[], object]) -> float:
    """The most memory that Python held for *act* at any moment, in MiB."""
    tracemalloc.start()
    act()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    main("event_log", run)
