"""What comes true by the time alone: told once, over when it is over, and not for what is not
asked.
"""

from dataclasses import replace

import pytest

from quota_web.alerts.sign_in import KEY, STALE
from quota_web.alerts.timed import WatchedAccount, judge_time
from quota_web.core.quota import Status
from quota_web.store.forecasts import StoredForecast
from tests.alerts.watching import DAY, HOUR, START, short

OLD = WatchedAccount(
    Status.UNREACHABLE,
    taken_at=START - 4 * HOUR,
    attempted_at=START - 60,
    next_due_at=START + 300,
)
FRESH = replace(OLD, status=Status.OK, taken_at=START - 60)


class Watch:
    """One account, looked at once a minute."""

    def __init__(self):
        self.states, self.told = {}, []

    def look(self, seen, now=START, **site):
        changed, events = judge_time(self.states, seen, now, **site)
        self.states = {**self.states, **changed}
        self.told += events
        return [short(event) for event in events]


@pytest.fixture
def watch():
    found = Watch()
    assert found.look(FRESH, START - 60) == []
    return found


def test_readings_that_are_too_old_are_told_once(watch):
    assert watch.look(OLD) == ["account.stale"]
    assert watch.look(OLD, START + 60) == []
    assert watch.told[-1].data == {
        "last_reading_at": START - 4 * HOUR,
        "status": "unreachable",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"taken_at": START - 3 * HOUR},
        {"taken_at": START - 7 * HOUR, "interval_s": 4 * HOUR},
        {"status": Status.PAUSED},
        {"is_blocked": True},
        {"taken_at": None},
        # It is told that it needs a sign-in.
        {"status": Status.EXPIRED},
        # It was not asked since, as when the machine was off.
        {"status": Status.OK, "attempted_at": START - 4 * HOUR},
        # It is about to be asked.
        {"next_due_at": START - 600},
        {"next_due_at": None},
    ],
)
def test_readings_are_not_too_old_where(watch, changes):
    assert "account.stale" not in watch.look(replace(OLD, **changes))


def test_readings_that_are_old_at_the_first_look_are_no_news():
    watch = Watch()

    assert watch.look(OLD) == watch.look(OLD, START + HOUR) == []


def test_one_alert_stands_for_all_accounts(watch):
    assert watch.look(OLD, is_site_down=True) == []
    # Asked before the others were answered: the next attempt decides.
    assert watch.look(OLD, site_since=START - 30) == []
    assert watch.look(replace(OLD, attempted_at=START), site_since=START - 30) == ["account.stale"]


def test_a_status_that_is_set_between_attempts_is_seen(watch):
    assert watch.look(replace(FRESH, status=Status.INVALID_CREDENTIALS)) == ["sign_in_ended"]
    assert watch.look(replace(FRESH, status=Status.INVALID_CREDENTIALS)) == []
    assert watch.look(replace(FRESH, status=Status.PENDING)) == []
    assert watch.states[KEY].open_since == START


def said(chance, reading=0, *, state="forecast", used=60.0, resets_in=2 * DAY):
    """A forecast from the reading of so many minutes after START."""
    at = START + reading * 60
    return StoredForecast(
        1, at, state, at, used, START + resets_in, chance, run_out_in=(3_600.0, 7_200.0, 9_000.0)
    )


def forecasts(watch, chances, **more):
    for place, chance in enumerate(chances):
        seen = replace(FRESH, forecasts={"weekly": said(chance, place, **more)})
        # Each is looked at several times.
        for minute in (place, place + 0.5):
            watch.look(seen, START + round(60 * minute))
    return [short(event) for event in watch.told]


RUNOUT = "quota.runout weekly"


