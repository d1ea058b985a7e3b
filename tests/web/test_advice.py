"""The sentence at the head of the page, in words."""

from datetime import UTC

import pytest

from quota_web.core.language import use_language
from quota_web.web import advice
from tests.web.test_list_row import LATE, WHEN, credits, row, window

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z, a Saturday
LASTS = {"state": "forecast", "remaining_at_reset_percent": 9}


def said(*windows, **changes):
    return advice.left_and_lasts(row(*windows, **changes), NOW, UTC)


@pytest.mark.parametrize(
    ("windows", "changes", "words"),
    [
        ([("five_hour", 88), ("weekly", 60)], {}, "88\u202f% of 5 h and 60\u202f% of the week."),
        ([("five_hour", 88), ("weekly", 60), ("model:x:weekly", 0)], {},
         "88\u202f% of 5 h and 60\u202f% of the week."),
        ([("monthly", 39)], {}, "39\u202f% of the month."),
        ([], {"credits": credits(unlimited=True)}, "No limit, credits unlimited."),
        ([], {"credits": credits("41.50")}, "On credits, 41.50 left."),
    ],
)  # fmt: skip
def test_what_is_left_is_said_of_whatever_an_account_has(windows, changes, words):
    assert said(*(window(key, left) for key, left in windows), **changes) == words


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.1, "will probably last until both resets (90 %)."),
        (0.45, "could go either way (45 %)."),
        (0.7, "may run out Thu (70 %)."),
    ],
)
def test_whether_it_lasts_is_a_chance(chance, words):
    more = LASTS | {"run_out_probability": chance, "if_runs_out": WHEN}
    week = window("weekly", 60, LATE, **more)

    assert said(window("five_hour", 88), week) == (
        f"88\u202f% of 5 h and 60\u202f% of the week; {words}"
    )


def test_one_window_alone_has_one_reset():
    week = window("weekly", 60, LATE, **LASTS, run_out_probability=0.02)

    assert said(week).endswith("; will probably last until its reset (over 95 %).")


def test_of_an_account_whose_last_answer_failed_it_says_so():
    assert said(window("weekly", 60), status="rate_limited") == (
        "60\u202f% of the week, though its last answer failed."
    )


def test_the_sentence_is_said_in_chinese():
    with use_language("zh"):
        assert said(window("five_hour", 88), window("weekly", 60)) == (
            "5 小时额度剩余 88%，每周额度剩余 60%。"
        )
