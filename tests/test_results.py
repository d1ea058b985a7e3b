"""The `/api/results` document: exactly the keys, types and nulls that scripts rely on."""

import pytest

from quota_web import accounts, reports, results
from quota_web.quota import Reading, Spend
from quota_web.times import iso
from tests.fakes import NOW, Scene, usage_body

HOUR, DAY = 3_600, 86_400
SPEND_RESET = NOW + 9 * DAY
EVERYTHING = usage_body(
    12.345678,
    40,
    plan="business",
    additional_rate_limits=[
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_bengalfox",
            "rate_limit": {"primary_window": {"used_percent": 5, "limit_window_seconds": 18_000, "reset_at": NOW + HOUR}},
        }
    ],
    code_review_rate_limit={"primary_window": {"used_percent": 99.996, "limit_window_seconds": 604_800, "reset_at": NOW + DAY}},
    spend_control={
        "reached": False,
        "individual_limit": {"limit": "15000", "used": "3831.75", "used_percent": 26, "reset_at": SPEND_RESET, "unit": "credits"},
    },
    credits={"has_credits": True, "unlimited": False, "balance": "12.50"},
    rate_limit_reset_credits={"available_count": 2},
    model_usage={
        "gpt-6-astra": {
            "available": False,
            "available_at": NOW + 7_200,
            "credits_would_enable": True,
        }
    },
)


def document(house, now=None):
    return results.document(reports.overview(house.scope, now or house.now, HOUR))


def only(house, now=None):
    [entry] = document(house, now)["results"]
    return entry


@pytest.fixture
def alice(house, codex):
    """Answers what the upstream says of alice, as the document tells it."""

    def answered(**scene):
        house.file("alice")
        codex.answers("acct-alice", Scene(**scene))
        house.refresh(force=True)
        return only(house)

    return answered


def test_without_accounts_there_is_nothing(house):
    assert document(house) == {"updated_at": None, "next_refresh_at": None, "results": []}


def test_an_account_that_was_never_refreshed_is_all_null(house):
    house.file("alice")
    house.follow()

    assert document(house) == {
        "updated_at": "2026-11-21T12:00:00Z",
        "next_refresh_at": "2026-11-21T12:00:00Z",
        "results": [
            {
                "account": "alice", "status": "pending", "message": None, "source": None, "plan_type": None, "email": "alice@example.com",
                "five_hour_percent": None, "five_hour_reset_at": None, "weekly_percent": None, "weekly_reset_at": None,
                "blocked": False, "blocked_until": None, "reached_type": None, "spend_reached": False,
                "windows": [], "credits": None, "reset_credits": None, "model_usage": [],
                "taken_at": None, "attempted_at": None, "stale": False, "group": "unknown", "rank": 1, "failing_since": None,
                "same_login_as": None,
            }
        ],
    }  # fmt: skip


def test_everything_that_an_answer_holds_has_its_place(alice):
    assert alice(body=EVERYTHING) == {
        "account": "alice", "status": "ok", "message": None, "source": "network", "plan_type": "business", "email": "alice@example.com",
        "five_hour_percent": 87.65, "five_hour_reset_at": "2026-11-21T14:00:00Z",
        "weekly_percent": 60, "weekly_reset_at": "2026-11-24T23:20:00Z",
        "blocked": False, "blocked_until": None, "reached_type": None, "spend_reached": False,
        "windows": [
            {"key": "five_hour", "label": "5 hours", "remaining_percent": 87.65, "used_percent": 12.35,
             "window_seconds": 18_000, "resets_at": "2026-11-21T14:00:00Z"},
            {"key": "weekly", "label": "Weekly", "remaining_percent": 60, "used_percent": 40,
             "window_seconds": 604_800, "resets_at": "2026-11-24T23:20:00Z"},
            {"key": "code_review:weekly", "label": "Code review · Weekly", "remaining_percent": 0, "used_percent": 100,
             "window_seconds": 604_800, "resets_at": "2026-11-22T12:00:00Z"},
            {"key": "model:codex_bengalfox:five_hour", "label": "GPT-5.3-Codex-Spark · 5 hours", "remaining_percent": 95, "used_percent": 5,
             "window_seconds": 18_000, "resets_at": "2026-11-21T13:00:00Z"},
            {"key": "spend", "label": "Spend", "remaining_percent": 74, "used_percent": 26, "window_seconds": None,
             "resets_at": "2026-11-30T12:00:00Z", "limit": "15000", "used": "3831.75", "unit": "credits"},
        ],
        "credits": {"has_credits": True, "unlimited": False, "balance": "12.50"}, "reset_credits": 2,
        "model_usage": [{"model": "gpt-6-astra", "available": False, "available_at": "2026-11-21T14:00:00Z", "credits_would_enable": True}],
        "taken_at": "2026-11-21T12:00:00Z", "attempted_at": "2026-11-21T12:00:00Z", "stale": False,
        "group": "usable", "rank": 1, "failing_since": None, "same_login_as": None,
    }  # fmt: skip


def test_whole_numbers_are_whole_and_others_have_two_places_at_most(alice):
    entry = alice(body=usage_body(0.004, 33.3333))

    assert (entry["five_hour_percent"], type(entry["five_hour_percent"])) == (100, int)
    assert (entry["weekly_percent"], type(entry["weekly_percent"])) == (66.67, float)
    assert [w["used_percent"] for w in entry["windows"]] == [0, 33.33]


