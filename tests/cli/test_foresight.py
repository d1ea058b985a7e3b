"""`flask quota forecast`, `next` and `guard`, from outside."""

import json
from itertools import pairwise

import pytest

from quota_web.core.limits import FIRST_BELIEVABLE
from quota_web.reports import overview
from tests.fakes import NOW, FakeResponse, usage_body
from tests.fillings import MONTH

MINUTE, HOUR, DAY = 60, 3_600, 86_400
pytestmark = pytest.mark.usefixtures("database")


def refresh(installation, codex, **used):
    """One answer of each account with these five-hour and weekly percents."""
    for name, percents in used.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(*percents)))
    installation.run("refresh")


def lines(ran):
    return ran.stdout.splitlines(), ran.stderr.splitlines(), ran.exit_code


# forecast


def test_few_data_say_the_pace_alone(installation, codex):
    refresh(installation, codex, alice=(12, 60))

    assert lines(installation.run("forecast", "alice")) == (
        [
            "account  window   left  resets            lasts"
            "                               runs out  at reset",
            "alice    5 hours  88    22:00             few data: at this pace it lasts",
            "alice    weekly   40    Wed 25 Nov 07:20  few data: at this pace it runs out",
        ],
        [],
        0,
    )


@MONTH
def test_the_forecast_as_json_is_the_document_of_the_api(installation):
    document = json.loads(installation.run("forecast", "--json").stdout)

    assert (document["method"], document["at"]) == ("analog/1", "2026-11-21T12:00:00Z")
    said = {(f["account"], f["window"]): f for f in document["forecasts"]}
    weekly = said["alice", "weekly"]
    assert weekly["state"] == "forecast"
    assert 0 < weekly["run_out_probability"] < 1
    assert weekly["lasts"] is (weekly["run_out_probability"] < 0.5)
    low, high = weekly["remaining_at_reset_between"]
    assert low <= weekly["remaining_at_reset_percent"] <= high
    assert {e["account"] for e in document["exchange"]} >= {"alice"}


def test_the_forecast_names_an_account_that_is_not_there(installation, codex):
    refresh(installation, codex, alice=(12, 60))

    assert lines(installation.run("forecast", "bob"))[1:] == (["bob: unknown account"], 1)


def test_before_anything_was_forecast_that_is_said(installation, codex):
    installation.file("alice")
    installation.refresh()

    assert lines(installation.run("forecast")) == ([], ["Nothing was forecast yet."], 0)


# next


def test_next_names_the_account_and_the_reason_in_one_line(installation, codex):
    refresh(installation, codex, alice=(12, 80), bob=(12, 40))

    out, err, code = lines(installation.run("next"))
    assert (err, code) == ([], 0)
    assert out == ["bob\t60 % of the week left before its reset Wed 25 Nov 07:20"]


def test_next_as_json_has_reasons_and_the_others(installation, codex):
    refresh(installation, codex, alice=(12, 80), bob=(12, 40))

    document = json.loads(installation.run("next", "--json").stdout)
    assert document == {
        "at": "2026-11-21T12:00:00Z",
        "next": {
            "account": "bob",
            "reasons": [
                {
                    "code": "expires_soonest_with_rest",
                    "window": "weekly",
                    "remaining_percent": 60,
                    "resets_at": "2026-11-24T23:20:00Z",
                }
            ],
            "then": ["alice"],
            "until": None,
        },
    }


def test_without_a_usable_account_next_says_until_when(installation, codex):
    refresh(installation, codex, alice=(12, 100), bob=(100, 40))

    assert lines(installation.run("next")) == ([], ["none until 2026-11-21 22:00 (bob)"], 75)
    ran = installation.run("next", "--json")
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["next"]["account"]) == (75, None)
    assert document["next"]["until"] == "2026-11-21T14:00:00Z"
    assert [r["code"] for r in document["next"]["reasons"]] == ["none_until"]


def test_without_any_account_next_fails(installation):
    assert lines(installation.run("next")) == ([], ["No auth files found."], 1)


def test_an_account_whose_reset_has_passed_unread_is_not_named(installation, codex):
    refresh(installation, codex, alice=(12, 40))
    installation.now = NOW + 2 * HOUR

    assert installation.run("next").exit_code == 75


