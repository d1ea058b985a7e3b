"""What a line of the list shows: of each kind of account what it has, and no more than is known."""

from datetime import UTC

import pytest

from quota_web.web import list_row
from quota_web.web.list_row import Mark

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z, a Saturday
LENGTHS = {"five_hour": 18_000, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000}


def window(key, left, resets_at="2026-11-21T14:00:00Z", **forecast):
    said = {"run_out_probability": None, "pace": None, "if_runs_out": None} | forecast
    return {
        "key": key,
        "label": key,
        "remaining_percent": left,
        "used_percent": 100 - left,
        "window_seconds": LENGTHS.get(key),
        "resets_at": resets_at,
        "forecast": said if forecast else None,
    }


def row(*windows, **changes):
    healthy = {
        "account": "alice",
        "group": "usable",
        "id": 1,
        "status": "ok",
        "windows": list(windows),
        "credits": None,
        "stale": False,
        "taken_at": "2026-11-21T12:00:00Z",
    }
    return healthy | changes


def credits(balance=None, *, unlimited=False):
    return {"has_credits": True, "unlimited": unlimited, "balance": balance}


def places(*windows, **changes):
    """Both places: a window's key, or the words there; with its label."""
    found = list_row.places(row(*windows, **changes), NOW)
    return [
        (p.window["key"] if p.window else p.words, p.label) for p in (found.short, found.long)
    ], [w["key"] for w in found.others]


@pytest.mark.parametrize(
    ("keys", "shown", "others"),
    [
        (["five_hour", "weekly"], [("five_hour", ""), ("weekly", "")], []),
        (["weekly"], [("weekly only", ""), ("weekly", "")], []),
        (["monthly"], [("monthly only", ""), ("monthly", "")], []),
        (["five_hour"], [("five_hour", ""), ("5 h only", "")], []),
        (["daily", "monthly"], [("daily", "day"), ("monthly", "month")], []),
        (
            ["five_hour", "weekly", "monthly", "spend", "model:x:weekly"],
            [("five_hour", ""), ("weekly", "")],
            ["monthly", "spend", "model:x:weekly"],
        ),
    ],
)
def test_what_an_account_has_stands_in_its_places(keys, shown, others):
    assert places(*(window(key, 50) for key in keys)) == (shown, others)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"taken_at": None}, ["not read yet", ""]),
        ({"credits": credits(unlimited=True)}, ["no limit", "credits unlimited"]),
        ({"credits": credits("41.50")}, ["on credits", "41.50 left"]),
        ({"credits": credits()}, ["on credits", "amount not told"]),
        ({}, ["no window", ""]),
    ],
)
def test_unlimited_unknown_and_without_windows_are_three_words(changes, words):
    assert [shown for shown, _ in places(**changes)[0]] == words


def test_an_even_use_is_marked_on_windows_that_have_started():
    half = window("five_hour", 40, "2026-11-21T14:30:00Z")

    assert list_row.even_left(half, NOW - NOW % 600) == 50
    assert list_row.even_left(window("five_hour", 100), NOW) is None
    assert list_row.even_left(window("five_hour", 40, None), NOW) is None
    assert list_row.even_left(window("five_hour", 40, "2026-11-21T12:00:00Z"), NOW) is None


def lasts(*windows, **changes):
    found = list_row.lasts(row(*windows, **changes), NOW, UTC)
    return None if found is None else (found.mark, found.words)


SOON, LATE = "2026-11-23T10:00:00Z", "2026-11-27T10:00:00Z"
WHEN = {"at": "2026-11-26T15:00:00Z", "between": [SOON, LATE]}


@pytest.mark.parametrize(
    ("forecast", "resets_at", "said"),
    [
        ({"run_out_probability": 0.1}, LATE, (Mark.GOOD, "lasts")),
        ({"run_out_probability": 0.45}, LATE, (Mark.OPEN, "either way (45 %)")),
        (
            {"run_out_probability": 0.7, "if_runs_out": WHEN},
            LATE,
            (Mark.BAD, "may run out Thu (70 %)"),
        ),
        ({"run_out_probability": 0.97}, LATE, (Mark.BAD, "may run out (over 95 %)")),
        (
            {"run_out_probability": 0.01, "remaining_at_reset_percent": 50},
            SOON,
            (Mark.GOOD, "about 50 % will be lost"),
        ),
        (
            {"run_out_probability": 0.01, "remaining_at_reset_percent": 50},
            LATE,
            (Mark.GOOD, "lasts"),
        ),
    ],
)
def test_a_weekly_window_lasts_or_not(forecast, resets_at, said):
    more = {"state": "forecast", "remaining_at_reset_percent": 9} | forecast

    assert lasts(window("weekly", 60, resets_at, **more)) == said


def test_the_window_that_most_likely_runs_out_is_spoken_of():
    week = window("weekly", 60, LATE, state="forecast", run_out_probability=0.1)
    short = window("five_hour", 9, state="forecast", run_out_probability=0.9, if_runs_out=WHEN)

    assert lasts(short, week) == (Mark.BAD, "5 h may run out")


@pytest.mark.parametrize(
    ("state", "pace", "words"),
    [
        ("few_data", (10, 40), "lasts at this pace"),
        ("few_data", (60, 40), "runs out at this pace"),
        ("not_started", None, "not started"),
        ("flapping", None, "last reading unconfirmed"),
        ("stale", None, None),
        ("no_reset", None, None),
    ],
)
def test_without_a_chance_no_more_is_said_than_is_known(state, pace, words):
    ahead = {"used_percent": pace[0], "even_percent": pace[1]} if pace else None

    found = lasts(window("weekly", 60, LATE, state=state, pace=ahead))
    assert found == (None if words is None else (Mark.NONE, words))


def test_an_account_on_credits_says_so():
    spent = window("weekly", 0, LATE, state="exhausted", run_out_probability=1.0)

    assert lasts(spent, credits=credits("41.50")) == (Mark.OPEN, "on credits, 41.50 left")


@pytest.mark.parametrize("group", ["blocked", "attention", "unknown", "paused"])
def test_nothing_is_promised_of_an_account_that_cannot_be_used(group):
    good = window("weekly", 60, LATE, state="forecast", run_out_probability=0.1)

    assert lasts(good, group=group) is None
