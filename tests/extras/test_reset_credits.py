"""The list of banked resets: what is read of it, when it is asked for, and how resets go."""

import pytest

from quota_web.codex import reset_credits
from quota_web.codex.classify import Classification
from quota_web.codex.payload import BadPayload
from quota_web.core.banked_resets import BankedReset
from quota_web.core.faults import Fault
from quota_web.extras import reset_listing
from quota_web.store.reset_credits import ListState
from tests.extras.lists import listed_reset
from tests.fakes import NOW

DAY = 86_400


def parsed(*rows):
    return reset_credits.parse({"credits": list(rows), "available_count": 9})


def test_what_can_be_spent_is_read_with_title_and_expiry():
    [found] = parsed(listed_reset("one", NOW + DAY, title="Both\u202e windows")).available

    assert (found.expires_at, found.title) == (NOW + DAY, "Both windows")
    assert "one" not in found.credit_hash


def test_spent_ones_and_unknown_states_cannot_be_spent():
    found = parsed(
        listed_reset("a", NOW + DAY, status="redeemed"),
        listed_reset("b", NOW + DAY, status="redeeming"),
        listed_reset("c", None, status="of_a_new_kind", title=None),
    )

    assert found.available == ()
    assert len(found.spent) == 2


def test_rows_that_are_none_and_moments_that_cannot_be_are_left_out():
    found = parsed(None, 3, {}, {"id": ""}, listed_reset("a", None) | {"expires_at": "soon"})

    assert [reset.expires_at for reset in found.available] == [None]


@pytest.mark.parametrize("document", [None, [], {}, {"credits": {"has_credits": False}}])
def test_an_answer_without_a_list_is_none(document):
    with pytest.raises(BadPayload):
        reset_credits.parse(document)


@pytest.mark.parametrize(
    ("count", "state", "is_due"),
    [
        (None, ListState(), False),
        (0, ListState(2, NOW - 9 * DAY), False),
        (1, ListState(), True),
        (1, ListState(1, NOW - DAY + 1), False),
        (1, ListState(1, NOW - DAY), True),
        (2, ListState(1, NOW - 1), True),
        (2, ListState(1, NOW - 1, retry_at=NOW + 1), False),
        (2, ListState(1, NOW - 1, retry_at=NOW), True),
        (1, ListState(1, NOW + 9 * DAY), True),
        (1, ListState(1, NOW - DAY, retry_at=NOW + 90 * DAY), True),
    ],
)
def test_a_list_is_asked_for_when_the_count_changed_or_after_a_day(count, state, is_due):
    assert reset_listing.is_due(count, state, NOW) is is_due


def test_after_a_failure_it_is_asked_for_in_an_hour_or_as_told_and_in_a_day_where_there_is_none():
    missing = Classification(Fault("http", {"http_status": 404, "reason": ""}))
    told = Classification(Fault("rate_limited", {"http_status": 429}), retry_after_s=7_200)

    assert reset_listing.retry_at(Classification(Fault("unreachable")), NOW) == NOW + 3_600
    assert reset_listing.retry_at(told, NOW) == NOW + 7_200
    assert reset_listing.retry_at(missing, NOW) == NOW + DAY


def test_what_is_missing_ran_out_or_was_used_or_went_for_an_unknown_reason():
    old, other = BankedReset("old", expires_at=NOW), BankedReset("new", expires_at=NOW + 1)
    empty = reset_credits.ResetList((), frozenset())

    assert reset_listing.gone([old, other], empty, 0, NOW) == {"old": "expired", "new": "unknown"}
    assert reset_listing.gone([old, other], empty, 1, NOW) == {"old": "expired", "new": "used"}
    spent = reset_credits.ResetList((), frozenset({"new"}))
    assert reset_listing.gone([other], spent, 0, NOW) == {"new": "used"}
    there = reset_credits.ResetList((other,), frozenset())
    assert reset_listing.gone([other], there, 1, NOW) == {}
