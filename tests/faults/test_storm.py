"""The upstream fails for everybody for an hour: the schedule holds back, and catches up when it is over."""

import collections

from quota_web import agenda, refresh
from quota_web.asking import CLAIM_LASTS
from quota_web.jobs import BATCH, DUE_S
from quota_web.rounds import AT_ONCE
from tests.fakes import NOW, Scene, usage_body

ACCOUNTS, HOUR = 200, 3_600


def test_an_hour_of_failures(figures, house, codex):
    for number in range(ACCOUNTS):
        house.file(f"a{number}")
    house.follow()
    crew = house.crew(slots=AT_ONCE, limit=AT_ONCE)
    attempts: dict[str, list[int]] = collections.defaultdict(list)

    def go_on(until: int) -> None:
        while house.now < until:
            chosen = agenda.look(house.scope, crew.pace, CLAIM_LASTS, house.now).due[:BATCH]
            for result in refresh.refresh_scheduled(crew, chosen):
                attempts[result.name].append(house.now)
            house.now += int(DUE_S)

    go_on(NOW + HOUR)
    codex.default = Scene(status=503)
    go_on(NOW + 2 * HOUR)
    during = [at for times in attempts.values() for at in times if at >= NOW + HOUR]
    crowded = sum(later - earlier < 600 for times in attempts.values() for earlier, later in zip(times, times[2:], strict=False))
    codex.default = Scene(body=usage_body(at=NOW + 2 * HOUR))
    go_on(NOW + 3 * HOUR)
    forgotten = [a.name for a in refresh.select(house.scope)[0] if a.taken_at is None or a.taken_at < NOW + 2 * HOUR]

    assert codex.max_in_flight <= AT_ONCE
    figures.record("accounts through an hour of 503", of=ACCOUNTS, bad=crowded + len(forgotten),
                   bad_is="asked more than twice in 10 min, or not answered an interval later", attempts_meanwhile=len(during))  # fmt: skip
