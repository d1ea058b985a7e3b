"""Alerts about sign-ins: what ends, what will, and what recovers."""

from dataclasses import replace

import pytest

from quota_web.alerts.alert_values import AlertState
from quota_web.alerts.sign_in import KEY, NO_TOKEN, SOON, STALE, judge_end, judge_status
from quota_web.core.quota import Status
from tests.alerts.watching import DAY, HOUR, START, Account, short

ENDED, RECOVERED = "sign_in_ended", "account.recovered"


@pytest.fixture
def account():
    found = Account()
    found.answer(-5, weekly=50)
    return found


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.INVALID_CREDENTIALS, Status.DEACTIVATED])
def test_a_sign_in_that_ends_is_told_once_and_recovers_with_an_answer(account, status):
    assert account.fail(0, status) == [ENDED]
    assert account.told[-1].data == {"status": str(status)}
    assert account.fail(60, status) == []
    assert account.answer(120, weekly=50) == [RECOVERED]
    assert account.fail(180, status) == [ENDED]
    assert [event.episode for event in account.told] == [1, 1, 2]


@pytest.mark.parametrize(
    "status",
    [Status.UNREACHABLE, Status.RATE_LIMITED, Status.UPSTREAM_ERROR, Status.FORBIDDEN],
)
def test_an_attempt_that_fails_by_itself_is_no_alert(account, status):
    assert account.fail(0, status) == []
    assert account.answer(5, weekly=50) == []


def test_an_account_that_never_worked_is_no_news():
    account = Account()

    assert account.fail(0, Status.EXPIRED) == []
    assert account.answer(5, weekly=50) == []
    assert account.fail(10, Status.EXPIRED) == [ENDED]


def test_a_fault_between_two_refusals_tells_nothing_again(account):
    account.fail(0, Status.EXPIRED)

    assert account.fail(10, Status.UNREACHABLE) == account.fail(20, Status.EXPIRED) == []


def test_deactivated_after_expired_is_another_alert(account):
    account.fail(0, Status.EXPIRED)

    assert account.fail(10, Status.DEACTIVATED) == [ENDED]
    assert account.answer(20, weekly=50) == [RECOVERED]


def test_without_what_was_before_the_first_look_is_no_news():
    first, events = judge_status({}, None, Status.EXPIRED, START)
    assert events == []
    assert judge_status(first, None, Status.EXPIRED, START + 60) == ({}, [])

    first, _ = judge_status({}, None, Status.OK, START)
    _, [event] = judge_status(first, None, Status.EXPIRED, START + 60)
    assert event.kind == ENDED


@pytest.mark.parametrize("status", [Status.PENDING, Status.PAUSED])
def test_what_was_not_tried_says_nothing(status):
    assert judge_status({}, Status.OK, status, START) == ({}, [])


def end(states, hours, status=Status.OK, now=START, **more):
    token = replace(NO_TOKEN, at=START + hours * HOUR, **more)
    changed, events = judge_end(states, token, status, now)
    return {**states, **changed}, [short(event) for event in events]


def test_a_sign_in_that_ends_within_two_days_is_told_once():
    states, told = end({}, 49)
    assert told == []
    states, told = end(states, 48)
    assert told == ["account.sign_in_soon"]
    assert end(states, 48, now=START + DAY)[1] == []


def test_a_newer_token_recovers_it():
    states, _ = end({}, 40)
    states, told = end(states, 10 * 24)

    assert told == [RECOVERED]
    assert end(states, 40)[1] == ["account.sign_in_soon"]


def test_short_lived_tokens_are_told_once():
    states, told = end({}, 1)
    for hour in range(2, 50):
        states, more = end(states, hour, now=START + (hour - 1) * HOUR)
        told += more

    assert told == ["account.sign_in_soon"]


@pytest.mark.parametrize(
    "options",
    [
        {"hours": 24, "is_renewed": True},
        {"hours": 24, "status": Status.EXPIRED},
        {"hours": 24, "status": Status.PAUSED},
        {"hours": -1},
    ],
)
def test_what_needs_nobody_soon_is_not_told(options):
    assert end({}, **options)[1] == []


def test_a_token_that_does_not_say_when_it_ends_is_not_told():
    assert judge_end({}, NO_TOKEN, Status.OK, START) == ({}, [])


def test_what_ended_stands_for_what_was_told_before(account):
    opened = AlertState(episode=1, open_since=START, armed=False)
    account.state = {**account.state, SOON: opened, STALE: opened}

    assert account.fail(0, Status.EXPIRED) == [ENDED]
    assert [account.state[key].open_since for key in (SOON, STALE)] == [None, None]
    assert account.answer(5, weekly=50) == [RECOVERED]
    assert account.told[-1].data["ended"] == [KEY[1]]


def test_a_reading_ends_that_there_was_none(account):
    stale = AlertState(episode=3, open_since=START, armed=False)
    account.state = {**account.state, STALE: stale}

    assert account.fail(5, Status.UNREACHABLE) == []
    assert account.answer(10, weekly=50) == [RECOVERED]
    assert account.state[STALE] == replace(stale, open_since=None, armed=True)


def test_a_sign_in_has_not_ended_while_its_renewal_may_come():
    waits = replace(NO_TOKEN, may_be_renewed=True)
    first, events = judge_status({}, Status.OK, Status.EXPIRED, START, waits)

    assert events == []
    assert judge_status(first, Status.EXPIRED, Status.EXPIRED, START, waits) == ({}, [])
    _, [event] = judge_status(first, Status.EXPIRED, Status.EXPIRED, START + 60, NO_TOKEN)
    assert event.kind == ENDED
    _, [event] = judge_status(first, Status.OK, Status.DEACTIVATED, START, waits)
    assert event.kind == ENDED
