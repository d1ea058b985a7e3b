"""A service at full speed while one fault follows the other: every page answers, no account waits,
no alert is lost, and what the service takes of the machine does not grow.

QUOTA_FAULT_RUNS=many puts a fault every minute for two hours, QUOTA_FAULT_RUNS=10 for one; CI plays
the first few within seconds, where the bounds are wide.

No fault excuses an answer of 5xx. A connection may break while a worker is killed or all of them
are replaced. An account that met a fault of the upstream is excused until it has answered again,
for two of its pauses at most; all are while the service holds back because the upstream failed for
all or the disk refused writes. Any other one whose reading is older than LATE_S missed its time.

Replacing all workers hides what the old ones leaked, and after a failure for all none is asked for
five minutes: both are done in the first fifth of the time only, and of the workers the youngest is
killed.
"""

import itertools
import json
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from bench.processes import tree
from quota_web.core.policy import HOST_PAUSE_FIRST
from tests.alerts.receiver import Receiver
from tests.alerts.sending import LOOPBACK, add_channel, add_event, change_delivery, deliveries
from tests.fakes import FAR, FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.faults.figures import Figures, asked, runs
from tests.faults.watch import LATE_S, Sample, Watch, growth
from tests.installation import open_installation
from tests.issuer import CANARY, FakeIssuer
from tests.servers import Server
from tests.sign_ins.house import House

FAULTS, IS_LONG = runs(6, 120), asked() != "1"
#: From one fault to the next, and how long one lasts.
EVERY_S, LASTS_S = (60.0, 10.0) if IS_LONG else (1.5, 1.0)
INTERVAL_S = 5
#: How far the median of the last fifth may be above that of the second one.
MORE = Sample(32, 16, 8, 32) if IS_LONG else Sample(200, 200, 100, 32)
FOLLOWED, OWN, WORKERS = 18, 2, 2
PATHS = ("/", "/api/results", "/api/history?range=24h", "/metrics")
REFUSED = FakeResponse(401, body={"error": {"code": "token_expired", "message": "expired"}})
Fault = Callable[[], AbstractContextManager[None]]


