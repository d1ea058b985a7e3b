"""The pool: what is left of all accounts together, and when none of them can be used."""

from datetime import UTC

import pytest

from quota_web.foresight.choose import Candidate
from quota_web.foresight.pool import HORIZON_S, Member, Pool, forecast_pool
from quota_web.foresight.supply import Supply
from tests.foresight.histories import DAY, HOUR, MONDAY, WEEK, Recorder, office_weeks

FIVE_HOURS = 5 * HOUR
NOW = MONDAY + 35 * DAY + 9 * HOUR


def account(name="a", used=0.0, capacity=1.0, resets_at=None, five=None, five_resets_at=None):
    return Candidate(name, capacity, five, five_resets_at, used, resets_at, 0)


def member(name="a", used=0.0, capacity=1.0, points_a_day=12.0, days=35.375):
    history = office_weeks(days, points_a_day).history()
    resets_at = history.resets_at[-1] if used else None
    return Member(account(name, used, capacity, resets_at), history)


def said(*members, need=1.0, exchange=0.16, now=NOW):
    return forecast_pool(Pool(members, need, exchange), now, UTC)


def test_what_is_left_is_added_up_in_percents_of_a_plus_week():
    found = said(member("plus", used=40), member("pro", used=10, capacity=20 / 3))

    assert found.accounts == 2
    assert found.left_units == pytest.approx(60 + 600)
    assert found.full_units == pytest.approx(100 + 2000 / 3)


def test_a_pool_that_is_hardly_used_is_enough_for_a_week():
    found = said(member("a", points_a_day=2), member("b", points_a_day=2))

    assert found.shortfall_probability < 0.15
    assert found.shortfall_in(0.5) is None


def test_a_pool_with_little_left_and_much_work_runs_dry():
    found = said(
        member("a", used=95, points_a_day=14),
        member("b", used=95, points_a_day=14),
    )

    assert found.shortfall_probability > 0.8
    assert found.shortfall_in(0.5) < 2 * DAY


def test_more_left_never_runs_dry_sooner():
    little, much = (
        said(member("a", used=used, points_a_day=14), member("b", used=used, points_a_day=14))
        for used in (90, 30)
    )

    assert little.shortfall_probability > much.shortfall_probability
    assert little.shortfall_in(0.1) < (much.shortfall_in(0.1) or HORIZON_S)


def test_where_nothing_is_left_now_it_is_certain_and_now():
    found = said(member("a", used=100), member("b", used=100))

    assert found.shortfall_probability == 1
    assert found.shortfall_in(0.1) == found.shortfall_in(0.9) == 0


def test_before_a_day_of_history_only_the_sum_is_said():
    now = MONDAY + 20 * HOUR
    found = said(member("a", used=40, days=0.8), member("b", used=40, days=0.8), now=now)

    assert found.left_units == 120
    assert found.shortfall_probability is None
    assert found.shortfall_in(0.5) is None


def test_an_account_without_any_reading_counts_with_what_is_left_of_it():
    week = Recorder().history()
    found = said(member("a", used=40), Member(account("b", used=20), week))

    assert found.left_units == 140
    assert 0 < found.shortfall_probability < 1


def test_an_empty_pool_says_nothing():
    found = said()

    assert (found.accounts, found.left_units, found.shortfall_probability) == (0, 0, None)


# what the accounts give


def test_work_goes_on_with_the_next_account_and_what_none_gives_is_short():
    supply = Supply([account("a", used=90), account("b", used=70)], need=1, exchange=0.16)

    assert supply.spend(35, NOW) == 0
    assert supply.spend(10, NOW + HOUR) == pytest.approx(5)


def test_a_reset_refills_a_week_and_the_first_use_starts_it():
    supply = Supply([account("a", used=100, resets_at=NOW + DAY)], need=1, exchange=0.16)

    assert supply.spend(1, NOW) == 1
    assert supply.spend(100, NOW + DAY) == 0
    assert supply.spend(1, NOW + DAY + WEEK - 1) == 1
    assert supply.spend(1, NOW + DAY + WEEK) == 0


def test_a_five_hour_window_gives_no_more_than_its_share_of_the_week():
    supply = Supply([account("a", five=0.0)], need=1, exchange=0.16)

    assert supply.spend(20, NOW) == pytest.approx(4)
    assert supply.spend(16, NOW + FIVE_HOURS) == 0


def test_an_account_of_six_times_the_size_gives_six_times_as_much():
    supply = Supply([account("a", capacity=6.0, five=0.0)], need=1, exchange=0.16)

    assert supply.spend(100, NOW) == pytest.approx(4)


def test_looking_again_takes_up_the_account_that_would_expire():
    late = account("late", used=10, resets_at=NOW + 6 * DAY)
    soon = account("soon", used=0, resets_at=NOW + 10 * HOUR)
    supply = Supply([late, soon], need=1, exchange=0.16)

    supply.look_again(NOW)
    supply.spend(100, NOW)

    # What was used of it is full again by then.
    assert supply.spend(190, NOW + 11 * HOUR) == 0
