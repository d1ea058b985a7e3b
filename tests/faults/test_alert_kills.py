"""Killed at any moment while readings are stored that are alerts: each is told once, together with
the reading that shows it.
"""

import random
import subprocess
import sys
import time

import pytest

from quota_web.core.checkout import PROJECT
from tests.alerts.channels import with_channel
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.faults.figures import runs

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("database")]

#: How often a refresh is killed.
RUNS = runs(12, 300)
ACCOUNTS = 16
REFRESH = [sys.executable, "-m", "flask", "quota", "refresh", "--force"]
#: Per account: the used percent of its week, its alerts, and what is to be sent of them.
TOLD = """
SELECT w.used_percent,
       (SELECT count(*) FROM event e WHERE e.account_id = w.account_id AND e.kind = 'quota.low'),
       (SELECT count(*) FROM delivery d JOIN event e ON e.id = d.event_id
        WHERE e.account_id = w.account_id AND e.kind = 'quota.low')
FROM limit_window w WHERE w.key = 'weekly' ORDER BY w.account_id
"""


@pytest.mark.timeout(60 + 20 * RUNS)
def test_a_refresh_that_is_killed_neither_loses_an_alert_nor_tells_it_twice(installation, codex):
    numbers, crossings = random.Random(20_261_121), 0
    with_channel()
    for kill in range(RUNS):
        now = int(time.time())
        names = [f"account-{kill}-{number}" for number in range(ACCOUNTS)]
        for name in names:
            installation.file(name, f"acct-{name}", exp=now + 864_000)
        installation.now = now - 300
        codex.default = FakeResponse(body=usage_body(10, 60, at=now))
        installation.refresh(*names)
        codex.default = FakeResponse(body=usage_body(10, 81, at=now), delay=0.02)
        kill_one(installation, codex, numbers, names)

        found = installation.rows(TOLD)[-ACCOUNTS:]
        assert set(found) <= {(60.0, 0, 0), (81.0, 1, 1)}
        crossings += sum(row[0] == 81.0 for row in found)
        installation.now = int(time.time()) + 60
        codex.default = FakeResponse(body=usage_body(10, 82, at=now))
        installation.refresh(*names, force=True)
        assert installation.rows(TOLD)[-ACCOUNTS:] == [(82.0, 1, 1)] * ACCOUNTS

    assert crossings > 0


def kill_one(installation, codex: FakeCodex, numbers: random.Random, names: list[str]) -> None:
    """Let a refresh of its own process come as far as chance has it."""
    process = subprocess.Popen(
        [*REFRESH, *names],
        cwd=PROJECT,
        env=installation.process_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    asked, give_up_at = len(codex.seen), time.monotonic() + 30
    while len(codex.seen) == asked and process.poll() is None and time.monotonic() < give_up_at:
        time.sleep(0.002)
    time.sleep(numbers.uniform(0, 0.5))
    process.kill()
    process.wait()
