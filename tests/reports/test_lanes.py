"""What lanes are drawn from: the lowest of the short window, and why nothing is known where nothing
is.
"""

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.reports import lanes
from quota_web.reports.lanes import FAILING, PAUSED, SILENT
from quota_web.store.attempts import AttemptRun
from tests.fakes import NOW, FakeResponse, usage_body

HOUR, DAY = 3_600, 86_400
pytestmark = pytest.mark.usefixtures("database")


def body(five_hour, weekly, now, weekly_in=3 * DAY):
    return FakeResponse(
        body=usage_body(
            rate_limit={
                "allowed": True,
                "limit_reached": False,
                "primary_window": {
                    "used_percent": five_hour,
                    "limit_window_seconds": 18_000,
                    "reset_at": now + 9_000,
                },
                "secondary_window": {
                    "used_percent": weekly,
                    "limit_window_seconds": 604_800,
                    "reset_at": NOW + weekly_in,
                },
            }
        )
    )


@pytest.fixture
def alice(installation, codex):
    installation.file("alice")
    installation.follow()
    return installation


def read(installation, codex, at, five_hour, weekly):
    installation.now = at
    codex.answers("acct-alice", body(five_hour, weekly, at))
    installation.ask("alice", force=True)


def lane(installation, hours=24, now=None):
    now = now or installation.now
    with store.database.reading() as conn:
        account = store.accounts.get_by_name(conn, "alice")
        axis = lanes.axis_over(now - hours * HOUR, now + 1)
        [found] = lanes.load(conn, [account], axis, 2 * HOUR, now)
    return found


def test_the_area_is_the_weekly_window_and_the_band_the_lowest_of_each_hour(alice, codex):
    start = NOW - NOW % HOUR
    read(alice, codex, start + 60, 30, 40)
    read(alice, codex, start + 1_200, 90, 41)
    read(alice, codex, start + 2_400, 20, 42)

    found = lane(alice)
    assert found.key == "weekly"
    known = [v for v in found.area if v is not None]
    assert (known[0], known[-1]) == (60, 58)
    at = [t for t in found.axis.times() if start <= t < start + HOUR]
    band = [found.band[found.axis.times().index(t)] for t in at]
    assert set(band) <= {10.0, None}
    assert 10.0 in band


def test_a_time_without_requests_and_one_without_answers_are_told_apart(alice, codex):
    read(alice, codex, NOW, 10, 10)
    later = NOW + 8 * HOUR
    alice.now = later
    codex.answers("acct-alice", FakeResponse(503, body={}))
    alice.ask("alice", force=True)
    read(alice, codex, NOW + 12 * HOUR, 12, 12)

    holes = lane(alice).holes
    assert [hole.why for hole in holes] == [SILENT, FAILING, SILENT]
    silent, failing, after = holes
    assert silent.end == failing.start == later
    assert failing.end == after.start == later + 2 * HOUR, "one failure says as much as a reading"


def test_before_the_first_reading_nothing_is_missing(alice, codex):
    read(alice, codex, NOW, 10, 10)

    assert lane(alice).holes == ()


def test_a_pause_is_no_outage(alice, codex):
    read(alice, codex, NOW, 10, 10)
    account_service.pause("alice", NOW + HOUR, "test")
    account_service.resume("alice", NOW + 9 * HOUR, "test")
    read(alice, codex, NOW + 9 * HOUR + 60, 10, 10)

    assert {hole.why for hole in lane(alice).holes} == {PAUSED}


def test_what_only_a_person_can_mend_goes_on_failing():
    runs = [AttemptRun(0, 0, "ok"), AttemptRun(100, 100, "expired")]

    assert lanes.failing(runs, 7_200, now=DAY) == [(100, DAY)]
    assert lanes.failing([*runs, AttemptRun(500, 500, "ok")], 7_200, now=DAY) == [(100, 500)]
    assert lanes.failing([AttemptRun(100, 200, "unreachable")], 7_200, now=DAY) == [(100, 7_400)]


def test_a_window_holds_while_the_other_one_is_used_up(alice, codex):
    alice.now = NOW
    exhausted = body(100, 30, NOW)
    codex.answers("acct-alice", exhausted)
    alice.ask("alice", force=True)
    # Nothing is asked until the five-hour window is back.
    read(alice, codex, NOW + 9_000 + 60, 0, 30)

    found = lane(alice)
    first = next(i for i, v in enumerate(found.area) if v is not None)
    assert None not in found.area[first:]
    assert found.holes == ()


def test_an_account_without_any_window_has_nothing_to_draw(alice):
    assert lane(alice).key is None
    assert lane(alice).holes == ()


def test_resets_stand_at_their_moments_with_how_they_came(alice, codex):
    read(alice, codex, NOW, 10, 40)
    read(alice, codex, NOW + 3 * DAY - 600, 10, 60)
    reset = NOW + 3 * DAY
    for minutes in (5, 10):
        alice.now = reset + minutes * 60
        codex.answers("acct-alice", body(0, 1, alice.now, weekly_in=10 * DAY))
        alice.ask("alice", force=True)

    [found] = lane(alice, hours=96).resets
    assert (found.at, found.how) == (reset, "scheduled")
