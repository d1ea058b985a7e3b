"""The words for plans, windows and statuses: one table each, and nothing of a later version is
hidden.
"""

import pytest

from quota_web.core import event_visibility, labels
from quota_web.core.language import use_language
from quota_web.core.quota import Status


@pytest.mark.parametrize(
    ("key", "name", "label"),
    [
        ("five_hour", None, "5 hours"),
        ("weekly", None, "Weekly"),
        ("spend", None, "Spend"),
        ("unknown", None, "Unknown length"),
        ("window:1800", None, "30 minutes"),
        ("window:3600", None, "1 hour"),
        ("window:172800", None, "2 days"),
        ("window:61", None, "61 seconds"),
        ("model:codex_bengalfox:weekly", "GPT-5.3-Codex-Spark", "GPT-5.3-Codex-Spark · Weekly"),
        ("model:codex_bengalfox:window:1800", None, "codex_bengalfox · 30 minutes"),
        ("code_review:weekly", None, "Code review · Weekly"),
        ("of a later version", None, "of a later version"),
    ],
)
def test_a_key_reads_as_words(key, name, label):
    assert labels.window(key, name) == label


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("five_hour", "Five-hour"),
        ("monthly", "Monthly"),
        ("window:1800", "30 minutes"),
        ("model:x:five_hour", "x · Five-hour"),
    ],
)
def test_over_a_chart_a_window_has_a_title(key, title):
    assert labels.window_title(key) == title


@pytest.mark.parametrize(
    ("key", "word"), [("five_hour", "5 h"), ("weekly", "week"), ("window:3600", "1 hour")]
)
def test_a_narrow_column_has_a_short_word(key, word):
    assert labels.window_short(key) == word


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        ("plus", "Plus"),
        ("PRO", "Pro 200"),
        ("prolite", "Pro 100"),
        ("promax", "Pro 500"),
        ("team", "Business"),
        ("hc", "Enterprise"),
        ("some_new_plan", "Some new plan"),
        ("p" * 90, "P" + "p" * 38 + "…"),
    ],
)
def test_a_plan_is_called_what_the_codex_cli_calls_it_and_a_new_one_is_tidied(plan, name):
    assert labels.plan(plan) == name


@pytest.mark.parametrize("plan", [None, ""])
def test_no_plan_has_no_name(plan):
    assert labels.plan(plan) is None


def test_every_status_but_ok_has_its_words_and_says_what_to_do():
    assert set(labels.STATUSES) == set(Status) - {Status.OK}
    assert all(w.word and w.short and w.advice for w in labels.STATUSES.values())


@pytest.mark.parametrize(
    ("status", "word"),
    [("ok", "Answered"), ("expired", "Needs sign-in"), ("some_new_one", "Some new one")],
)
def test_a_status_reads_as_words_also_one_of_a_later_version(status, word):
    assert labels.status(status) == word


def test_the_words_are_said_in_the_language_that_is_in_force():
    with use_language("zh"):
        assert labels.window("five_hour") == "5 小时"
        assert labels.window("model:x:window:172800", "GPT-5") == "GPT-5 · 2 天"
        assert labels.window_title("code_review:weekly") == "代码审查 · 每周"
        assert labels.window_short("weekly") == "每周"
        assert labels.status("expired") == "需要重新登录"
        assert labels.advice("paused") == "恢复后才会再次刷新。"
        assert labels.group("usable") == "可用"
        assert labels.plan("plus") == "Plus"
    assert labels.window("five_hour") == "5 hours"


def test_every_kind_of_event_that_readers_see_has_its_words():
    assert set(labels.EVENTS) == event_visibility.ALL
