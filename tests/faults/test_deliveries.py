"""Senders killed at any moment: no message is lost, and what a receiver gets twice has the id by
which it knows that.
"""

import collections
import random
import subprocess
import sys
import time

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from tests.alerts.receiver import Receiver, Reply
from tests.alerts.sending import LOOPBACK, add_channel, add_event, change_delivery, deliveries
from tests.faults.figures import Figures, runs
from tests.installation import open_installation

pytestmark = pytest.mark.faults

KILLS = runs(6, 60)
MESSAGES = 25 * KILLS
SEND = [sys.executable, "-m", "flask", "quota", "alerts", "send"]
#: So many in a hundred are not taken at first.
REFUSED_PERCENT = 5


def waiting() -> int:
    return sum(row.state == "waiting" for row in deliveries())


@pytest.mark.timeout(120 + 20 * KILLS)
def test_senders_killed_at_any_moment_lose_no_message(
    tmp_path, made_instance, database, figures: Figures
):
    numbers = random.Random(20_261_121)
    replies = [
        Reply(503 if numbers.random() < REFUSED_PERCENT / 100 else 200, delay=0.005)
        for _ in range(20 * MESSAGES)
    ]
    with (
        Receiver() as receiver,
        open_installation(tmp_path, template=made_instance, **database, **LOOPBACK) as house,
    ):
        receiver.answers(*replies)
        now = int(time.time())
        with clock.frozen(now):
            for number in range(5):
                add_channel(f"{receiver.url}/{number}", f"channel {number}")
            for number in range(MESSAGES // 5):
                add_event("site.channel_failing", None, channel=f"number {number}")
            store.database.bound().dispose()
        ids = {row.message_id for row in deliveries()}

        def start() -> subprocess.Popen[bytes]:
            # What a dead process had claimed is free, and what was not taken is due again.
            change_delivery(claimed_by=None, claimed_until=None, due_at=now - 1)
            return subprocess.Popen(
                SEND,
                cwd=PROJECT,
                env=house.process_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        killed = 0
        for _ in range(KILLS):
            asked, process = len(receiver.got), start()
            give_up_at = time.monotonic() + 20
            while len(receiver.got) == asked and process.poll() is None:
                assert time.monotonic() < give_up_at
                time.sleep(0.002)
            time.sleep(numbers.uniform(0, 0.08))
            killed += process.poll() is None
            process.kill()
            process.wait()
        give_up_at = time.monotonic() + 60
        while waiting() and time.monotonic() < give_up_at:
            start().wait()
        states = collections.Counter(row.state for row in deliveries())
        got = collections.Counter(one.headers["webhook-id"] for one in receiver.got)

    foreign = [one for one in got if one not in ids]
    lost = [one for one in ids if one not in got]
    figures.record(
        "messages sent through senders killed with -9 at any moment"
        + (", PostgreSQL" if database else ""),
        of=len(ids),
        bad=len(lost) + len(foreign) + states["waiting"] + states["failed"],
        bad_is="were lost, or came under another id",
        kills=killed,
        requests=sum(got.values()),
    )
