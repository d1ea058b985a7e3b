"""What is seen of a service while faults are made: its answers, its accounts' readings, and what
its processes take.
"""

import http.client
import os
import statistics
import time
from contextlib import suppress
from typing import NamedTuple

from bench.processes import megabytes, tree
from quota_web.core.policy import BACKOFF_FIRST
from tests.servers import Server

#: When a reading is too old whose account is asked every few seconds: a tick, a lock that is waited
#: for, and a busy machine.
LATE_S = 60
#: An account that failed waits for its pause, and if it met the next fault then, twice as long.
PAUSES_S = 2.2 * BACKOFF_FIRST


class Sample(NamedTuple):
    """What the service's processes take together."""

    mib: float
    descriptors: int
    threads: int
    wal_mib: float


class Watch:
    """One service, and what was seen of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.samples: list[Sample] = []
        self.answers = 0
        self.errors: list[str] = []
        #: Each account with the reading of it that became too old.
        self.missed: set[tuple[str, int]] = set()
        #: Whether a connection may break now.
        self.may_break = False
        #: Accounts that met a fault, and when it was over.
        self.hit: dict[str, float] = {}
        #: Until when no account counts as late.
        self.all_excused_until = 0.0

    def ask(self, path: str) -> None:
        """Ask for a page; anything but 200 is an error."""
        self.answers += 1
        try:
            status, _ = self.server.get(path)
        except (OSError, http.client.HTTPException) as error:
            if not self.may_break:
                self.errors.append(f"{path}: {error!r}")
            return
        if status != 200:
            self.errors.append(f"{path}: {status}")

    def weigh(self) -> None:
        """Take a sample of the processes."""
        # A process may end meanwhile.
        with suppress(OSError):
            pid = self.server.process.pid
            pids = tree(pid)
            self.samples.append(
                Sample(
                    megabytes(pid),
                    sum(len(os.listdir(f"/proc/{one}/fd")) for one in pids),
                    sum(len(os.listdir(f"/proc/{one}/task")) for one in pids),
                    (self.server.instance / "quota.sqlite-wal").stat().st_size / 2**20,
                )
            )

    def look_at_accounts(self) -> None:
        """Note accounts whose reading is too old, unless a fault excuses it."""
        now = time.time()
        for name, taken_at in self.server.rows("SELECT chatgpt_account_id, taken_at FROM account"):
            account, read_at = str(name), int(str(taken_at))
            hit_at = self.hit.get(account, 0.0)
            if read_at >= int(hit_at):
                self.hit.pop(account, None)
                hit_at = 0.0
            excused_until = max(self.all_excused_until, hit_at + PAUSES_S + LATE_S)
            if now - read_at > LATE_S and now > excused_until:
                self.missed.add((account, read_at))


def growth(samples: list[Sample]) -> Sample:
    """By how much the median of the last fifth is above that of the second one."""
    fifth = len(samples) // 5
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    return Sample(
        *(
            round(statistics.median(after) - statistics.median(before), 1)
            for before, after in zip(zip(*early, strict=True), zip(*late, strict=True), strict=True)
        )
    )
