"""Many processes, killed and stopped at any moment: nobody is asked twice, nobody is forgotten,
nothing that was answered is lost.
"""

import collections
import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.refresh.worker import CLAIM_LASTS
from tests.fakes import FakeCodex, FakeResponse, Seen, usage_body
from tests.faults.figures import Figures, runs
from tests.servers import Server

STOP_WITHIN_S = 8.0
#: A request that came at least so long before the signal has been taken in by the service.
TAKEN_IN_S = 0.5


#: How long a request and storing its answer take at most, on a busy machine.
ASKING_S = 1.5


class WatchedCodex(FakeCodex):
    """Knows when each request began and when its answer was out, and whether one account was ever
    asked twice at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.default = FakeResponse(body=usage_body(at=clock.now()), delay=0.1)
        self.began: dict[str, list[float]] = collections.defaultdict(list)
        self.answered: dict[str, list[float]] = collections.defaultdict(list)
        self.overlaps = 0
        self._open_for: collections.Counter[str] = collections.Counter()
        self._watching = threading.Lock()

    def has_answered(self, accounts: int) -> bool:
        return len(self.answered) >= accounts

    def _play(self, connection: socket.socket, seen: Seen) -> bool:
        who = seen.account_id
        with self._watching:
            self.began[who].append(time.monotonic())
            self._open_for[who] += 1
            self.overlaps += self._open_for[who] > 1
        try:
            went_well = super()._play(connection, seen)
            if went_well:
                with self._watching:
                    self.answered[who].append(time.monotonic())
            return went_well
        finally:
            with self._watching:
                self._open_for[who] -= 1


@pytest.fixture
def watched():
    with WatchedCodex() as codex:
        yield codex


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_every_account_at_once(tmp_path: Path, watched: WatchedCodex, workers: int, preload: bool):
    """Any number of workers, a command and a pressed button: nobody is asked by two at the same
    time; by the schedule alone, once.
    """
    accounts = 12
    options = ["--workers", str(workers), *(["--preload"] if preload else [])]
    with Server(tmp_path, watched, accounts, QUOTA_AUTH="off").gunicorn(*options) as server:
        server.wait_for(
            lambda: (
                server.rows("SELECT count(*) FROM account WHERE taken_at IS NOT NULL")
                == [(accounts,)]
            ),
            60,
        )
        by_schedule = [len(times) for times in watched.began.values()]
        command = subprocess.Popen(
            [sys.executable, "-m", "flask", "quota", "refresh"],
            cwd=PROJECT,
            env=server.env,
            stdout=subprocess.DEVNULL,
        )
        server.get("/refresh")
        assert command.wait(60) == 0

    assert by_schedule == [1] * accounts
    assert watched.overlaps == 0


def test_workers_killed_at_random(tmp_path: Path, watched: WatchedCodex, figures: Figures):
    """Four workers with a short interval, one of them killed every second or so."""
    kills, accounts, interval = runs(25, 100), 24, 10
    with Server(tmp_path, watched, accounts, QUOTA_REFRESH_INTERVAL=str(interval)).gunicorn(
        "--workers", "4", "--log-level", "critical"
    ) as server:
        killed_at = []
        for _ in range(kills):
            time.sleep(random.uniform(0.3, 1.2))
            victims = server.workers()
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    killed_at.append(time.monotonic())
                    os.kill(random.choice(victims), signal.SIGKILL)
        last_kill = time.monotonic()
        allowed = CLAIM_LASTS + 2 * interval + 15
        server.wait_for(
            lambda: all(times[-1] > last_kill for times in list(watched.began.values())), allowed
        )
        slowest = (
            max(next(at for at in times if at > last_kill) for times in watched.began.values())
            - last_kill
        )
        integrity = server.rows("PRAGMA integrity_check")

    pairs = [pair for times in watched.began.values() for pair in itertools.pairwise(times)]
    # Whoever was killed while asking took the answer along: that account is rightly asked again at
    # once.
    too_soon = sum(
        later - earlier < interval * 0.8
        and not any(earlier <= at <= min(later, earlier + ASKING_S) for at in killed_at)
        for earlier, later in pairs
    )
    asked = sum(len(times) for times in watched.began.values())
    assert integrity == [("ok",)]
    figures.record(
        "workers killed with -9 at random",
        of=kills,
        bad=too_soon,
        bad_is="asked an account twice",
        requests=asked,
        slowest_account_after_the_last_kill_s=round(slowest, 1),
    )


@pytest.mark.parametrize("kind", ["classic", "gunicorn"])
def test_stopped_at_random(tmp_path: Path, kind: str, figures: Figures):
    """SIGTERM at a random moment of a refresh, again and again, after some answers were given."""
    stops, lost, late, slowest, given, kept = runs(10, 200), 0, 0, 0.0, 0, 0
    for number in range(stops):
        folder = tmp_path / str(number)
        folder.mkdir()
        codex = WatchedCodex()
        codex.default = FakeResponse(
            body=usage_body(at=clock.now()), delay=random.uniform(0.1, 0.5)
        )
        with codex:
            server = Server(folder, codex, 16)
            with server.classic() if kind == "classic" else server.gunicorn("--workers", "2"):
                server.wait_for(partial(codex.has_answered, random.randint(1, 12)))
                time.sleep(random.uniform(0.0, 1.0))
                signalled = time.monotonic()
                took = server.stop()
            stored = {
                str(name)
                for (name,) in server.rows(
                    "SELECT chatgpt_account_id FROM account WHERE taken_at IS NOT NULL"
                )
            }
            before = {
                who: signalled - times[0]
                for who, times in codex.answered.items()
                if times[0] < signalled
            }
            left_claimed = server.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL")[
                0
            ][0]
        given += len(before)
        kept += len(stored & before.keys())
        lost += sum(ago > TAKEN_IN_S and who not in stored for who, ago in before.items())
        late += took > STOP_WITHIN_S or left_claimed != 0
        slowest = max(slowest, took)
    figures.record(f"stops with SIGTERM during a refresh ({kind})", of=stops, bad=lost + late,
                   bad_is="lost an answer or took longer than 8 s",
                   answers_given_before_the_signal=given, of_these_stored=kept,
                   slowest_s=round(slowest, 2))  # fmt: skip
