"""Hosts that share a PostgreSQL. One of them dies while it asks: the others take over when its
claims end, and never ask too much at once. Or their clocks differ.
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quota_web import store
from quota_web.core import clock
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.refresh.scheduler import DUE_S, TICK_S
from quota_web.refresh.tick import AT_ONCE
from quota_web.refresh.worker import CLAIM_LASTS
from quota_web.services import services
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.faults.figures import runs
from tests.operations import add_account, make_app
from tests.servers import Server

ACCOUNTS = 12
KEY = "the same key on both machines"
#: How long after its claim the last account may be asked: a tick, a round of those who are due, and
#: the asking itself on a busy machine.
MARGIN_S = 2 * TICK_S + 2 * DUE_S


def test_hosts_killed(figures, tmp_path, codex, postgres_url):
    deaths, late, twice, slowest = runs(1, 10), 0, 0, 0.0
    for number in range(deaths):
        folder = tmp_path / str(number)
        folder.mkdir()
        with postgres_url() as url:
            after, asked_again = one_dies(folder, codex, url)
        late += after > CLAIM_LASTS + MARGIN_S
        twice += asked_again
        slowest = max(slowest, after)
    assert codex.max_in_flight <= AT_ONCE
    figures.record("hosts killed with -9 while they asked, another one on the same "
                   "PostgreSQL", of=deaths, bad=late + twice,
                   bad_is="left an account late by more than a claim, or asked one again that had "
                          "answered",
                   last_account_after_s=round(slowest, 1))  # fmt: skip


def one_dies(folder, codex, url) -> tuple[float, int]:
    """Kill one of two hosts while its requests are under way.

    How long until all have answers, and how many were asked again without need.
    """
    settings = {"QUOTA_DATABASE_URL": url, "QUOTA_SECRET_KEY": KEY}
    with two_hosts(folder, settings):
        # Long enough for the other host to start meanwhile.
        codex.default = FakeResponse(body=usage_body(at=clock.now()), delay=10)
        seen_before = len(codex.seen)
        with Server(folder / "one", codex, **settings).classic() as one:
            one.wait_for(lambda: len(codex.seen) >= seen_before + AT_ONCE)
            with Server(folder / "two", codex, **settings).classic() as two:
                time.sleep(random.uniform(0, 1))
                one.kill()
                killed_at, asked_by_one = time.monotonic(), len(codex.seen)
                codex.default = FakeResponse(body=usage_body(at=clock.now()), delay=0.2)
                two.wait_for(
                    lambda: all_answered() or time.monotonic() > killed_at + 3 * CLAIM_LASTS,
                    4 * CLAIM_LASTS,
                )
                took = time.monotonic() - killed_at
    by_two = [s.account_id for s in itertools.islice(codex.seen, asked_by_one, None)]
    return took, len(by_two) - len(set(by_two))


#: How far the second host's clock is ahead, in seconds, and how long both run.
SKEWS = (600, -7_200, 90_000, 25)[: runs(1, 4)]
SIDE_BY_SIDE_S = 40.0 if len(SKEWS) == 1 else 150.0
INTERVAL_S = 60


#: In so many seconds an account is asked for again, whatever waits for its round.
AT_LATEST_S = INTERVAL_S + DUE_S + TICK_S


def test_hosts_whose_clocks_differ(figures, tmp_path, codex, postgres_url):
    often, missed, found = 0, 0, []
    for number, ahead in enumerate(SKEWS):
        (tmp_path / str(number)).mkdir()
        with postgres_url() as url:
            asked = asked_by_both(tmp_path / str(number), codex, url, ahead)
        # Where the clocks agree one host asks, which may be ahead by what counts as agreeing.
        agree = abs(ahead) <= CLOCK_SKEW_S
        once = 1 + (SIDE_BY_SIDE_S + agree * CLOCK_SKEW_S) // INTERVAL_S
        # Where both ask at one moment, one's answer is not stored, and it asks once more.
        allowed = once if agree else 2 * once + 1
        often += sum(times > allowed for times in asked.values())
        missed += sum(times < 1 + SIDE_BY_SIDE_S // AT_LATEST_S for times in asked.values())
        missed += ACCOUNTS - len(asked)
        found.append(f"{ahead:+} s: {min(asked.values())} to {max(asked.values())} times")
    figures.record("hosts on one PostgreSQL whose clocks differ by 25 seconds up to a day",
                   of=len(SKEWS), bad=often + missed,
                   bad_is="asked for an account more often than once in each host's interval, or "
                          "left one out", each_asked_for=", ".join(found),
                   seconds_side_by_side=SIDE_BY_SIDE_S)  # fmt: skip


def asked_by_both(folder: Path, codex: FakeCodex, url: str, ahead: int) -> Counter[str]:
    """How often each account was asked for while both hosts ran."""
    settings = {"QUOTA_DATABASE_URL": url, "QUOTA_SECRET_KEY": KEY}
    settings["QUOTA_REFRESH_INTERVAL"] = str(INTERVAL_S)
    with two_hosts(folder, settings):
        codex.default = FakeResponse(body=usage_body(at=clock.now()))
        before = len(codex.seen)
        two = Server(folder / "two", codex, 0, **settings).at_another_time(ahead).classic()
        with Server(folder / "one", codex, 0, **settings).classic() as one, two:
            time.sleep(SIDE_BY_SIDE_S)
            assert (
                "the clock of another machine" in one.log() + two.log()
                or abs(ahead) <= CLOCK_SKEW_S
            )
        return Counter(s.account_id for s in itertools.islice(codex.seen, before, None))


@contextmanager
def two_hosts(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    """Folders for the hosts `one` and `two`, and accounts in the database that they share, with
    the app of the first one open.
    """
    for name in ("one", "two"):
        (folder / name).mkdir()
    app = make_app(folder / "one" / "instance", **settings)
    with app.app_context():
        services().ready()
        for number in range(ACCOUNTS):
            add_account(f"account-{number:02}", number)
        yield
        store.database.forget_troubles()


def all_answered() -> bool:
    with store.database.reading() as conn:
        return all(found.taken_at for found in store.accounts.list_all(conn))
