"""Sign-ins are renewed by many threads of many processes, which are killed and stopped at any
moment, while answers get lost: at an issuer that ends the whole sign-in when a used token comes
back, none ends, and what is doubtful is flagged.

The processes work below the gate of one renewal a minute (tests/sign_ins/hammer.py).
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from quota_web import store
from quota_web.core.checkout import PROJECT
from quota_web.services import services
from quota_web.sign_ins import renewal, renewal_service
from tests.faults.figures import Figures, runs
from tests.installation import open_installation, wait_until
from tests.issuer import CANARY, DAY, FakeIssuer, Turn
from tests.sign_ins.house import House

pytestmark = pytest.mark.faults

RENEWALS, KILLS, STOPS = runs(300, 10_000), runs(5, 120), runs(4, 100)
PROCESSES, THREADS = (4, 8) if RENEWALS >= 10_000 else (2, 4)
#: Whatever stands still for so long is broken.
PATIENCE_S = 30.0


class Hammer:
    """The processes under way, and what they leave."""

    def __init__(self, house: House, process: subprocess.Popen[str]) -> None:
        self.house, self.process = house, process
        self._numbers = random.Random(20_261_126)

    def goes_on(self, calls: int) -> None:
        """Wait until the issuer was asked so many times more, or met a used token."""
        issuer = self.house.issuer
        until, seen = issuer.calls + calls, issuer.calls
        give_up_at = time.monotonic() + PATIENCE_S
        while issuer.calls < until and not issuer.reuse:
            if issuer.calls > seen:
                seen, give_up_at = issuer.calls, time.monotonic() + PATIENCE_S
            assert self.process.poll() is None, "it ended"
            assert time.monotonic() < give_up_at, f"it stands still after {seen} calls"
            time.sleep(0.002)

    def ends_one(self, number: int) -> None:
        """Send a signal to one of the processes at a random moment, and wait for its end."""
        self.goes_on(self._numbers.randint(1, 3 * THREADS))
        time.sleep(self._numbers.uniform(0, 0.01))
        children = self.children()
        if children:
            victim = self._numbers.choice(children)
            os.kill(victim, number)
            wait_until(lambda: victim not in self.children())

    def children(self) -> list[int]:
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(child) for child in listed.split()]

    def stops(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, said
        assert CANARY not in said

    def left(self) -> Counter[str]:
        """How many sign-ins stand how, once what died with its process is flagged."""
        now = int(time.time()) + 61
        self.house.installation.now = now
        renewal_service.settle_lost(now)
        with store.database.reading() as conn:
            ids = store.credentials.own(conn)
        return Counter(self._stands(account_id) for account_id in ids)

    def _stands(self, account_id: int) -> str:
        found = renewal.held(services().cipher, account_id)
        if found is None:
            return "given up"
        if found.credential.renewal == "unsure":
            return "flagged"
        works = self.house.issuer.is_current(found.refresh_token.reveal())
        return "works" if works else "lost without a flag"


@contextmanager
def hammering(folder: Path, template: Path, accounts: int, **options: Any) -> Iterator[Hammer]:
    """*accounts* signed in at an issuer with these *options*, and the processes that renew them."""
    with (
        FakeIssuer(now=lambda: int(time.time()), **options) as issuer,
        open_installation(folder, template=template, QUOTA_AUTH_URL=issuer.url) as installation,
    ):
        house = House(installation, issuer)
        installation.now = int(time.time())
        for number in range(accounts):
            house.sign_in(f"account {number}", number)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sign_ins.hammer", str(PROCESSES), str(THREADS)],
            cwd=PROJECT,
            env=installation.process_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Hammer(house, process)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            process.communicate(timeout=PATIENCE_S)


def ended(issuer: FakeIssuer, left: Counter[str]) -> int:
    """How many sign-ins were ended by what we did, or are lost and nothing says so."""
    return issuer.reuse + left["lost without a flag"] + left["given up"]


@pytest.mark.timeout(120 + RENEWALS // 10)
def test_renewals_of_many_processes_send_no_token_twice(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    with hammering(tmp_path, made_instance, max(20, RENEWALS // 50)) as hammer:
        hammer.goes_on(RENEWALS)
        hammer.stops()
        issuer, left = hammer.house.issuer, hammer.left()
    figures.record(
        "renewals by threads of several processes",
        of=issuer.calls,
        bad=ended(issuer, left) + left["flagged"],
        bad_is="sent a used token, or are not stored",
        sign_ins=left.total(),
        threads=PROCESSES * THREADS,
    )


@pytest.mark.timeout(120 + RENEWALS // 10)
def test_lost_answers_are_flagged_and_end_no_sign_in(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    rates = {"drop_rate": 0.01, "forbid_rate": 0.01}
    with hammering(tmp_path, made_instance, max(40, RENEWALS // 20), **rates) as hammer:
        hammer.goes_on(RENEWALS)
        hammer.stops()
        issuer, left = hammer.house.issuer, hammer.left()
    assert left["flagged"] > 0
    figures.record(
        "renewals of which 1 % were dropped and 1 % answered with 403 after the token was used",
        of=issuer.calls,
        bad=ended(issuer, left),
        bad_is="ended a sign-in, or lost one without a flag",
        flagged=left["flagged"],
        sign_ins=left.total(),
    )


@pytest.mark.timeout(120 + 20 * KILLS)
def test_renewals_killed_at_any_moment_end_no_sign_in(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    with hammering(tmp_path, made_instance, max(60, 5 * KILLS), wait_s=0.002) as hammer:
        for _ in range(KILLS):
            hammer.ends_one(signal.SIGKILL)
        hammer.stops()
        issuer, left = hammer.house.issuer, hammer.left()
    assert left["works"] > 0
    figures.record(
        "processes killed with -9 while they renewed",
        of=KILLS,
        bad=ended(issuer, left),
        bad_is="ended a sign-in, or lost one without a flag",
        renewals=issuer.calls,
        flagged=left["flagged"],
        sign_ins=left.total(),
    )


@pytest.mark.timeout(120 + 20 * STOPS)
def test_renewals_stopped_at_any_moment_lose_no_token(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    with hammering(tmp_path, made_instance, max(40, 2 * STOPS), wait_s=0.05) as hammer:
        for _ in range(STOPS):
            hammer.ends_one(signal.SIGTERM)
        hammer.stops()
        issuer, left = hammer.house.issuer, hammer.left()
    figures.record(
        "processes stopped with SIGTERM while they renewed",
        of=STOPS,
        bad=ended(issuer, left) + left["flagged"],
        bad_is="lost a token",
        renewals=issuer.calls,
    )


def test_an_outage_of_the_issuer_ends_no_sign_in(
    tmp_path: Path, made_instance: Path, figures: Figures
):
    """Hours of 429, of 503 and of broken connections come when all are due, a minute at a time."""
    accounts = runs(20, 120)
    with (
        FakeIssuer() as issuer,
        open_installation(tmp_path, template=made_instance, QUOTA_AUTH_URL=issuer.url) as there,
    ):
        house = House(there, issuer)
        names = [f"account {number}" for number in range(accounts)]
        for number, name in enumerate(names):
            house.sign_in(name, number)
        there.now += 5 * DAY
        for turn in (Turn(status=429, body={}), Turn(status=503, body={}), Turn(drop=True)):
            issuer.plays(*[turn] * 500)
            for _ in range(90):
                house.renew_due(after=60)
        issuer.plays()
        flagged = sum(house.state(name)[0] == "unsure" for name in names)
        for _ in range(7 * 60 + accounts):
            house.renew_due(after=60)
        renewed = sum(house.held(name).renewed_at is not None for name in names)
        # What was doubtful has its second try shortly before its access token ends.
        for name in names:
            if house.state(name)[0] == "unsure":
                house.make_due(name)
            house.renew_due()
        works = sum(issuer.is_current(house.refresh_token(name)) for name in names)
        stand = Counter(house.state(name)[0] for name in names)
    figures.record(
        "sign-ins due while the issuer was out of order for hours",
        of=accounts,
        bad=issuer.reuse + accounts - min(works, stand["on"]) + accounts - flagged - renewed,
        bad_is="ended, or were not renewed afterwards",
        flagged_meanwhile=flagged,
    )
    assert flagged <= 2
