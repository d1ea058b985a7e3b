"""`quota.low`: at which threshold, how often, and not because of an answer that lies."""

import pytest

from tests.alerts.watching import BLOCKED, DAY, FREE, MINUTE, PAID, START, Account, short

WEEK = DAY // MINUTE * 7


def used_to(*left, **options):
    """An account whose week has fallen to these percents, an answer every five minutes."""
    account = Account(**options)
    for place, percent in enumerate(left):
        account.answer(5 * place - 5 * len(left), weekly=percent)
    return account


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ([30, 25, 21], []),
        ([30, 25, 20], ["quota.low weekly 20"]),
        ([30, 19, 18, 17], ["quota.low weekly 20"]),
        ([30, 19, 6, 5], ["quota.low weekly 20", "quota.low weekly 5"]),
        # Several at once: the lowest.
        ([30, 4], ["quota.low weekly 5"]),
        # What is seen first is how things are.
        ([12], []),
        ([12, 11], []),
        ([12, 4], ["quota.low weekly 5"]),
        # Nothing left is for another alert to say.
        ([15, 0], []),
        ([30, 0.5], ["quota.low weekly 5"]),
        # It rose, but not by so much that it may be told again.
        ([30, 19, 24, 24, 19], ["quota.low weekly 20"]),
        ([30, 19, 25, 25, 19], ["quota.low weekly 20"] * 2),
        # One answer that reads as fresh ends nothing.
        ([30, 19, 98, 18], ["quota.low weekly 20"]),
        ([30, 19, 98, 18, 98, 18, 98, 18], ["quota.low weekly 20"]),
        # Two answers agree that it is full; the fall from there waits, since it is a jump.
        ([30, 19, 98, 98, 18], ["quota.low weekly 20"]),
        ([30, 19, 98, 98, 18, 18], ["quota.low weekly 20"] * 2),
        # A lower threshold may be told again while the higher one waits.
        ([30, 4, 12, 12, 4], ["quota.low weekly 5"] * 2),
    ],
)
def test_a_threshold_is_told_once_until_more_is_left_for_good(left, told):
    account = Account()
    for place, percent in enumerate(left):
        account.answer(5 * place, weekly=percent)

    assert [short(event) for event in account.told] == told


def test_a_fall_by_thirty_points_waits_for_a_second_answer():
    account = used_to(86)

    assert account.answer(0, weekly=1) == []
    assert account.asks_again_at == START + 60
    assert account.answer(0.5, weekly=1) == []
    assert account.answer(1, weekly=1) == ["quota.low weekly 5"]
    assert account.answer(6, weekly=1) == []


def test_a_fall_that_no_second_answer_agrees_with_is_not_told():
    account = used_to(86)
    account.answer(0, weekly=1)

    assert account.answer(1, weekly=85) == []
    assert account.answer(2, weekly=85) == []
    assert account.asks_again_at is None


def test_a_fall_of_a_blocked_account_is_told_at_once():
    account = used_to(86)

    assert "quota.low weekly 5" in account.answer(0, BLOCKED, weekly=4, five_hour=0)


def test_a_second_answer_that_is_less_low_tells_its_own_threshold():
    account = used_to(86)
    account.answer(0, weekly=1)

    assert account.answer(1, weekly=15) == ["quota.low weekly 20"]


def test_a_window_is_back_at_its_reset_with_one_answer():
    account = used_to(30)
    account.answer(0, weekly=19, resets={"weekly": 30})

    assert account.answer(31, weekly=100, resets={"weekly": WEEK}) == ["quota.back weekly"]
    assert account.answer(36, weekly=100, resets={"weekly": WEEK}) == []


def test_a_window_that_was_not_told_is_not_told_to_be_back():
    account = Account()
    account.answer(0, weekly=12, resets={"weekly": 30})

    assert account.answer(31, weekly=100, resets={"weekly": WEEK}) == []


def test_a_window_that_fills_before_its_reset_is_left_to_the_judge_of_resets():
    account = used_to(30, 19)

    assert account.answer(0, weekly=100) == account.answer(5, weekly=100) == []
    assert account.answer(10, weekly=72) == account.answer(15, weekly=45) == []
    assert account.answer(20, weekly=20) == ["quota.low weekly 20"]


def test_moved_resets_tell_nothing_again():
    account = used_to(30, 19)

    for minute in range(0, 200, 5):
        assert account.answer(minute, weekly=18, resets={"weekly": 3_000 + minute * 7 % 60}) == []


def test_a_window_that_was_gone_goes_on_where_it_was():
    account = used_to(30, 19)
    account.answer(0)

    assert account.answer(5, weekly=18) == []
    account.answer(10)
    assert account.answer(15, weekly=5) == ["quota.low weekly 5"]


def test_each_window_has_its_own_episodes_and_a_models_window_none():
    account = Account()
    account.answer(0, weekly=30, five_hour=30, **{"model:spark:weekly": 30})

    assert account.answer(5, weekly=19, five_hour=4, **{"model:spark:weekly": 1}) == [
        "quota.low weekly 20",
        "quota.low five_hour 5",
    ]


def test_each_set_of_thresholds_is_told_its_lowest():
    account = used_to(60, thresholds=((20.0, 5.0), (50.0,), (50.0, 20.0)))

    assert account.answer(0, weekly=45) == ["quota.low weekly 50"]
    assert account.answer(5, weekly=19) == ["quota.low weekly 20"]

    account = used_to(60, 47, thresholds=((20.0, 5.0), (50.0,)))
    assert account.told[-1].level == 50.0

    account = used_to(49, thresholds=((20.0, 5.0), (50.0,), (30.0,)))
    assert account.answer(0, weekly=20) == ["quota.low weekly 30", "quota.low weekly 20"]


def test_a_threshold_that_is_new_is_not_told_of_a_window_that_was_below_it():
    account = used_to(60, 40)
    account.thresholds = ((20.0, 5.0), (50.0,))

    assert account.answer(0, weekly=39) == []


def test_each_telling_has_a_number_of_its_own():
    account = used_to(30, 19, 25, 25, 19)

    assert [event.episode for event in account.told] == [1, 2]


def test_an_account_that_credits_pay_for_is_told_of_no_empty_window():
    account = used_to(15)

    assert account.answer(0, PAID, weekly=0) == []


def test_what_is_told_says_how_much_is_left_and_until_when():
    account = used_to(30)
    account.answer(0, FREE, resets={"weekly": 90}, weekly=18.5)

    assert dict(account.told[0].data) == {
        "remaining_percent": 18.5,
        "threshold": 20.0,
        "resets_at": START + 90 * MINUTE,
    }
