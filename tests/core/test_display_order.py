"""Groups of accounts and their order: the same everywhere, and never what cannot be used above what
can.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.core import display_order
from quota_web.core.display_order import GROUPS, Group
from quota_web.core.quota import NOT_BLOCKED, Block, Reading, Status
from tests.fakes import NOW

BLOCKED = Block(True, NOW + 60)


@pytest.mark.parametrize(
    ("status", "block", "is_known", "group"),
    [
        ("ok", NOT_BLOCKED, True, "usable"),
        ("ok", NOT_BLOCKED, False, "unknown"),
        ("ok", BLOCKED, True, "blocked"),
        # What blocks does not end because nobody has looked of late.
        ("ok", BLOCKED, False, "blocked"),
        ("pending", NOT_BLOCKED, False, "unknown"),
        ("paused", BLOCKED, True, "paused"),
        ("expired", BLOCKED, True, "attention"),
        ("deactivated", NOT_BLOCKED, True, "attention"),
        ("invalid_credentials", NOT_BLOCKED, False, "attention"),
        # These pass by themselves: the reading counts for as long as it is fresh.
        ("rate_limited", NOT_BLOCKED, True, "usable"),
        ("bad_response", BLOCKED, True, "blocked"),
        ("address_blocked", NOT_BLOCKED, False, "unknown"),
    ],
)
def test_the_group_follows_from_status_block_and_age(status, block, is_known, group):
    assert display_order.group(Status(status), block, is_known) == group


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_group(status):
    assert display_order.group(status, NOT_BLOCKED, True) in GROUPS


def window(left, key="five_hour", resets_at=NOW + 900):
    return Reading(key, 100 - left, resets_at)


def weekly(left, resets_at=NOW + 9_000):
    return window(left, "weekly", resets_at)


def ordered(accounts):
    """Names in order; an account is its windows, or those with group, status and block."""
    found = {}
    for name, told in accounts.items():
        windows, group, status, block = (
            (*told, "usable", "ok", NOT_BLOCKED)[:4] if len(told) < 4 else told
        )
        found[name] = display_order.order(Group(group), Status(status), block, windows, name)
    return sorted(found, key=lambda name: found[name])


def test_most_five_hour_left_comes_first_then_weekly_then_the_sooner_reset_then_the_name():
    accounts = {
        "most": [[window(90), weekly(1)]],
        "Even": [[window(50), weekly(50)]],
        "even": [[window(50), weekly(50)]],
        "even more": [[window(50), weekly(50)]],
        "later": [[window(50), weekly(50, NOW + 9_001)]],
        "less weekly": [[window(50), weekly(49)]],
        "no weekly": [[window(50)]],
        "least": [[window(49), weekly(100)]],
    }

    assert ordered(accounts) == list(accounts)


def test_without_a_five_hour_window_an_account_is_placed_by_its_own_windows():
    accounts = {
        "five": [[window(80), weekly(80)]],
        "month": [[window(70, "monthly")]],
        "week": [[weekly(60)]],
        "month and week": [[weekly(90), window(50, "monthly")]],
        "little": [[window(40), weekly(90)]],
    }

    assert ordered(accounts) == list(accounts)


def test_what_costs_money_comes_after_all_that_has_quota_left():
    accounts = {
        "little": [[window(1), weekly(1)]],
        "week is gone": [[window(100), weekly(0)]],
        "no window": [[]],
        "a model's window": [[window(90, "model:x:weekly")]],
    }

    assert ordered(accounts)[:2] == ["little", "week is gone"]
    assert set(ordered(accounts)[2:]) == {"no window", "a model's window"}


def test_within_a_group_who_did_not_answer_stands_behind_all_who_did():
    accounts = {
        "answered": [[window(5)]],
        "failed": [[window(100)], "usable", "rate_limited", NOT_BLOCKED],
        "back late": [[], "blocked", "ok", Block(True, NOW + 9_000)],
        "back soon, failed": [[], "blocked", "unreachable", Block(True, NOW + 9)],
    }

    assert ordered(accounts) == list(accounts)


def test_who_is_back_soonest_stands_first_among_the_blocked():
    accounts = {
        "soon": [[], "blocked", "ok", Block(True, NOW + 60)],
        "later": [[], "blocked", "ok", Block(True, NOW + 61)],
        "nobody knows": [[], "blocked", "ok", Block(True)],
    }

    assert ordered(accounts) == list(accounts)


ACCOUNTS = st.tuples(
    st.lists(
        st.builds(
            Reading,
            st.sampled_from(["five_hour", "weekly", "monthly", "spend", "model:x:weekly"]),
            st.floats(0, 120),
            st.none() | st.integers(NOW - 9, NOW + 9),
        ),
        max_size=4,
    ),
    st.sampled_from(list(Status)),
    st.sampled_from([NOT_BLOCKED, Block(True), BLOCKED]),
    st.booleans(),
)


@given(st.lists(ACCOUNTS, max_size=8))
def test_nothing_that_cannot_be_used_stands_above_what_can(accounts):
    made = []
    for number, (windows, status, block, is_known) in enumerate(accounts):
        group = display_order.group(status, block, is_known)
        made.append((display_order.order(group, status, block, windows, f"n{number}"), group))

    groups = [group for _, group in sorted(made)]
    assert groups == sorted(groups, key=GROUPS.index)


def test_the_classic_order_puts_what_has_no_five_hour_window_last():
    accounts = {
        "most": [window(90), weekly(1)],
        "week": [window(50), weekly(50)],
        "later": [window(50), weekly(50, NOW + 9_001)],
        "none": [window(50)],
        "week only": [weekly(100)],
        "month only": [window(100, "monthly")],
    }

    assert sorted(accounts, key=lambda n: display_order.classic_order(accounts[n], n)) == list(
        accounts
    )
