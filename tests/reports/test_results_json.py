"""The `/api/results` document: exactly the keys, types and nulls that scripts rely on."""

import pytest

from quota_web.accounts import account_service
from quota_web.core.quota import Reading, Spend
from quota_web.core.times import iso
from quota_web.reports import overview, results_json
from tests.fakes import NOW, FakeResponse, usage_body

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
            "rate_limit": {
                "primary_window": {
                    "used_percent": 5,
                    "limit_window_seconds": 18_000,
                    "reset_at": NOW + HOUR,
                }
            },
        }
    ],
    code_review_rate_limit={
        "primary_window": {
            "used_percent": 99.996,
            "limit_window_seconds": 604_800,
            "reset_at": NOW + DAY,
        }
    },
    spend_control={
        "reached": False,
        "individual_limit": {
            "limit": "15000",
            "used": "3831.75",
            "used_percent": 26,
            "reset_at": SPEND_RESET,
            "unit": "credits",
        },
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


def document(installation, now=None):
    return results_json.document(
        overview.load_overview(installation.scope, now or installation.now, HOUR)
    )


def only(installation, now=None):
    [entry] = document(installation, now)["results"]
    return entry


@pytest.fixture
def alice(installation, codex):
    """Answers what the upstream says of alice, as the document tells it."""

    def answered(**scene):
        installation.file("alice")
        codex.answers("acct-alice", FakeResponse(**scene))
        installation.refresh(force=True)
        return only(installation)

    return answered


def test_without_accounts_there_is_nothing(installation):
    assert document(installation) == {"updated_at": None, "next_refresh_at": None, "results": []}


def test_an_account_that_was_never_refreshed_is_all_null(installation):
    installation.file("alice")
    installation.follow()

    assert document(installation) == {
        "updated_at": "2026-11-21T12:00:00Z",
        "next_refresh_at": "2026-11-21T12:00:00Z",
        "results": [
            {
                "account": "alice", "status": "pending", "message": None, "source": None,
                "plan_type": None, "email": "alice@example.com",
                "five_hour_percent": None, "five_hour_reset_at": None, "weekly_percent": None,
                "weekly_reset_at": None,
                "blocked": False, "blocked_until": None, "reached_type": None,
                "spend_reached": False,
                "windows": [], "credits": None, "reset_credits": None,
                "reset_credit_expiries": [], "subscription": None, "workspace": None,
                "model_usage": [],
                "taken_at": None, "attempted_at": None, "stale": False, "group": "unknown",
                "rank": 1, "failing_since": None,
                "same_login_as": None,
            }
        ],
    }  # fmt: skip


def test_everything_that_an_answer_holds_has_its_place(alice):
    assert alice(body=EVERYTHING) == {
        "account": "alice", "status": "ok", "message": None, "source": "network",
        "plan_type": "business", "email": "alice@example.com",
        "five_hour_percent": 87.65, "five_hour_reset_at": "2026-11-21T14:00:00Z",
        "weekly_percent": 60, "weekly_reset_at": "2026-11-24T23:20:00Z",
        "blocked": False, "blocked_until": None, "reached_type": None, "spend_reached": False,
        "windows": [
            {"key": "five_hour", "label": "5 hours", "remaining_percent": 87.65,
             "used_percent": 12.35,
             "window_seconds": 18_000, "resets_at": "2026-11-21T14:00:00Z", "forecast": None},
            {"key": "weekly", "label": "Weekly", "remaining_percent": 60, "used_percent": 40,
             "window_seconds": 604_800, "resets_at": "2026-11-24T23:20:00Z", "forecast": None},
            {"key": "code_review:weekly", "label": "Code review · Weekly", "remaining_percent": 0,
             "used_percent": 100,
             "window_seconds": 604_800, "resets_at": "2026-11-22T12:00:00Z", "forecast": None},
            {"key": "model:codex_bengalfox:five_hour", "label": "GPT-5.3-Codex-Spark · 5 hours",
             "remaining_percent": 95, "used_percent": 5,
             "window_seconds": 18_000, "resets_at": "2026-11-21T13:00:00Z", "forecast": None},
            {"key": "spend", "label": "Spend", "remaining_percent": 74, "used_percent": 26,
             "window_seconds": None,
             "resets_at": "2026-11-30T12:00:00Z", "limit": "15000", "used": "3831.75",
             "unit": "credits", "forecast": None},
        ],
        "credits": {"has_credits": True, "unlimited": False, "balance": "12.50"},
        "reset_credits": 2,
        "reset_credit_expiries": [],
        "subscription": None, "workspace": None,
        "model_usage": [{"model": "gpt-6-astra", "available": False,
                         "available_at": "2026-11-21T14:00:00Z", "credits_would_enable": True}],
        "taken_at": "2026-11-21T12:00:00Z", "attempted_at": "2026-11-21T12:00:00Z", "stale": False,
        "group": "usable", "rank": 1, "failing_since": None, "same_login_as": None,
    }  # fmt: skip


def test_whole_numbers_are_whole_and_others_have_two_places_at_most(alice):
    entry = alice(body=usage_body(0.004, 33.3333))

    assert (entry["five_hour_percent"], type(entry["five_hour_percent"])) == (100, int)
    assert (entry["weekly_percent"], type(entry["weekly_percent"])) == (66.67, float)
    assert [w["used_percent"] for w in entry["windows"]] == [0, 33.33]


@pytest.mark.parametrize(
    ("used", "remaining"),
    [(0, 100), (100, 0), (107.5, 0), (99.5, 0.5), (0.1, 99.9), (33.333333, 66.67)],
)
def test_what_remains_stays_between_0_and_100(used, remaining):
    found = results_json.window(Reading("spend", used, None, None, None, Spend("10", None, None)))

    assert found == {
        "key": "spend", "label": "Spend", "remaining_percent": remaining,
        "used_percent": round(used, 2), "window_seconds": None, "resets_at": None,
        "limit": "10", "used": None, "unit": None,
    }  # fmt: skip


def test_a_window_that_is_missing_is_null_and_not_listed(alice):
    entry = alice(body=usage_body(None, 40))

    assert (entry["five_hour_percent"], entry["five_hour_reset_at"], entry["weekly_percent"]) == (
        None,
        None,
        60,
    )
    assert [w["key"] for w in entry["windows"]] == ["weekly"]


def test_an_exhausted_account_is_blocked_until_its_latest_reset(installation, alice):
    entry = alice(body=usage_body(100, 100, rate_limit_reached_type={"type": "rate_limit_reached"}))

    assert (entry["blocked"], entry["blocked_until"], entry["reached_type"]) == (
        True,
        "2026-11-24T23:20:00Z",
        "rate_limit_reached",
    )
    assert only(installation, NOW + 300_000 - 1)["blocked"] is True
    assert only(installation, NOW + 300_000)["blocked"] is False


def test_a_reached_spend_limit_is_told(alice):
    entry = alice(
        body=usage_body(
            1,
            1,
            spend_control={
                "reached": True,
                "individual_limit": {"limit": "5", "used": "6", "reset_at": SPEND_RESET},
            },
        )
    )

    assert (entry["spend_reached"], entry["blocked"], entry["blocked_until"]) == (
        True,
        True,
        "2026-11-30T12:00:00Z",
    )
    assert entry["windows"][-1]["used_percent"] == 120
    assert entry["windows"][-1]["remaining_percent"] == 0


def test_a_failure_keeps_the_readings_with_their_age(installation, alice, codex):
    alice(body=usage_body(12, 40))
    codex.answers("acct-alice", FakeResponse(500, body={}))
    installation.now = NOW + HOUR
    installation.ask()
    entry = only(installation)

    assert (entry["status"], entry["message"], entry["source"]) == (
        "upstream_error",
        "HTTP 500",
        "network",
    )
    assert (entry["five_hour_percent"], entry["taken_at"], entry["attempted_at"]) == (
        88,
        "2026-11-21T12:00:00Z",
        "2026-11-21T13:00:00Z",
    )


def test_an_answer_from_the_cache_says_so_until_the_next_from_the_network(
    installation, alice, codex
):
    assert alice(body=usage_body(100, 40))["source"] == "network"
    installation.now = NOW + 60
    installation.ask()
    assert only(installation)["source"] == "cache"
    assert only(installation)["attempted_at"] == "2026-11-21T12:00:00Z"

    installation.ask(force=True)
    assert only(installation)["source"] == "network"


def test_an_expired_token_has_its_moment_as_iso(installation):
    installation.file("alice", exp=NOW - 60)
    installation.refresh()

    assert only(installation)["status"] == "expired"
    assert (
        only(installation)["message"]
        == "access token expired at 2026-11-21T11:59:00Z; sign in again"
    )


def test_a_paused_account_says_nothing_but_that(installation, alice):
    assert alice(status=500, body={})["message"] == "HTTP 500"
    account_service.pause("alice", NOW, "test")
    entry = only(installation)

    assert (entry["status"], entry["message"]) == ("paused", None)
    assert document(installation)["next_refresh_at"] is None


def test_readings_are_stale_when_older_than_two_intervals_or_past_a_reset(installation, alice):
    alice(body=usage_body(12, 40))

    assert [only(installation, at)["stale"] for at in (NOW + 2 * HOUR - 1, NOW + 2 * HOUR)] == [
        False,
        True,
    ]
    assert only(installation, NOW + 2 * HOUR)["five_hour_percent"] == 88


def test_an_exhausted_accounts_readings_hold_until_its_reset(installation, alice):
    alice(body=usage_body(None, 100))

    assert [only(installation, NOW + at)["stale"] for at in (DAY, 299_999, 300_000)] == [
        False,
        False,
        True,
    ]


def test_the_next_refresh_is_the_earliest_of_those_that_are_asked(installation, codex):
    for name in ("alice", "bob"):
        installation.file(name)
    installation.refresh()
    due = installation.account("alice").next_due_at, installation.account("bob").next_due_at
    assert document(installation)["next_refresh_at"] == iso(min(due))

    account_service.pause("alice" if due[0] < due[1] else "bob", NOW, "test")
    assert document(installation)["next_refresh_at"] == iso(max(due))


def test_accounts_come_in_the_order_in_which_they_should_be_used(installation, codex):
    bodies = {
        "even-b": usage_body(50, 50), "even-a": usage_body(50, 50),
        "soon": usage_body(50, 50, at=NOW - 60), "most": usage_body(1, 99),
        "week": usage_body(50, 10), "none": usage_body(None, 0), "empty": usage_body(100, 0),
    }  # fmt: skip
    for name, body in bodies.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=body))
    installation.file("Never", exp=NOW - 1)
    installation.refresh()

    assert [r["account"] for r in document(installation)["results"]] == [
        "none",
        "most",
        "week",
        "soon",
        "even-a",
        "even-b",
        "empty",
        "Never",
    ]
    assert [r["rank"] for r in document(installation)["results"]] == [1, 2, 3, 4, 5, 6, 7, 8]