@pytest.mark.parametrize(("used", "remaining"), [(0, 100), (100, 0), (107.5, 0), (99.5, 0.5), (0.1, 99.9), (33.333333, 66.67)])
def test_what_remains_stays_between_0_and_100(used, remaining):
    found = results.window(Reading("spend", used, None, None, None, Spend("10", None, None)))

    assert found == {
        "key": "spend", "label": "Spend", "remaining_percent": remaining, "used_percent": round(used, 2), "window_seconds": None, "resets_at": None,
        "limit": "10", "used": None, "unit": None,
    }  # fmt: skip


def test_a_window_that_is_missing_is_null_and_not_listed(alice):
    entry = alice(body=usage_body(None, 40))

    assert (entry["five_hour_percent"], entry["five_hour_reset_at"], entry["weekly_percent"]) == (None, None, 60)
    assert [w["key"] for w in entry["windows"]] == ["weekly"]


def test_an_exhausted_account_is_blocked_until_its_latest_reset(house, alice):
    entry = alice(body=usage_body(100, 100, rate_limit_reached_type={"type": "rate_limit_reached"}))

    assert (entry["blocked"], entry["blocked_until"], entry["reached_type"]) == (True, "2026-11-24T23:20:00Z", "rate_limit_reached")
    assert only(house, NOW + 300_000 - 1)["blocked"] is True
    assert only(house, NOW + 300_000)["blocked"] is False


def test_a_reached_spend_limit_is_told(alice):
    entry = alice(body=usage_body(1, 1, spend_control={"reached": True, "individual_limit": {"limit": "5", "used": "6", "reset_at": SPEND_RESET}}))

    assert (entry["spend_reached"], entry["blocked"], entry["blocked_until"]) == (True, True, "2026-11-30T12:00:00Z")
    assert entry["windows"][-1]["used_percent"] == 120
    assert entry["windows"][-1]["remaining_percent"] == 0


def test_a_failure_keeps_the_readings_with_their_age(house, alice, codex):
    alice(body=usage_body(12, 40))
    codex.answers("acct-alice", Scene(500, body={}))
    house.now = NOW + HOUR
    house.ask()
    entry = only(house)

    assert (entry["status"], entry["message"], entry["source"]) == ("upstream_error", "HTTP 500", "network")
    assert (entry["five_hour_percent"], entry["taken_at"], entry["attempted_at"]) == (88, "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z")


def test_an_answer_from_the_cache_says_so_until_the_next_from_the_network(house, alice, codex):
    assert alice(body=usage_body(100, 40))["source"] == "network"
    house.now = NOW + 60
    house.ask()
    assert only(house)["source"] == "cache"
    assert only(house)["attempted_at"] == "2026-11-21T12:00:00Z"

    house.ask(force=True)
    assert only(house)["source"] == "network"


def test_an_expired_token_has_its_moment_as_iso(house):
    house.file("alice", exp=NOW - 60)
    house.refresh()

    assert only(house)["status"] == "expired"
    assert only(house)["message"] == "access token expired at 2026-11-21T11:59:00Z; sign in again"


def test_a_paused_account_says_nothing_but_that(house, alice):
    assert alice(status=500, body={})["message"] == "HTTP 500"
    accounts.pause("alice", NOW, "test")
    entry = only(house)

    assert (entry["status"], entry["message"]) == ("paused", None)
    assert document(house)["next_refresh_at"] is None


def test_readings_are_stale_when_older_than_two_intervals_or_past_a_reset(house, alice):
    alice(body=usage_body(12, 40))

    assert [only(house, at)["stale"] for at in (NOW + 2 * HOUR - 1, NOW + 2 * HOUR)] == [False, True]
    assert only(house, NOW + 2 * HOUR)["five_hour_percent"] == 88


def test_an_exhausted_accounts_readings_hold_until_its_reset(house, alice):
    alice(body=usage_body(None, 100))

    assert [only(house, NOW + at)["stale"] for at in (DAY, 299_999, 300_000)] == [False, False, True]


def test_the_next_refresh_is_the_earliest_of_those_that_are_asked(house, codex):
    for name in ("alice", "bob"):
        house.file(name)
    house.refresh()
    due = house.account("alice").next_due_at, house.account("bob").next_due_at
    assert document(house)["next_refresh_at"] == iso(min(due))

    accounts.pause("alice" if due[0] < due[1] else "bob", NOW, "test")
    assert document(house)["next_refresh_at"] == iso(max(due))


def test_accounts_come_in_the_order_in_which_they_should_be_used(house, codex):
    bodies = {
        "even-b": usage_body(50, 50), "even-a": usage_body(50, 50), "soon": usage_body(50, 50, at=NOW - 60), "most": usage_body(1, 99),
        "week": usage_body(50, 10), "none": usage_body(None, 0), "empty": usage_body(100, 0),
    }  # fmt: skip
    for name, body in bodies.items():
        house.file(name)
        codex.answers(f"acct-{name}", Scene(body=body))
    house.file("Never", exp=NOW - 1)
    house.refresh()

    assert [r["account"] for r in document(house)["results"]] == ["none", "most", "week", "soon", "even-a", "even-b", "empty", "Never"]
    assert [r["rank"] for r in document(house)["results"]] == [1, 2, 3, 4, 5, 6, 7, 8]
