"""One alert where nothing comes back from ChatGPT, instead of one for each account."""

from dataclasses import replace

import pytest

from quota_web.alerts.site import KEY, LastAttempt, judge_site
from quota_web.core.quota import Status
from tests.alerts.watching import START

NOW = START + 7_200


def failed(since, last, status=Status.UNREACHABLE, taken=START):
    """An account that has failed from one minute before NOW to another."""
    return LastAttempt(status, NOW - 60 * last, taken, NOW - 60 * since)


def fine(ago):
    return LastAttempt(Status.OK, NOW - 60 * ago, NOW - 60 * ago)


REFUSED = Status.ADDRESS_BLOCKED


@pytest.mark.parametrize(
    ("attempts", "cause"),
    [
        ([failed(31, 1), failed(31, 1)], "all_failing"),
        ([failed(31, 1)], "all_failing"),
        # The schedule asks one account at a time once the host seems to be down.
        ([failed(31, 1), failed(30, 5), failed(29, 9), fine(32), fine(40)], "all_failing"),
        ([failed(31, 1, taken=None)], "all_failing"),
        # Not for half an hour yet.
        ([failed(29, 1), failed(29, 1)], None),
        # It failed long ago and was not asked since, as when the machine was asleep.
        ([failed(100, 95)], None),
        # One was answered meanwhile.
        ([failed(60, 1), failed(60, 1), failed(60, 20), fine(10)], None),
        # Too few of many.
        ([failed(31, 1), failed(31, 1), fine(50), fine(50)], None),
        # Asked too often is the account's own affair, and so is a sign-in that has ended.
        ([failed(60, 1, Status.RATE_LIMITED)], None),
        ([failed(60, 1, Status.EXPIRED)], None),
        ([failed(31, 1), failed(31, 1, Status.EXPIRED)], "all_failing"),
        ([], None),
        ([LastAttempt(Status.PENDING, None, None)], None),
    ],
)
def test_no_account_is_answered(attempts, cause):
    _, events = judge_site({}, attempts, None, NOW)

    assert [event.data["cause"] for event in events] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("attempts", "cause"),
    [
        # A single attempt is none.
        ([failed(1, 1, REFUSED), fine(5)], None),
        ([failed(16, 1, REFUSED), fine(20)], "address_blocked"),
        ([failed(1, 1, REFUSED), failed(1, 1, REFUSED), fine(5)], "address_blocked"),
        ([failed(16, 6, REFUSED), fine(5)], None),
    ],
)
def test_the_address_is_blocked_once_two_attempts_say_so(attempts, cause):
    _, events = judge_site({}, attempts, NOW + 600, NOW)

    assert [event.data["cause"] for event in events] == ([cause] if cause else [])


def test_it_is_told_once_and_over_with_the_first_answer():
    attempts = [failed(31, 1), failed(31, 1)]
    states, [event] = judge_site({}, attempts, None, NOW)
    assert (event.kind, event.data["accounts"]) == ("site.all_failing", 2)
    assert event.data["failing_since"] == NOW - 31 * 60
    assert judge_site(states, attempts, None, NOW + 60) == ({}, [])

    answered = [replace(attempts[0], status=Status.OK, taken_at=NOW + 90, at=NOW + 90), attempts[1]]
    states, [event] = judge_site(states, answered, None, NOW + 120)

    assert (event.kind, event.data) == ("site.recovered", {"since": NOW})
    assert states[KEY].seen_at == NOW + 120
    assert judge_site(states, answered, None, NOW + 180) == ({}, [])


def test_the_next_outage_is_an_episode_of_its_own():
    states, _ = judge_site({}, [failed(31, 1)], None, NOW)
    states, _ = judge_site(states, [LastAttempt(Status.OK, NOW + 1, NOW + 1)], None, NOW + 1)
    later = LastAttempt(Status.UNREACHABLE, NOW + 9_000, NOW + 1, NOW + 6_000)
    _, [event] = judge_site(states, [later], None, NOW + 9_000)

    assert (event.kind, event.episode) == ("site.all_failing", 2)
