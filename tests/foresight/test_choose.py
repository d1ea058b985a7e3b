"""Which account next: each rule of the choice and the reason it gives."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.foresight import Candidate, Choice, Reason, choose

NOW = 1_800_000_000
HOUR, DAY = 3_600, 86_400
EXCHANGE = 0.16


def candidate(name: str, **changes) -> Candidate:
    """A Plus account with a half used week that ends in two days and a fresh five-hour window."""
    plain = Candidate(name, 1.0, 0, None, 50, NOW + 2 * DAY, 0)
    return dataclasses.replace(plain, **changes)


def chosen(*candidates: Candidate, current: str | None = None, need: float = 5) -> Choice:
    return choose(candidates, NOW, current, need, EXCHANGE)


def test_of_no_account_none_is_chosen():
    assert chosen() == Choice(None, ())


def test_the_only_account_is_chosen_whatever_is_left():
    alone = candidate("a", five_hour_used=99, weekly_used=99)

    assert chosen(alone) == Choice("a", (Reason.ONLY_ONE,))


def test_an_account_that_does_not_carry_the_work_is_passed_over():
    soon = candidate("soon", five_hour_used=96, five_hour_resets_at=NOW + HOUR)
    late = candidate("late", weekly_resets_at=NOW + 6 * DAY)

    assert chosen(soon, late) == Choice("late", (Reason.CARRIES,))


def test_the_weekly_rest_bounds_what_an_account_carries():
    # 1 weekly point is about 6 five-hour points.
    little = candidate("little", weekly_used=99, weekly_resets_at=NOW + HOUR)

    assert Reason.CARRIES not in chosen(little, candidate("b"), need=6).reasons
    assert Reason.CARRIES in chosen(little, candidate("b"), need=7).reasons


def test_a_larger_account_carries_more_with_the_same_percent():
    large = candidate("large", capacity=5, five_hour_used=98)

    assert chosen(large, candidate("b", five_hour_used=95), need=8).name == "large"


def test_where_none_carries_the_work_the_one_that_carries_most_is_chosen():
    assert chosen(
        candidate("a", five_hour_used=97),
        candidate("b", five_hour_used=96),
        candidate("c", five_hour_used=98),
    ) == Choice("b", (Reason.CARRIES,))


def test_an_unstarted_week_is_started_first():
    unstarted = candidate("new", weekly_used=0, weekly_resets_at=None)

    assert chosen(candidate("a", weekly_used=0), unstarted) == Choice("new", (Reason.STARTS_WEEK,))


def test_of_unstarted_weeks_the_largest_is_started_first():
    small = candidate("small", weekly_used=0, weekly_resets_at=None)
    large = dataclasses.replace(small, name="large", capacity=5)

    assert chosen(small, large).name == "large"


def test_an_unstarted_week_goes_before_the_account_in_use():
    unstarted = candidate("new", weekly_used=0, weekly_resets_at=None)

    assert chosen(candidate("a"), unstarted, current="a").name == "new"


def test_an_unstarted_week_that_does_not_carry_the_work_waits():
    unstarted = candidate("new", weekly_used=0, weekly_resets_at=None, five_hour_used=99)

    assert chosen(candidate("a"), candidate("b"), unstarted).name == "a"


def test_the_week_that_would_expire_with_most_left_an_hour_is_drained():
    soon = candidate("soon", weekly_resets_at=NOW + DAY)
    late = candidate("late", weekly_used=20)

    assert chosen(late, soon) == Choice("soon", (Reason.EXPIRES_SOONEST_WITH_REST,))


def test_the_soonest_reset_alone_decides_nothing():
    empty = candidate("empty", weekly_used=98, weekly_resets_at=NOW + HOUR)

    assert chosen(empty, candidate("b")).name == "b"


def test_the_account_in_use_stays_unless_another_is_much_better():
    in_use = candidate("in use")
    better, much_better = candidate("b", weekly_used=40), candidate("c", weekly_used=30)

    assert chosen(in_use, better, current="in use") == Choice("in use", (Reason.KEPT,))
    assert chosen(in_use, much_better, current="in use").name == "c"


def test_without_a_current_account_the_one_used_last_stays():
    last = candidate("last", last_used_at=NOW - HOUR)
    earlier = candidate("earlier", weekly_used=45, last_used_at=NOW - DAY)

    assert chosen(earlier, last) == Choice("last", (Reason.KEPT,))
    assert chosen(earlier, dataclasses.replace(last, last_used_at=0)).name == "earlier"


def test_a_current_account_that_does_not_carry_the_work_is_left():
    empty = candidate("empty", five_hour_used=99)

    choice = chosen(empty, candidate("b", weekly_used=40), candidate("c"), current="empty")

    assert choice == Choice("b", (Reason.CARRIES, Reason.EXPIRES_SOONEST_WITH_REST))


def test_an_account_without_a_five_hour_window_is_judged_by_its_week():
    weekly_only = candidate("weekly only", five_hour_used=None, weekly_used=40)

    assert chosen(weekly_only, candidate("b")).name == "weekly only"


percents = st.floats(0, 100)
moments = st.none() | st.integers(NOW, NOW + 7 * DAY)
candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdefgh"),
        st.sampled_from([1.0, 5.0, 20 / 3]),
        st.none() | percents,
        moments,
        percents,
        moments,
        st.integers(0, NOW),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda c: c.name,
)


@given(candidates, st.none() | st.sampled_from("abcdefgh"), st.floats(0, 200))
def test_any_candidates_give_one_of_them_with_a_reason_and_always_the_same(given_, current, need):
    choice = choose(given_, NOW, current, need, EXCHANGE)

    assert choice.name in {c.name for c in given_}
    assert choice.reasons
    assert choice == choose(given_, NOW, current, need, EXCHANGE)


@pytest.mark.parametrize("used", [0, 50, 100])
def test_the_moment_of_the_reset_divides_by_nothing(used):
    due = candidate("due", weekly_used=used, weekly_resets_at=NOW)

    assert chosen(due, candidate("b")).name in {"due", "b"}