@pytest.mark.parametrize(
    ("chances", "told"),
    [
        ([0.1, 0.64, 0.64], []),
        ([0.1, 0.65], []),
        ([0.1, 0.65, 0.7], [RUNOUT]),
        ([0.1, 0.9, 0.6, 0.9], []),
        ([0.1, 0.9, 0.9, 0.9, 0.9], [RUNOUT]),
        # Told again only after a reading that says that it lasts.
        ([0.1, 0.9, 0.9, 0.5, 0.9, 0.9], [RUNOUT]),
        ([0.1, 0.9, 0.9, 0.49, 0.9, 0.9], [RUNOUT, RUNOUT]),
        # Missing data is neither.
        ([0.1, 0.9, None, 0.9], [RUNOUT]),
        ([0.1, 0.9, 0.9, None, 0.9, 0.9], [RUNOUT]),
        # What is seen first is how things are.
        ([0.9, 0.9, 0.9], []),
        ([0.9, 0.9, 0.4, 0.9, 0.9], [RUNOUT]),
    ],
)
def test_a_run_out_is_told_by_two_readings_in_a_row(chances, told):
    assert forecasts(Watch(), chances) == told


def test_a_run_out_says_how_likely_and_when():
    watch = Watch()
    forecasts(watch, [0.1, 0.7, 0.72])

    assert watch.told[0].data == {
        "probability": 0.72,
        "remaining_percent": 40.0,
        "resets_at": START + 2 * DAY,
        "runs_out_between": [START + 120 + 3_600, START + 120 + 9_000],
    }


@pytest.mark.parametrize("state", ["exhausted", "few_data", "flapping", "blocked_by"])
def test_only_a_forecast_speaks(state):
    assert forecasts(Watch(), [0.1, 0.9, 0.9], state=state) == []


@pytest.mark.parametrize("changes", [{"is_blocked": True}, {"status": Status.PAUSED}])
def test_an_account_that_cannot_be_used_is_told_no_run_out(changes):
    watch = Watch()
    for place, chance in enumerate((0.1, 0.9, 0.9, 0.9)):
        seen = replace(FRESH, forecasts={"weekly": said(chance, place)}, **changes)
        assert watch.look(seen, START + 60 * place) == []


def test_readings_that_only_go_on_change_no_state():
    watch = Watch()
    forecasts(watch, [0.1])
    before = watch.states

    assert forecasts(watch, [0.2, 0.3, 0.2]) == []
    assert watch.states == before


def unused(watch, left=60.0, resets_in=HOUR, cycle=3, now=START, **more):
    said_now = said(0.1, used=100.0 - left, resets_in=resets_in, **more)
    seen = replace(FRESH, forecasts={"weekly": said_now}, cycles={"weekly": cycle})
    return watch.look(seen, now)


def test_a_week_that_ends_unused_is_told_once_a_cycle(watch):
    assert unused(watch, resets_in=25 * HOUR) == []
    assert unused(watch, resets_in=24 * HOUR) == ["quota.unused weekly"]
    assert unused(watch, resets_in=20 * HOUR) == []
    assert unused(watch, resets_in=20 * HOUR, cycle=4) == ["quota.unused weekly"]


@pytest.mark.parametrize(
    "more", [{"left": 39.9}, {"resets_in": -60}, {"state": "not_started", "left": 100.0}]
)
def test_a_week_is_not_unused_where(watch, more):
    assert unused(watch, **more) == []


def test_a_credit_is_told_at_each_step_once(watch):
    told: dict[int, list[str]] = {}
    for hours in (100, 73, 72, 50, 13, 12, 5, 1):
        ends = {"a": START + 100 * HOUR}
        events = watch.look(replace(FRESH, credits=ends), START + (100 - hours) * HOUR)
        told |= {hours: events} if events else {}

    assert told == {72: ["credit.expiring a 72"], 12: ["credit.expiring a 12"]}


def test_a_credit_that_is_seen_late_is_told_once_and_each_by_itself(watch):
    ends = {"a": START + 6 * HOUR, "b": START + 50 * HOUR, "c": START - 60}

    assert watch.look(replace(FRESH, credits=ends)) == [
        "credit.expiring a 12",
        "credit.expiring b 72",
    ]
    assert watch.look(replace(FRESH, credits=ends), START + 60) == []


def test_a_paused_account_is_told_nothing_and_forgets_nothing(watch):
    watch.look(OLD)
    seen = replace(OLD, status=Status.PAUSED)

    assert watch.look(seen, START + DAY) == []
    assert watch.states[STALE].open_since == START
