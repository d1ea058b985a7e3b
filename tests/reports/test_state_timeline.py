"""Which state an account was in over time: from readings, facts, attempts and pauses."""

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.demo import fill
from quota_web.reports import lanes, state_timeline
from quota_web.reports.state_timeline import ShownState, StateRun, StateTimeline
from quota_web.store.accounts import Scope
from tests.fakes import NOW, FakeResponse, usage_body

HOUR, DAY = 3_600, 86_400
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def alice(installation, codex):
    installation.file("alice")
    installation.follow()
    return installation


def ask(installation, codex, at, *used, **more):
    installation.now = at
    codex.answers("acct-alice", FakeResponse(body=usage_body(*used, at=at, **more)))
    installation.ask("alice", force=True)


def states(installation, hours=12):
    """The states of the last hours, an hour each, with their moments before now."""
    now = installation.now
    axis = lanes.axis_over(now - hours * HOUR, now + 1)
    found = state_timeline.load_all(Scope(), axis, 2 * HOUR, now)["alice"]
    times = axis.times()
    return [
        (run.state, times[run.start], times[run.end] if run.end < len(times) else axis.end)
        for run in found.runs
    ]


def test_what_is_left_decides(alice, codex):
    for hour, used in enumerate((10, 90, 100, 100)):
        ask(alice, codex, NOW + hour * HOUR, used, 20)
    found = states(alice)

    assert [state for state, _, _ in found] == [
        ShownState.USABLE,
        ShownState.LOW,
        ShownState.USED_UP,
    ]
    assert [start for _, start, _ in found] == [NOW, NOW + HOUR, NOW + 2 * HOUR]


def test_before_the_first_reading_there_is_no_state(alice, codex):
    ask(alice, codex, NOW, 10, 20)

    assert states(alice)[0][1] >= NOW - 600


def test_without_readings_nothing_is_known(alice, codex):
    ask(alice, codex, NOW, 10, 20)
    ask(alice, codex, NOW + 8 * HOUR, 10, 20)

    assert [state for state, _, _ in states(alice)] == [
        ShownState.USABLE,
        ShownState.UNKNOWN,
        ShownState.USABLE,
    ]


def test_a_pause_is_a_state_of_its_own(alice, codex):
    ask(alice, codex, NOW, 10, 20)
    account_service.pause("alice", NOW + HOUR, "test")
    alice.now = NOW + 6 * HOUR

    assert [state for state, _, _ in states(alice)] == [ShownState.USABLE, ShownState.PAUSED]


def test_credits_lift_a_window_that_is_used_up(alice, codex):
    credits = {"has_credits": True, "unlimited": False, "balance": "12"}
    ask(alice, codex, NOW, 100, 20, credits=credits)
    ask(alice, codex, NOW + HOUR, 100, 20, credits=credits)

    assert [state for state, _, _ in states(alice)] == [ShownState.USABLE]


def test_an_account_without_windows_is_known_by_its_answers(alice, codex):
    credits = {"has_credits": True, "unlimited": True, "balance": None}
    ask(alice, codex, NOW, None, None, credits=credits)
    alice.now = NOW + 6 * HOUR

    assert [state for state, _, _ in states(alice)] == [ShownState.USABLE, ShownState.UNKNOWN]
    with store.database.reading() as conn:
        account = store.accounts.get_by_name(conn, "alice")
        axis = lanes.axis_over(NOW - HOUR, NOW + 6 * HOUR)
        [found] = state_timeline.load(conn, [account], axis, HOUR, NOW + 6 * HOUR)
    assert axis.times()[found.runs[0].end] == NOW + HOUR, "not longer than readings would hold"


def test_a_five_hour_window_that_was_used_up_does_not_fill_days(installation):
    fill.fill(2, 60, NOW)
    year = lanes.axis_over(NOW - 365 * DAY, NOW + 1)
    week = lanes.axis_over(NOW - 7 * DAY, NOW + 1)
    found = [state_timeline.load_all(Scope(), axis, 2 * HOUR, NOW) for axis in (year, week)]

    assert year.step == 2 * DAY
    for name in ("alice", "bob"):
        shares = [timeline[name].share(ShownState.USABLE) for timeline in found]
        assert all(share is not None and share > 0.3 for share in shares), (name, shares)


def test_from_low_to_used_up_there_is_no_time_in_which_it_can_be_used(alice, codex):
    # The last answer of a slot says used up, and most of the slot was before it.
    start = NOW - NOW % (3 * HOUR)
    for minutes, used in ((0, 95), (90, 96), (170, 100), (180, 100), (360, 100)):
        ask(alice, codex, start + minutes * 60, 5, used)
    axis = lanes.axis_over(start - 29 * DAY, start + 6 * HOUR + 1)
    [found] = state_timeline.load_all(Scope(), axis, 2 * HOUR, alice.now).values()

    assert axis.step == 3 * HOUR
    assert [run.state for run in found.runs] == ["used_up"]


def test_shares_are_those_of_what_is_known():
    runs = (StateRun(2, 6, ShownState.USABLE), StateRun(6, 10, ShownState.UNKNOWN))
    timeline = StateTimeline("alice", runs)

    assert timeline.share(ShownState.USABLE) == 0.5
    assert StateTimeline("new", ()).share(ShownState.USABLE) is None