# guard


def test_guard_lets_work_go_on(installation, codex):
    refresh(installation, codex, alice=(12, 40))

    assert lines(installation.run("guard", "alice")) == (
        ["alice: go on: 5 hours 88 %, weekly 60 % left"],
        [],
        0,
    )


@pytest.mark.parametrize(
    ("used", "least", "code"),
    [
        ((95, 40), "", 0),
        ((96, 40), "", 10),
        ((12, 96), "", 10),
        ((89, 40), "5h=10", 0),
        ((91, 40), "5h=10", 10),
        # A window that it lacks is ignored; those that are not named must have 5.
        ((12, 40), "monthly=90", 0),
        ((96, 40), "weekly=1", 10),
        ((96, 40), "five_hour=1,weekly=1", 0),
        ((100, 40), "", 11),
        ((12, 100), "5h=0,weekly=0", 11),
    ],
)
def test_guard_stops_where_too_little_is_left(installation, codex, used, least, code):
    refresh(installation, codex, alice=used)

    ran = installation.run("guard", "alice", *(["--min", least] if least else []))
    assert ran.exit_code == code
    assert (ran.stdout == "") is (code != 0)


def test_guard_stops_for_a_paused_account(installation, codex):
    refresh(installation, codex, alice=(12, 40))
    installation.run("accounts", "pause", "alice")

    assert lines(installation.run("guard", "alice")) == ([], ["alice: stop: paused"], 11)


def test_guard_stops_where_nothing_was_read(installation):
    installation.file("alice")
    installation.follow()

    assert lines(installation.run("guard", "alice")) == ([], ["alice: stop: not read yet"], 12)


def test_guard_stops_for_a_stale_reading_and_for_a_failed_one(installation, codex):
    refresh(installation, codex, alice=(12, 40))
    installation.now = NOW + 2 * HOUR
    assert installation.run("guard", "alice").exit_code == 12

    installation.now = NOW + MINUTE
    codex.answers("acct-alice", FakeResponse(503, body={}))
    installation.refresh("alice", force=True)
    assert lines(installation.run("guard", "alice")) == (
        [],
        ["alice: stop: its last answer failed; the last reading is from 2026-11-21 20:00:00 CST"],
        12,
    )


def no_window(**more):
    return FakeResponse(body=usage_body() | {"rate_limit": None} | more)


def test_guard_stops_where_no_window_of_the_account_itself_was_read(installation, codex):
    installation.file("alice")
    month = {"used_percent": 30, "limit_window_seconds": 2_592_000, "reset_at": NOW + 9 * DAY}
    review = {"code_review_rate_limit": {"primary_window": month}}
    for answer in (no_window(), no_window(**review)):
        codex.answers("acct-alice", answer)
        installation.refresh("alice", force=True)

        assert lines(installation.run("guard", "alice")) == (
            [],
            ["alice: stop: its last answer holds no window that limits it"],
            12,
        )


