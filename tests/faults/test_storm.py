"""The upstream fails for everybody for an hour: the schedule holds back, and catches up when it is
over.
"""

import collections

from quota_web.refresh import queue, refresh_service
from quota_web.refresh.scheduler import BATCH, DUE_S
from quota_web.refresh.tick import AT_ONCE
from quota_web.refresh.worker import CLAIM_LASTS
from tests.fakes import NOW, FakeResponse, usage_body

ACCOUNTS, HOUR = 200, 3_600


def test_an_hour_of_failures(figures, installation, codex):
    for number in range(ACCOUNTS):
        installation.file(f"a{number}")
    installation.follow()
    context = installation.refresh_context(slots=AT_ONCE, limit=AT_ONCE)
    attempts: dict[str, list[int]] = collections.defaultdict(list)

    def go_on(until: int) -> None:
        while installation.now < until:
            chosen = queue.due_accounts(
                installation.scope, context.pace, CLAIM_LASTS, installation.now
            ).due[:BATCH]
            for result in refresh_service.refresh_scheduled(context, chosen):
                attempts[result.name].append(installation.now)
            installation.now += int(DUE_S)

    go_on(NOW + HOUR)
    codex.default = FakeResponse(status=503)
    go_on(NOW + 2 * HOUR)
    during = [at for times in attempts.values() for at in times if at >= NOW + HOUR]
    crowded = sum(
        later - earlier < 600
        for times in attempts.values()
        for earlier, later in zip(times, times[2:], strict=False)
    )
    codex.default = FakeResponse(body=usage_body(at=NOW + 2 * HOUR))
    go_on(NOW + 3 * HOUR)
    forgotten = [
        a.name
        for a in refresh_service.select(installation.scope)[0]
        if a.taken_at is None or a.taken_at < NOW + 2 * HOUR
    ]

    assert codex.max_in_flight <= AT_ONCE
    figures.record("accounts through an hour of 503", of=ACCOUNTS, bad=crowded + len(forgotten),
                   bad_is="asked more than twice in 10 min, or not answered an interval "
                          "later", attempts_meanwhile=len(during))  # fmt: skip
