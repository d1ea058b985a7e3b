"""A clock that jumps by an hour, a day, a year, or back to 1970: everybody is asked again within an
interval, and nothing old goes.
"""

import random
import time

from quota_web.refresh import refresh_service
from quota_web.reports import overview, results_json
from tests.fakes import NOW, FakeResponse, usage_body
from tests.faults.figures import runs

HOUR, DAY, YEAR = 3_600, 86_400, 31_536_000
JUMPS = (HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR, -NOW, 10 * YEAR)
INTERVAL = 3_600
STEP = 60


def test_jumps(figures, installation, codex):
    chance, wrong, jumps = random.Random(10), [], 0
    names = [f"a{number}" for number in range(4)]
    for name in names:
        installation.file(name, exp=None)
    installation.follow()
    cpu = time.process_time()
    for _ in range(runs(4, 40)):
        for jump in JUMPS:
            installation.now = NOW
            settle(installation, codex)
            before = installation.rows("SELECT count(*) FROM reading")[0][0]
            installation.now += jump
            jumps += 1
            # At home: the clock is put right again after a while, as NTP does.
            for back in (0, -jump):
                installation.now += back
                late = asked_within(installation, codex, names, chance)
                if late:
                    wrong.append((jump, back, late))
                document = results_json.document(
                    overview.load_overview(installation.scope, installation.now, INTERVAL)
                )
                if len(document["results"]) != len(names):
                    wrong.append((jump, back, "accounts"))
            if installation.rows("SELECT count(*) FROM reading")[0][0] < before:
                wrong.append((jump, 0, "readings"))
    print(*wrong, sep="\n")
    figures.record(
        "jumps of the clock, there and back",
        of=2 * jumps,
        bad=len(wrong),
        bad_is="left somebody unasked for more than an interval, or lost readings",
        cpu_seconds=round(time.process_time() - cpu, 1),
    )


def settle(installation, codex):
    codex.default = FakeResponse(body=usage_body(12, 40, at=installation.now))
    installation.execute(
        "UPDATE account SET next_due_at = NULL, status = 'pending', claim_id = NULL, claimed_at = "
        "NULL, attempted_at = NULL"
    )
    list(refresh_service.refresh_due(installation.refresh_context(), installation.scope))


def asked_within(installation, codex, names, chance):
    """Run the schedule's act for an interval and a bit; who was not asked."""
    codex.default = FakeResponse(body=usage_body(chance.randrange(90), 40, at=installation.now))
    seen = len(codex.seen)
    until = installation.now + INTERVAL * 11 // 10 + 2 * STEP
    while installation.now < until and len({s.account_id for s in codex.seen[seen:]}) < len(names):
        list(refresh_service.refresh_due(installation.refresh_context(), installation.scope))
        installation.now += 10 * STEP
    return {f"acct-{name}" for name in names} - {s.account_id for s in codex.seen[seen:]}