class Soak:
    """One service with its upstream, and what was seen of it."""

    def __init__(
        self, server: Server, codex: FakeCodex, issuer: FakeIssuer, receiver: Receiver
    ) -> None:
        self.server, self.codex, self.issuer, self.receiver = server, codex, issuer, receiver
        self.seen, self.renewals = Watch(server), 0
        self._paths, self._looks = itertools.cycle(PATHS), itertools.count()
        self._pairs = itertools.cycle(range(0, FOLLOWED, 2))

    def faults(self) -> Iterator[Fault]:
        """All kinds in turn, for ever, but in a long run some in the first fifth only."""
        silent, cut = FakeResponse(delay=60), FakeResponse(drop="request")
        bad = [cut, FakeResponse(status=503), silent, FakeResponse(raw=b"<html>\xff")]
        dropped, *others = [partial(self.bad_answers, answer) for answer in bad]
        once: list[Fault] = [self.reload, self.failing_upstream]
        kinds: list[Fault] = [self.failing_receiver, self.killed_worker, self.locked_database]
        kinds += [dropped, self.rewritten_file, *once]
        kinds += [self.refused_token, *others, self.refused_writes]
        for number, kind in enumerate(itertools.cycle(kinds)):
            if kind not in once or not IS_LONG or number < FAULTS / 5:
                yield kind

    def watch(self, seconds: float) -> None:
        """Ask for pages and look at the processes and accounts for so long."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self.seen.ask(next(self._paths))
            if next(self._looks) % (10 if IS_LONG else 1) == 0:
                self.seen.weigh()
                self.seen.look_at_accounts()
            time.sleep(min(0.25, max(0.0, until - now)))

    @contextmanager
    def failing_receiver(self) -> Iterator[None]:
        self.receiver.answers(500)
        yield
        self.receiver.answers(200)

    @contextmanager
    def killed_worker(self) -> Iterator[None]:
        self.seen.may_break = True
        os.kill(self.server.workers()[-1], signal.SIGKILL)
        yield
        self.server.wait_for(lambda: len(self.server.workers()) == WORKERS)
        self.seen.may_break = False

    @contextmanager
    def reload(self) -> Iterator[None]:
        self.seen.may_break, old = True, set(self.server.workers())
        self.server.process.send_signal(signal.SIGHUP)
        yield
        self.server.wait_for(lambda: len(set(self.server.workers()) - old) == WORKERS)
        self.server.wait_for(lambda: not old & set(self.server.workers()))
        self.seen.may_break = False

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        file = self.server.instance / "quota.sqlite"
        conn = sqlite3.connect(file, isolation_level=None, timeout=30)
        conn.execute("BEGIN IMMEDIATE")
        yield
        conn.close()

    @contextmanager
    def refused_writes(self) -> Iterator[None]:
        """No file may be longer than a page, as on a disk that is full."""
        self._limit_files(4_096)
        yield
        self._limit_files(resource.RLIM_INFINITY)
        # Twice the pause of a schedule that could not store.
        self.seen.all_excused_until = time.time() + 120 + LATE_S

    def _limit_files(self, length: int) -> None:
        for pid in tree(self.server.process.pid):
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (length, most))

    @contextmanager
    def rewritten_file(self) -> Iterator[None]:
        """A file that another program rewrites, half of it for a while."""
        number = next(self._pairs)
        file = self.server.account_dir / f"a{number}.auth.json"
        token = make_jwt(f"acct-{number}", exp=FAR, written_at=time.time())
        whole = json.dumps(auth_document(f"acct-{number}", access_token=token))
        file.write_text(whole[: len(whole) // 2])
        yield
        file.write_text(whole)

    @contextmanager
    def refused_token(self) -> Iterator[None]:
        account = f"acct-{100 + self.renewals % OWN}"
        self.renewals += 1
        self.seen.hit[account] = time.time() + LASTS_S
        self.codex.answers(account, REFUSED, self.codex.default)
        yield

    @contextmanager
    def bad_answers(self, answer: FakeResponse) -> Iterator[None]:
        """Two accounts at a time: of more the service would think that the upstream is down."""
        first = next(self._pairs)
        pair = [f"acct-{first}", f"acct-{first + 1}"]
        for account in pair:
            self.codex.answers(account, answer)
        yield
        for account in pair:
            self.codex.answers(account)
            self.seen.hit[account] = time.time()

    @contextmanager
    def failing_upstream(self) -> Iterator[None]:
        usual, sent = self.codex.default, len(self.codex.seen)
        self.codex.default = FakeResponse(status=503)
        yield
        self.codex.default = usual
        for one in self.codex.seen[sent:]:
            self.seen.hit[one.account_id] = time.time()
        self.seen.all_excused_until = time.time() + HOST_PAUSE_FIRST + LATE_S


@pytest.fixture
def soak(tmp_path: Path, made_instance: Path, codex: FakeCodex) -> Iterator[Soak]:
    now = int(time.time())
    codex.default = FakeResponse(body=usage_body(10, 40, at=now))
    with (
        Receiver() as receiver,
        FakeIssuer() as issuer,
        open_installation(tmp_path, template=made_instance, **LOOPBACK) as installation,
    ):
        installation.now = now
        house = House(installation, issuer)
        for number in range(100, 100 + OWN):
            house.sign_in(f"own {number}", number)
        add_channel(receiver.url)
        settings = {
            "QUOTA_AUTH": "off",
            "QUOTA_AUTH_URL": issuer.url,
            "QUOTA_REFRESH_INTERVAL": str(INTERVAL_S),
            "QUOTA_RETRIES": "0",
            "QUOTA_TIMEOUT": "3",
            **LOOPBACK,
        }
        server = Server(tmp_path, codex, FOLLOWED, **settings)
        with server.gunicorn("--workers", str(WORKERS)):
            read = "SELECT count(taken_at) FROM account"
            server.wait_for(lambda: server.rows(read) == [(FOLLOWED + OWN,)], 60)
            yield Soak(server, codex, issuer, receiver)


def test_a_service_stands_one_fault_after_the_other(soak: Soak, figures: Figures) -> None:
    began, at, kinds = time.monotonic(), int(time.time()), soak.faults()
    codex, seen = soak.codex, soak.seen
    for number in range(FAULTS):
        codex.default = FakeResponse(body=usage_body(10 + 80 * number // FAULTS, 40, at=at))
        add_event("site.channel_failing", None, channel=f"number {number}")
        with next(kinds)():
            soak.watch(LASTS_S)
        soak.watch(EVERY_S - LASTS_S)
    minutes = (time.monotonic() - began) / 60
    # A message that was not taken is tried again after half a minute; here it is at once.
    change_delivery(claimed_by=None, claimed_until=None, due_at=int(time.time()) - 1)
    waiting = "SELECT count(*) FROM delivery WHERE state = 'waiting'"
    soak.server.wait_for(lambda: soak.server.rows(waiting) == [(0,)], 60)

    got = {one.headers["webhook-id"] for one in soak.receiver.got}
    told = [row.message_id for row in deliveries() if row.state != "dropped"]
    log, more = soak.server.log(), growth(seen.samples)
    peak = Sample(*map(max, zip(*seen.samples, strict=True)))
    wrong = [
        *seen.errors,
        *(f"{account} was not asked after {read_at}" for account, read_at in seen.missed),
        *(f"{message} was lost" for message in told if message not in got),
        *["a renewal is missing"] * (soak.renewals - soak.issuer.ok),
        *["a used token was sent"] * soak.issuer.reuse,
        *["a traceback in the log"] * log.count("Traceback"),
        *["a token in the log"] * log.count(CANARY),
        *(f"{grew} more is too much" for grew, most in zip(more, MORE, strict=True) if grew > most),
        *["the write-ahead log is too long"] * (peak.wal_mib > MORE.wal_mib),
    ]  # fmt: skip
    print(*wrong, sep="\n")
    figures.record(
        "faults of a service at full speed, one after the other",
        of=FAULTS,
        bad=len(wrong),
        bad_is="brought an error, a missed interval, a lost alert, or growth of more than "
        f"{MORE.mib:g} MiB, {MORE.descriptors} descriptors or {MORE.threads} threads",
        minutes=round(minutes, 1),
        pages=seen.answers,
        requests=len(codex.seen),
        alerts=len(got),
        most_MiB=round(peak.mib),
        MiB_more=more.mib,
        most_descriptors=peak.descriptors,
        descriptors_more=int(more.descriptors),
        threads_more=int(more.threads),
        most_MiB_of_write_ahead_log=round(peak.wal_mib, 1),
    )
