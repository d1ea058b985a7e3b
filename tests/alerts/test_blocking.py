"""`quota.exhausted` and `quota.back`: bad news at once, good news confirmed, neither twice."""

import pytest

from quota_web.core.quota import Credits, Facts
from tests.alerts.watching import BLOCKED, FREE, MINUTE, PAID, START, Account, short

UNKNOWN = Facts()
USED_UP, BACK = "quota.exhausted five_hour", "quota.back"


def told(account):
    return [short(event) for event in account.told if event.kind != "quota.low"]


@pytest.fixture
def account():
    """An account that has used most of its five hours, which reset at minute 60."""
    found = Account()
    found.answer(-10, five_hour=20, weekly=70, resets={"five_hour": 60})
    return found


@pytest.fixture
def blocked(account):
    account.answer(0, BLOCKED, five_hour=0, weekly=66, resets={"five_hour": 60})
    return account


def test_an_account_that_is_used_up_is_told_at_once_and_once(account):
    for minute in (0, 5, 30, 59):
        account.answer(minute, BLOCKED, five_hour=0, weekly=66, resets={"five_hour": 60})

    assert told(account) == [USED_UP]
    assert dict(account.told[-1].data) == {"cause": "window", "blocked_until": START + 3_600}


def test_an_answer_that_says_so_needs_no_second_one_however_far_it_fell():
    account = Account()
    account.answer(-5, five_hour=86, weekly=70)

    assert account.answer(0, BLOCKED, five_hour=0, weekly=70) == [USED_UP]


def test_percents_alone_that_fell_far_need_a_second_answer():
    account = Account()
    account.answer(-5, UNKNOWN, five_hour=86, weekly=70)

    assert account.answer(0, UNKNOWN, five_hour=0, weekly=70) == []
    assert account.asks_again_at == START + 60
    assert account.answer(0.9, UNKNOWN, five_hour=0, weekly=70) == []
    assert account.answer(1, UNKNOWN, five_hour=0, weekly=70) == [USED_UP]


def test_percents_that_come_back_tell_nothing():
    account = Account()
    for minute, left in ((-5, 86), (0, 0), (1, 85), (2, 84)):
        account.answer(minute, UNKNOWN, five_hour=left, weekly=70)

    assert account.told == []


def test_percents_that_fell_step_by_step_need_no_second_answer():
    account = Account()
    for minute, left in ((-10, 40), (-5, 20), (0, 0)):
        account.answer(minute, UNKNOWN, five_hour=left, weekly=70)

    assert told(account) == [USED_UP]


def test_it_is_back_with_the_first_answer_after_its_reset(blocked):
    assert blocked.answer(61, five_hour=100, weekly=66) == [BACK]
    assert dict(blocked.told[-1].data) == {
        "since": START,
        "remaining_percents": {"five_hour": 100, "weekly": 66},
    }


def test_before_its_reset_it_is_back_once_a_second_answer_agrees(blocked):
    assert blocked.answer(10, five_hour=100, weekly=66) == []
    assert blocked.asks_again_at == START + 11 * MINUTE
    assert blocked.answer(10.5, five_hour=100, weekly=66) == []
    assert blocked.answer(11, five_hour=99, weekly=66) == [BACK]
    assert blocked.answer(12, five_hour=99, weekly=66) == []


def test_answers_that_flap_tell_nothing(blocked):
    for minute in range(5, 55, 2):
        is_fresh = minute % 6 == 5
        facts, left = (FREE, 98) if is_fresh else (BLOCKED, 0)
        blocked.answer(minute, facts, five_hour=left, weekly=66, resets={"five_hour": 60})

    assert told(blocked) == [USED_UP]


def test_an_account_that_is_used_up_when_first_seen_is_no_news():
    account = Account()
    account.answer(0, BLOCKED, five_hour=0, weekly=66, resets={"five_hour": 60})

    assert account.answer(61, five_hour=100, weekly=66) == []
    assert account.answer(90, BLOCKED, five_hour=0, weekly=50) == [USED_UP]


def test_credits_keep_an_account_usable_until_they_are_gone(account):
    account.answer(0, PAID, five_hour=0, weekly=66)
    assert told(account) == []

    gone = Facts(allowed=False, credits=Credits(has_credits=False, balance="0"))
    assert account.answer(5, gone, five_hour=0, weekly=66) == [USED_UP]


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (Facts(spend_reached=True), "spend"),
        (Facts(reached_type="workspace_member_usage_limit_reached"), "spend"),
        (Facts(reached_type="workspace_owner_credits_depleted"), "credits"),
    ],
)
def test_what_blocks_beside_windows_is_said(account, facts, cause):
    assert account.answer(0, facts, five_hour=50, weekly=66) == ["quota.exhausted"]
    assert account.told[-1].data["cause"] == cause


def test_the_window_that_lasts_longest_is_named(account):
    resets = {"five_hour": 60, "weekly": 900}

    account.answer(0, BLOCKED, five_hour=0, weekly=0, resets=resets)

    assert told(account) == ["quota.exhausted weekly"]


def test_used_up_again_after_a_reset_that_was_not_seen_is_news_once_it_is_sure(blocked):
    again = {"five_hour": 400}

    assert blocked.answer(200, BLOCKED, five_hour=0, weekly=50, resets=again) == []
    assert blocked.answer(201, BLOCKED, five_hour=0, weekly=50, resets=again) == [USED_UP]
    assert blocked.answer(401, five_hour=100, weekly=50) == [BACK]


def test_an_answer_that_lags_behind_the_reset_is_no_news(blocked):
    late = {"five_hour": 60}

    assert blocked.answer(60.1, BLOCKED, five_hour=0, weekly=66, resets=late) == []
    assert blocked.answer(61.2, BLOCKED, five_hour=0, weekly=66, resets=late) == []
    assert blocked.answer(63, five_hour=100, weekly=66) == []
    assert blocked.answer(64, five_hour=100, weekly=66) == [BACK]


def test_one_alert_says_that_account_and_windows_are_back():
    account = Account()
    for minute, left in ((-10, 30), (-5, 18)):
        account.answer(minute, five_hour=90, weekly=left, resets={"weekly": 60})
    account.answer(0, BLOCKED, five_hour=90, weekly=0, resets={"weekly": 60})

    assert account.answer(61, five_hour=90, weekly=100) == [BACK]
