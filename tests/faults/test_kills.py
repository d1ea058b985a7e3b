"""Killed at any moment: nothing that was committed is lost, the database is whole, and the next run
works at once.
"""

import random
import sqlite3
import subprocess
import sys
import time

import pytest

from quota_web.core.checkout import PROJECT
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.faults.figures import Figures, runs
from tests.installation import open_installation

pytestmark = pytest.mark.faults

#: How often something is killed.
RUNS = runs(25, 2_000)
ACCOUNTS = 24
REFRESH = [sys.executable, "-m", "flask", "quota", "refresh", "--force"]


def committed(database) -> dict[tuple[int, int], float]:
    """All readings, as a process of somebody else sees them at this moment."""
    conn = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return {
            (window, at): used
            for window, at, used in conn.execute(
                "SELECT window_id, taken_at, used_percent FROM reading"
            )
        }
    finally:
        conn.close()


def checked(database) -> None:
    conn = sqlite3.connect(database, timeout=10)
    try:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        # Each snapshot is there whole or not at all: both windows, the attempt, the account's row.
        halves = (
            "SELECT taken_at FROM reading GROUP BY taken_at, (window_id - 1) / 2 HAVING "
            "count(*) <> 2"
        )
        assert conn.execute(halves).fetchall() == []
        counted = (
            "SELECT (SELECT coalesce(sum(count), 0) FROM rollup WHERE span = 86400), "
            "(SELECT count(*) FROM reading WHERE used_percent IS NOT NULL)"
        )
        assert len(set(conn.execute(counted).fetchone())) == 1
        ahead = (
            "SELECT name FROM account a WHERE taken_at <> (SELECT max(taken_at) FROM "
            "limit_window w WHERE w.account_id = a.id)"
        )
        assert conn.execute(ahead).fetchall() == []
    finally:
        conn.close()


@pytest.mark.timeout(60 + 20 * RUNS)
def test_a_refresh_that_is_killed_at_any_moment_loses_nothing(
    tmp_path, made_instance, figures: Figures
):
    numbers = random.Random(20_261_121)
    with (
        FakeCodex() as codex,
        open_installation(
            tmp_path, codex, template=made_instance, QUOTA_CONCURRENCY="4"
        ) as installation,
    ):
        now = int(time.time())
        for number in range(ACCOUNTS):
            installation.file(f"account {number:02}", f"acct-{number}", exp=now + 864_000)
        installation.now = now
        codex.default = FakeResponse(body=usage_body(at=now))
        installation.refresh()
        codex.default = FakeResponse(body=usage_body(at=now), delay=0.02)
        seen, lost = committed(installation.database), 0
        for _ in range(RUNS):
            process = subprocess.Popen(
                REFRESH,
                cwd=PROJECT,
                env=installation.process_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            asked = len(codex.seen)
            # Half of the kills fall into the start, half into the asking and storing.
            if numbers.random() < 0.8:
                give_up_at = time.monotonic() + 20
                while (
                    len(codex.seen) == asked
                    and process.poll() is None
                    and time.monotonic() < give_up_at
                ):
                    time.sleep(0.002)
                time.sleep(numbers.uniform(0, 0.25))
            else:
                time.sleep(numbers.uniform(0, 1))
            before = committed(installation.database)
            process.kill()
            process.wait()
            after = committed(installation.database)
            checked(installation.database)
            lost += not seen.items() <= before.items() <= after.items()
            seen = after

        assert len(seen) > 2 * ACCOUNTS
        installation.now = int(time.time())
        started = time.monotonic()
        found = installation.refresh(force=True)
        assert {name: r.status.value for name, r in found.items()} == {
            f"account {n:02}": "ok" for n in range(ACCOUNTS)
        }
        assert time.monotonic() - started < 10
    figures.record(
        "refreshes killed with -9 at any moment",
        of=RUNS,
        bad=lost,
        bad_is="lost a committed reading",
        readings=len(seen),
    )
