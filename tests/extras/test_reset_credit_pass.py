"""Lists of banked resets are asked for after a refresh, stored, answered, and never spent."""

from typing import Any

import pytest

from quota_web.alerts import timed_alerts
from quota_web.core.quota import Status
from quota_web.core.times import iso
from quota_web.extras.reset_credit_pass import ResetCreditPass
from quota_web.refresh.hooks import hooks
from quota_web.reports import results_json
from tests.alerts.channels import to_send, with_channel
from tests.extras.lists import LIST_PATH, listed_reset, listing
from tests.fakes import NOW, FakeResponse, usage_body

pytestmark = pytest.mark.usefixtures("database")

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def house(installation, codex):
    """An account with two banked resets."""
    lists = ResetCreditPass(lambda: installation.now)
    hooks().on_recorded[:], hooks().on_finished[:] = [lists.note], [lists.run]
    installation.file("alice", exp=NOW + 40 * DAY)
    codex.answers(
        "acct-alice",
        listing(listed_reset("one", NOW + 2 * DAY), listed_reset("two", NOW + 9 * DAY)),
        path=LIST_PATH,
    )
    return installation


def refresh(house, codex, count, hours=1.0):
    house.now += round(hours * HOUR)
    more: dict[str, Any] = {}
    if count is not None:
        more["rate_limit_reset_credits"] = {"available_count": count}
    codex.answers("acct-alice", FakeResponse(body=usage_body(at=house.now, **more)))
    [result] = house.refresh(force=True).values()
    hooks().finished()
    return result


def asked(codex):
    return sum(seen.path == LIST_PATH for seen in codex.seen)


def expiries(house):
    return results_json.result(house.report("alice"))["reset_credit_expiries"]


def gone(house):
    return dict(house.rows("SELECT credit_hash, gone_how FROM reset_credit")).values()


def test_expiries_are_answered_those_first_that_end_first(house, codex):
    refresh(house, codex, 2)

    assert expiries(house) == [iso(NOW + 2 * DAY), iso(NOW + 9 * DAY)]
    house.now = NOW + 2 * DAY
    assert expiries(house) == [iso(NOW + 9 * DAY)]


def test_the_list_is_asked_for_when_the_count_changed_else_once_a_day(house, codex):
    for count, hours, requests in (
        (None, 1, 0), (0, 1, 0), (2, 1, 1), (2, 1, 1), (1, 1, 2), (1, 22, 2), (1, 3, 3), (0, 30, 3),
    ):  # fmt: skip
        refresh(house, codex, count, hours)
        assert asked(codex) == requests


def test_it_is_asked_for_with_the_accounts_own_token_by_get_and_nothing_is_ever_spent(house, codex):
    refresh(house, codex, 2)
    for count in (1, 0, 2):
        refresh(house, codex, count, 30)

    assert {seen.method for seen in codex.seen} == {"GET"}
    assert {seen.path for seen in codex.seen} == {LIST_PATH, "/backend-api/wham/usage"}
    [first, *_] = [seen for seen in codex.seen if seen.path == LIST_PATH]
    assert first.headers["authorization"] == codex.seen[0].headers["authorization"]


@pytest.mark.parametrize(
    "answer",
    [
        FakeResponse(401, body={"detail": "Unauthorized"}),
        FakeResponse(403, body={"detail": "Forbidden"}),
        FakeResponse(403, raw=b"<html>Just a moment", headers={"cf-mitigated": "challenge"}),
        FakeResponse(404, body={}),
        FakeResponse(429, body={}, headers={"Retry-After": "600"}),
        FakeResponse(402, body={"detail": {"code": "deactivated_workspace"}}),
        FakeResponse(200, raw=b"<!DOCTYPE html><html></html>"),
        FakeResponse(200, body={}),
        FakeResponse(drop="request"),
    ],
)
def test_a_failure_changes_neither_list_nor_status(house, codex, answer):
    refresh(house, codex, 2)
    before = expiries(house)
    codex.answers("acct-alice", answer, path=LIST_PATH)

    assert refresh(house, codex, 3, 2).status is Status.OK
    assert asked(codex) == 2
    assert (house.account("alice").last_status, expiries(house)) == (Status.OK, before)
    assert refresh(house, codex, 3, 0.5).status is Status.OK
    assert asked(codex) == 2


def test_a_reset_that_is_not_listed_any_more_is_gone_and_may_come_back(house, codex):
    refresh(house, codex, 2)
    whole = listing(listed_reset("one", NOW + 2 * DAY), listed_reset("two", NOW + 9 * DAY))
    codex.answers("acct-alice", listing(listed_reset("two", NOW + 9 * DAY)), path=LIST_PATH)
    refresh(house, codex, 1)
    assert sorted(gone(house), key=str) == [None, "unknown"]

    codex.answers("acct-alice", whole, path=LIST_PATH)
    refresh(house, codex, 2)
    assert list(gone(house)) == [None, None]


def test_at_count_0_nothing_is_listed_any_more(house, codex):
    refresh(house, codex, 2)
    refresh(house, codex, 0, 24 * 3)

    assert expiries(house) == []
    assert sorted(gone(house)) == ["expired", "unknown"]


def test_a_banked_reset_that_ends_soon_is_told_at_72_and_at_12_hours(house, codex):
    with_channel()
    refresh(house, codex, 2)
    for hours in (0, 24, 12, 1):
        house.now += hours * HOUR
        timed_alerts.judge_now(house.now, HOUR)

    told = [kind for kind, _ in to_send() if kind == "credit.expiring"]
    assert told == ["credit.expiring", "credit.expiring"]