def test_guard_lets_unlimited_credits_go_on_without_a_window(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", no_window(credits={"has_credits": True, "unlimited": True}))
    installation.refresh()

    assert lines(installation.run("guard", "alice"))[::2] == (
        ["alice: go on: no window limits it"],
        0,
    )


@pytest.mark.parametrize(
    ("now", "code"), [(NOW - 30, 0), (NOW - 31, 12), (NOW - DAY, 12), (NOW - 400 * DAY, 12)]
)
def test_guard_stops_for_a_reading_from_the_future(installation, codex, now, code):
    refresh(installation, codex, alice=(12, 40))
    installation.now = now

    ran = installation.run("guard", "alice")
    assert ran.exit_code == code
    assert ("the clock is wrong" in ran.stderr) is (code == 12)


def test_guard_stops_while_the_clock_is_not_set(installation, codex):
    installation.now = FIRST_BELIEVABLE - 10
    installation.file("alice")
    body = usage_body(12, 40, at=installation.now)
    codex.answers("acct-alice", FakeResponse(body=body))
    installation.refresh("alice", force=True)

    assert installation.run("guard", "alice").exit_code == 12


def test_guard_stops_for_an_account_that_needs_a_person(installation, codex):
    refresh(installation, codex, alice=(12, 40))
    codex.answers("acct-alice", FakeResponse(401, body={}))
    installation.refresh("alice", force=True)

    assert lines(installation.run("guard", "alice")) == ([], ["alice: stop: needs sign-in"], 12)


def test_guard_does_not_know_every_name(installation):
    assert lines(installation.run("guard", "bob")) == ([], ["bob: unknown account"], 1)
    assert lines(installation.run("guard")) == ([], ["No auth files found."], 1)


@pytest.mark.parametrize("least", ["x", "5h", "5h=", "5h=-1", "5h=101", "=5", "5h=nan"])
def test_a_bad_minimum_is_wrong_usage(installation, codex, least):
    assert installation.run("guard", "--min", least).exit_code == 2


def test_without_a_name_guard_looks_at_the_one_that_next_names(installation, codex):
    refresh(installation, codex, alice=(12, 80), bob=(12, 40))

    document = json.loads(installation.run("guard", "--json").stdout)
    assert (document["account"], document["advice"], document["exit_status"]) == ("bob", "go_on", 0)
    assert {w["key"]: str(w["remaining_percent"]) for w in document["windows"]} == {
        "five_hour": "88",
        "weekly": "60",
    }


# status


@MONTH
def test_the_table_says_whether_windows_last_once_that_is_known(installation):
    header, first, *_ = installation.run("status").stdout.splitlines()

    assert header.split()[-1] == "lasts"
    assert "runs out)" in first


def test_the_table_says_the_pace_alone_of_a_new_account(installation, codex):
    refresh(installation, codex, alice=(0, 60), bob=(60, 30))
    # Its five hours begin with the first use, and a paused one is not asked whether it lasts.
    refresh(installation, codex, carol=(12, 60))
    installation.run("accounts", "pause", "carol")

    table = installation.run("status").stdout.splitlines()
    place = table[0].index("lasts")
    assert {line.split()[0]: line[place:] for line in table[1:]} == {
        "alice": "weekly: few data: at this pace it runs out",
        "bob": "5 hours: few data: at this pace it lasts",
        "carol": "",
    }


@MONTH
def test_tables_say_what_the_document_says(installation):
    said = {
        (one["account"], one["window"]): one
        for one in json.loads(installation.run("forecast", "--json").stdout)["forecasts"]
    }
    table = installation.run("forecast").stdout.splitlines()[:-1]
    at = [table[0].index(title) for title in ("lasts", "runs out", "at reset")]
    cells = [[line[a:b].strip() for a, b in pairwise([*at, None])] for line in table[1:]]

    for one, (lasts, runs_out, at_reset) in zip(said.values(), cells, strict=True):
        chance, left = one["run_out_probability"], one["remaining_at_reset_percent"]
        if one["state"] != "forecast":
            assert not lasts.startswith(("probably", "either"))
            continue
        told = (
            "under 5" if chance < 0.05 else "over 95" if chance > 0.95 else round(chance * 20) * 5
        )
        assert lasts.endswith(f" ({told} % runs out)")
        assert lasts.startswith("either" if 0.35 <= chance <= 0.65 else "probably")
        assert lasts.startswith("either") or lasts.startswith("probably not") is not one["lasts"]
        assert bool(runs_out) is (one["if_runs_out"] is not None)
        low, high = one["remaining_at_reset_between"]
        assert at_reset == f"about {left} left ({low}–{high})"
    status = installation.run("status").stdout.splitlines()
    in_status = {line.split()[0]: line[status[0].index("lasts") :] for line in status[1:]}
    for name, words in in_status.items():
        lasts = [
            f"{window}: {cell[0]}"
            for (who, window), cell in zip(said, cells, strict=True)
            if who == name
        ]
        assert not words or words in lasts
    assert len([words for words in in_status.values() if words]) > 4


@MONTH
def test_commands_name_the_same_account(installation):
    seen = overview.load_overview(installation.scope, NOW, HOUR)
    named = installation.run("next").stdout.split("\t")[0]

    assert named == seen.accounts[0].account.name
    assert installation.run("status").stdout.splitlines()[1].split()[0] == named
    assert installation.run("status", "--format", "starship").stdout.split()[0] == named
    assert json.loads(installation.run("guard", "--json").stdout)["account"] == named
