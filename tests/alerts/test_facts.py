"""Another plan and new banked resets: told when a second answer agrees."""

import pytest

from quota_web.core.quota import Facts
from tests.alerts.watching import Account


def told(values, step=5, **fixed):
    """What answers tell whose facts are these in turn, so many minutes apart."""
    account = Account()
    for place, value in enumerate(values):
        account.answer(step * place, Facts(allowed=True, limit_reached=False, **value), weekly=50)
    return [event.kind for event in account.told]


@pytest.mark.parametrize(
    ("plans", "count"),
    [
        (["plus"], 0),
        (["plus", "pro"], 0),
        (["plus", "pro", "pro"], 1),
        (["plus", "pro", "plus", "plus"], 0),
        (["plus", None, "plus", "plus"], 0),
        (["plus", "pro", None, "pro"], 1),
        (["plus", "pro", "pro", "plus", "plus"], 2),
    ],
)
def test_a_plan_is_told_when_it_stays(plans, count):
    assert told([{"plan": plan} for plan in plans]) == ["plan_changed"] * count


@pytest.mark.parametrize(
    ("counts", "count"),
    [
        ([2], 0),
        ([0, 1], 0),
        ([0, 1, 1], 1),
        ([0, 2, 2, 3, 3], 2),
        # One answer that leaves them out, or makes some up.
        ([2, 0, 2, 2], 0),
        ([0, 2, 0, 0], 0),
        ([2, None, 2, 2], 0),
        # One is used, then another one is granted.
        ([2, 1, 1, 3, 3], 1),
    ],
)
def test_a_banked_reset_is_told_when_it_stays(counts, count):
    found = told([{"reset_credits": number} for number in counts])

    assert found == ["credit_granted"] * count


def test_a_second_answer_within_the_minute_is_none():
    assert told([{"plan": plan} for plan in ("plus", "pro", "pro")], step=0.5) == []


def test_a_count_that_comes_back_days_later_is_a_grant():
    assert told([{"reset_credits": n} for n in (2, 1, 2, 2)], step=24 * 60) == ["credit_granted"]
