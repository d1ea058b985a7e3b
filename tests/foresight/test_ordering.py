"""The order of use: candidates as the choice sees them, and the tiers that it never mixes."""

from dataclasses import replace
from typing import Any

from quota_web.core.display_order import Group
from quota_web.core.quota import NOT_BLOCKED, Facts, Reading, Status
from quota_web.foresight.ordering import Terms, in_order, main_windows
from quota_web.reports.overview import AccountView
from quota_web.store.accounts import Account

NOW, HOUR, DAY = 1_795_262_400, 3_600, 86_400
FIELDS = Account.__slots__
WEEK = 7 * DAY


def view(number, five=20.0, week=50.0, week_in=2 * DAY, status=Status.OK, plan="plus", **more):
    """A usable account, its name made of its number."""
    plain: dict[str, Any] = dict.fromkeys(FIELDS) | {
        "id": number,
        "name": f"a{number}",
        "taken_at": NOW,
    }
    windows = [
        Reading("five_hour", five, NOW + 2 * HOUR, 18_000) if five is not None else None,
        Reading("weekly", week, NOW + week_in, WEEK) if week is not None else None,
    ]
    found = AccountView(
        Account(**plain), status, None, None, Facts(plan), tuple(filter(None, windows)),
        NOT_BLOCKED, stale=False,
    )  # fmt: skip
    return replace(found, **more)


def order(*views, last_used=None, need=5.0):
    ranked = in_order(views, last_used or {}, Terms(NOW, need))
    return [(r.account_id, *r.reasons) for r in ranked]


def test_all_are_ordered_by_choosing_again_without_those_chosen():
    found = order(view(1, week_in=6 * DAY), view(2, week_in=DAY), view(3, week_in=3 * DAY))

    assert found == [
        (2, "expires_soonest_with_rest"),
        (3, "expires_soonest_with_rest"),
        (1, "only_one"),
    ]


def test_the_account_in_use_is_kept():
    found = order(view(1), view(2, week_in=2 * DAY - HOUR), last_used={1: NOW - 60})

    assert found[0] == (1, "kept")


def test_an_unstarted_week_goes_first():
    untouched = view(1, week=0, week_in=WEEK)

    assert order(untouched, view(2, week_in=HOUR))[0] == (1, "starts_week")


def test_an_account_that_does_not_carry_the_need_stands_behind():
    assert [i for i, *_ in order(view(1, five=97), view(2, week_in=6 * DAY))] == [2, 1]


def test_a_failed_answer_stands_behind_all_fresh_ones():
    failing = view(1, status=Status.UNREACHABLE, week_in=HOUR)

    assert [i for i, *_ in order(failing, view(2, five=99), view(3))] == [3, 2, 1]


def test_credits_come_last_because_they_cost_money():
    on_credits = view(1, five=100, week=10, week_in=HOUR)

    assert [i for i, *_ in order(on_credits, view(2, five=99), view(3, five=None, week=None))] == [
        2,
        1,
        3,
    ]


def test_who_cannot_be_named_is_left_out():
    out = (
        view(1, group=Group.PAUSED),
        view(2, group=Group.BLOCKED),
        view(3, group=Group.UNKNOWN),
        # Its reset has passed unread, so what is left is unknown.
        view(4, stale=True),
        view(5, same_login_as="a6"),
    )

    assert order(*out, view(6)) == [(6, "only_one")]


def test_a_month_is_like_a_week_and_a_day_like_five_hours():
    month, day = Reading("monthly", 1, NOW, 30 * DAY), Reading("daily", 1, NOW, DAY)

    assert main_windows(view(1, windows=(day, month))) == (day, month)
    assert main_windows(view(1, windows=())) == (None, None)


def test_a_larger_plan_carries_more():
    small, large = view(1, five=96), view(2, five=96, plan="pro", week_in=6 * DAY)

    assert order(small, large)[0] == (2, "carries")
