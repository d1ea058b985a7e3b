"""The JSON document that `flask quota refresh` and `status` print: its shape, and what it says as
time goes by.
"""

import json

from tests.fakes import NOW, FakeResponse, usage_body


def test_the_document_has_the_shape_of_the_contract(installation, codex):
    installation.file("alice")
    codex.default = FakeResponse(
        body=usage_body(12, 40, rate_limit_reset_credits={"available_count": 2})
    )
    document = json.loads(installation.run("refresh", "--json").stdout)

    due = document.pop("next_refresh_at")
    assert "2026-11-21T12:54:00Z" <= due <= "2026-11-21T13:06:00Z"
    assert document == {
        "updated_at": "2026-11-21T12:00:00Z",
        "results": [
            {
                "account": "alice",
                "status": "ok",
                "message": None,
                "source": "network",
                "plan_type": "plus",
                "email": "alice@example.com",
                "five_hour_percent": 88,
                "five_hour_reset_at": "2026-11-21T14:00:00Z",
                "weekly_percent": 60,
                "weekly_reset_at": "2026-11-24T23:20:00Z",
                "blocked": False,
                "blocked_until": None,
                "reached_type": None,
                "spend_reached": False,
                "windows": [
                    {
                        "key": "five_hour",
                        "label": "5 hours",
                        "remaining_percent": 88,
                        "used_percent": 12,
                        "window_seconds": 18000,
                        "resets_at": "2026-11-21T14:00:00Z",
                        "forecast": {
                            "state": "few_data",
                            "days_of_history": 0.0,
                            "run_out_probability": None,
                            "lasts": None,
                            "if_runs_out": None,
                            "remaining_at_reset_percent": None,
                            "remaining_at_reset_between": None,
                            "resets_at": "2026-11-21T14:00:00Z",
                            "pace": {"used_percent": 12, "even_percent": 60},
                            "blocked_by": None,
                        },
                    },
                    {
                        "key": "weekly",
                        "label": "Weekly",
                        "remaining_percent": 60,
                        "used_percent": 40,
                        "window_seconds": 604800,
                        "resets_at": "2026-11-24T23:20:00Z",
                        "forecast": {
                            "state": "few_data",
                            "days_of_history": 0.0,
                            "run_out_probability": None,
                            "lasts": None,
                            "if_runs_out": None,
                            "remaining_at_reset_percent": None,
                            "remaining_at_reset_between": None,
                            "resets_at": "2026-11-24T23:20:00Z",
                            "pace": {"used_percent": 40, "even_percent": 50},
                            "blocked_by": None,
                        },
                    },
                ],
                "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
                "reset_credits": 2,
                "reset_credit_expiries": [],
                "subscription": None,
                "workspace": None,
                "model_usage": [],
                "taken_at": "2026-11-21T12:00:00Z",
                "attempted_at": "2026-11-21T12:00:00Z",
                "stale": False,
                "group": "usable",
                "rank": 1,
                "failing_since": None,
                "same_login_as": None,
            }
        ],
    }


def test_a_spend_limit_has_its_amounts(installation, codex):
    installation.file("alice")
    limit = {"limit": "15000", "used": "3831.75", "used_percent": 26, "reset_at": NOW + 864_000}
    codex.default = FakeResponse(
        body=usage_body(None, None, spend_control={"reached": False, "individual_limit": limit})
    )

    [window] = json.loads(installation.run("refresh", "--json").stdout)["results"][0]["windows"]
    assert window == {
        "key": "spend",
        "label": "Spend",
        "remaining_percent": 74,
        "used_percent": 26,
        "window_seconds": None,
        "resets_at": "2026-12-01T12:00:00Z",
        "limit": "15000",
        "used": "3831.75",
        "unit": None,
        "forecast": None,
    }


def test_a_failure_keeps_its_reading_in_the_document(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(12, 40)),
        FakeResponse(401, body={"detail": "Unauthorized"}),
    )
    installation.run("refresh")
    installation.now += 600
    ran = installation.run("refresh", "--json")

    [found] = json.loads(ran.stdout)["results"]
    assert (found["status"], found["message"]) == (
        "expired",
        "HTTP 401: Unauthorized; sign in again",
    )
    assert (found["five_hour_percent"], found["taken_at"], found["attempted_at"]) == (
        88,
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:10:00Z",
    )
    assert ran.stderr == "alice: expired: HTTP 401: Unauthorized; sign in again\n"
    assert ran.exit_code == 3


def test_readings_grow_stale_and_blocks_end_by_themselves(installation, codex):
    installation.file("alice")
    codex.default = FakeResponse(body=usage_body(100, 40))
    installation.run("refresh")

    def now():
        [found] = json.loads(installation.run("status", "--json").stdout)["results"]
        return found["blocked"], found["blocked_until"], found["stale"]

    assert now() == (True, "2026-11-21T14:00:00Z", False)
    installation.now += 7_199
    assert now() == (True, "2026-11-21T14:00:00Z", False)
    installation.now += 1
    assert now() == (False, None, True)


def test_a_document_of_no_account_is_whole(installation):
    ran = installation.run("refresh", "--json")

    assert json.loads(ran.stdout) == {"updated_at": None, "next_refresh_at": None, "results": []}
    assert (ran.stderr, ran.exit_code) == ("No auth files found.\n", 1)
