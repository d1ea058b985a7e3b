"""Killed at any moment while rollups, cycles and events are made anew: no reading is lost, what is
shown adds up meanwhile, and the next rebuild ends where an undisturbed one does.
"""

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.demo import fill
from quota_web.maintenance import rebuild
from tests.faults.figures import Figures, runs
from tests.installation import Installation, open_installation

REBUILD = [sys.executable, "-m", "flask", "quota", "doctor", "--rebuild"]
RUNS = runs(4, 200)
ACCOUNTS, DAYS = 4, 60
DERIVED = (
    "SELECT * FROM rollup ORDER BY 1, 2, 3",
    "SELECT window_id, started_at, ended_at, how, peak, ran_out_at, readings FROM cycle "
    "ORDER BY window_id, ended_at",
    "SELECT kind, account_id, window_id, at, data FROM event WHERE rule IS NOT NULL AND "
    "withdrawn_at IS NULL ORDER BY at, kind, account_id, window_id",
    "SELECT id, used_percent, resets_at, taken_at, gone_at FROM limit_window ORDER BY id",
)
READINGS = "SELECT count(*), sum(taken_at), total(used_percent) FROM reading"
#: Readings that no daily figure counts, cycles that are there twice.
AMISS = (
    "SELECT count(*) - (SELECT sum(count) FROM rollup WHERE span = 86400) FROM reading "
    "WHERE used_percent IS NOT NULL",
    "SELECT count(*) - count(DISTINCT window_id || ' ' || ended_at) FROM cycle",
)


def test_a_rebuild_that_is_killed_at_any_moment_is_made_good_by_the_next(
    tmp_path, made_instance, figures: Figures
):
    numbers, now = random.Random(20_261_126), clock.now()
    with open_installation(tmp_path, template=made_instance) as installation:
        fill.fill(ACCOUNTS, DAYS, now)
        alone = _rebuilt(installation, now)
        readings, took = installation.rows(READINGS), _let_run(installation)
        wrong = cut = 0
        for _ in range(RUNS):
            cut += _killed_after(installation, numbers.uniform(0.3, 1.0) * took)
            wrong += _is_amiss(installation) or installation.rows(READINGS) != readings
        wrong += _rebuilt(installation, now) != alone
    assert cut > 0
    figures.record(
        "rebuilds of cycles, events and rollups killed with -9 at any moment",
        of=RUNS,
        bad=wrong,
        bad_is="lost a reading, showed figures that do not add up, or were not made good",
        readings=readings[0][0],
        cut_short=cut,
    )


def _rebuilt(installation: Installation, now: int) -> list[list[tuple]]:
    rebuild.rebuild(now, "test", lambda done, total: None)
    return [installation.rows(query) for query in DERIVED]


def _begun(installation: Installation) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    # What the doctor finds beside it is not asked for.
    environment = installation.process_environment(QUOTA_USAGE_URL="http://127.0.0.1:9/usage")
    return subprocess.Popen(REBUILD, cwd=PROJECT, env=environment, stdout=quiet, stderr=quiet)


def _let_run(installation: Installation) -> float:
    """How many seconds an undisturbed one takes."""
    started, process = time.monotonic(), _begun(installation)
    process.wait()
    return time.monotonic() - started


def _killed_after(installation: Installation, seconds: float) -> bool:
    """Whether it was still at work."""
    process = _begun(installation)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def _is_amiss(installation: Installation) -> bool:
    with closing(sqlite3.connect(installation.database, timeout=30)) as conn:
        is_whole = conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return not is_whole or any(installation.rows(query) != [(0,)] for query in AMISS)
