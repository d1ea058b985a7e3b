"""Threads, processes and commands on one SQLite file at once: nobody is told that it is locked, and
every count is exact at the end.
"""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from quota_web import store
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import BadDatabase
from quota_web.reports import overview
from quota_web.services import services
from tests.fakes import NOW
from tests.faults.figures import runs
from tests.operations import add_account, environment, make_app, record, rows

THREADS, PROCESSES = 8, 2


def test_mixed_transactions(figures, instance_dir):
    app, each = make_app(instance_dir), runs(1_000, 10_000) // (THREADS + PROCESSES)
    refused: list[str] = []
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        ids = [add_account(f"account-{number}", number) for number in range(THREADS + PROCESSES)]
        before = overview.version()[1]
        threads = [
            threading.Thread(target=in_thread, args=(app, account_id, each, refused))
            for account_id in ids[:THREADS]
        ]
        others = [
            begin(
                instance_dir, "-m", "tests.faults.test_mixed", str(instance_dir), str(i), str(each)
            )
            for i in ids[THREADS:]
        ]
        for thread in threads:
            thread.start()
        commands = 0
        while any(thread.is_alive() for thread in threads):
            ended = finish(begin(instance_dir, "-m", "flask", "quota", "status", "--json"))
            refused += ended
            commands += 1
        for thread in threads:
            thread.join()
        for process in others:
            refused += finish(process)
        total = (THREADS + PROCESSES) * each
        off = abs(rows(store.models.reading) - 2 * (total // 2)) + abs(
            overview.version()[1] - before - total // 2
        )
        store.database.forget_troubles()
    print(*refused, sep="\n")
    figures.record(
        "mixed transactions by threads, processes and commands",
        of=total,
        bad=len(refused) + off,
        bad_is="were refused, or are missing in the counts",
        commands_meanwhile=commands,
    )


def in_thread(app, account_id: int, count: int, refused: list[str]) -> None:
    with app.app_context():
        refused += mix(account_id, count)


def mix(account_id: int, count: int) -> list[str]:
    """Store a snapshot, read everything, then read a number and write the next one, by turns; what
    was refused.
    """
    refused = []
    for number in range(count):
        try:
            if number % 2:
                record(account_id, NOW + number)
            else:
                overview.load_overview(services().scope, NOW, 3_600)
                with store.database.transaction() as tx:
                    store.site_state.bump_version(tx, NOW)
        except BadDatabase as error:
            refused.append(str(error))
        # SQLite gives its lock to whoever happens to ask at the right moment: among writers without
        # any pause somebody waits for ever.
        time.sleep(random.uniform(0, 0.02))
    return refused


def begin(instance: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command,
        env=environment(instance),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    said = process.communicate(timeout=800)[1]
    return said.splitlines() or ([f"status {process.returncode}"] if process.returncode else [])


def main(instance: str, account_id: str, count: str) -> int:
    with make_app(Path(instance)).app_context():
        services().ready()
        refused = mix(int(account_id), int(count))
    print(*refused, sep="\n", end="", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
