"""How values read on a page: words, numbers and times; pure."""

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from flask import Flask, render_template_string

from quota_web.core import display_order, labels
from quota_web.core.display_order import GROUPS
from quota_web.core.language import use_language
from quota_web.core.quota import NOT_BLOCKED, Status
from quota_web.web import account_state, assets, filters, formats

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z, a Saturday
CHINA = timezone(timedelta(hours=8), "CST")


def row(**changes):
    """An entry of /api/results about a healthy account."""
    healthy: dict[str, Any] = {
        "account": "alice",
        "status": "ok",
        "message": None,
        "blocked": False,
        "blocked_until": None,
        "reached_type": None,
    }
    healthy |= {
        "spend_reached": False,
        "stale": False,
        "taken_at": "2026-11-21T12:00:00Z",
        "windows": [window(88)],
    }
    healthy |= {"group": "usable", "failing_since": None, "credits": None}
    return healthy | changes


def window(remaining, key="five_hour"):
    return {"key": key, "remaining_percent": remaining, "used_percent": 100 - remaining}


@pytest.fixture
def app():
    app = Flask(__name__)
    filters.init_app(app, UTC)
    return app


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0\u202f%"),
        (88, "88\u202f%"),
        (42.5, "42.5\u202f%"),
        (33.333, "33.3\u202f%"),
        (100, "100\u202f%"),
    ],
)
def test_percent_has_at_most_one_decimal(value, text):
    assert formats.percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.04, "<0.1\u202f%"), (99.97, "99.9\u202f%")])
def test_percent_is_never_rounded_to_empty_or_full(value, text):
    assert formats.percent(value) == text


@pytest.mark.parametrize(
    ("value", "word"), [(None, "none"), (0, "empty"), (14.9, "low"), (15, "fine"), (100, "fine")]
)
def test_level_says_how_full_a_window_is(value, word):
    assert formats.level(value) == word


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "<1 m"),
        (59, "<1 m"),
        (60, "1 m"),
        (4320, "1 h 12 m"),
        (7200, "2 h"),
        (284_400, "3 d 7 h"),
        (86_400, "1 d"),
        (40 * 86_400 + 7200, "40 d"),
    ],
)
def test_span_names_its_two_largest_units(seconds, text):
    assert formats.span(seconds) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, "–"), (NOW + 4320, "in 1 h 12 m"), ("2026-11-21T12:05:00Z", "due"), (NOW - 5, "due")],
)
def test_countdown_runs_until_the_moment_and_is_due_after_it(at, text):
    assert formats.countdown(at, NOW) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, "never"), (NOW - 20, "just now"), (NOW + 20, "just now"), (NOW - 10_800, "3 h ago")],
)
def test_ago_looks_back(at, text):
    assert formats.ago(at, NOW) == text


def test_clock_time_of_today_has_no_date():
    assert formats.clock_time("2026-11-21T14:00:00Z", NOW, UTC) == "14:00 UTC"


def test_clock_time_has_the_date_whenever_it_is_not_today():
    assert formats.clock_time("2026-11-24T19:54:08Z", NOW, CHINA) == "Wed 25 Nov, 03:54 CST"


def test_today_is_judged_in_the_zone_that_is_shown():
    assert formats.clock_time("2026-11-21T17:00:00Z", NOW, CHINA) == "Sun 22 Nov, 01:00 CST"


def test_clock_time_of_another_year_has_the_year():
    assert formats.clock_time("2027-01-02T03:04:05Z", NOW, UTC) == "Sat 2 Jan 2027, 03:04 UTC"


def test_clock_time_reaches_the_end_of_the_calendar():
    assert formats.clock_time(253_402_300_799, NOW, CHINA) == "Fri 31 Dec 9999, 23:59 UTC"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        ("0", "0"),
        ("0E-10", "0"),
        ("1348.7450000000", "1,348.75"),
        ("62500", "62,500"),
        ("about 5", "About 5"),
        ("NaN", "–"),
    ],
)
def test_amounts_read_as_numbers_where_they_are_numbers(value, text):
    assert formats.amount(value) == text


@pytest.mark.parametrize(
    ("plan", "label"),
    [(None, "–"), ("", "–"), ("plus", "Plus"), ("some_new_plan", "Some new plan")],
)
def test_a_plan_has_a_name_or_a_dash(plan, label):
    assert formats.plan_label(plan) == label


CREDITS = {"has_credits": True, "unlimited": False, "balance": "41.50"}
UNLIMITED = {"has_credits": False, "unlimited": True, "balance": None}


@pytest.mark.parametrize(
    ("changes", "word", "is_failing"),
    [
        ({}, "Can be used", False),
        ({"windows": [window(9)]}, "Low", False),
        ({"windows": [window(39, "monthly")]}, "Can be used", False),
        ({"windows": [window(88), window(0, "weekly")], "credits": CREDITS}, "On credits", False),
        ({"windows": [window(88), window(0, "model:x:weekly")]}, "Can be used", False),
        ({"windows": [], "credits": CREDITS}, "On credits", False),
        ({"windows": [], "credits": UNLIMITED}, "No limit", False),
        ({"windows": [window(88)], "credits": UNLIMITED}, "Can be used", False),
        ({"windows": []}, "Can be used", False),
        ({"group": "blocked", "blocked": True}, "Used up", False),
        ({"group": "attention", "status": "expired", "blocked": True}, "Needs sign-in", False),
        ({"group": "attention", "status": "invalid_credentials"}, "Needs credentials", False),
        ({"group": "attention", "status": "deactivated"}, "Deactivated", False),
        ({"group": "unknown", "stale": True}, "Not known", False),
        ({"group": "unknown", "status": "unreachable", "stale": True}, "Unreachable", True),
        (
            {"group": "unknown", "status": "upstream_error", "taken_at": None},
            "ChatGPT has a fault",
            True,
        ),
        ({"group": "unknown", "status": "pending", "taken_at": None}, "Not read yet", False),
        ({"group": "paused", "status": "paused"}, "Paused", False),
        ({"group": "unknown", "status": "something_new"}, "Something new", True),
    ],
)
def test_state_says_what_to_make_of_an_account(changes, word, is_failing):
    found = account_state.state(row(**changes))

    assert (found.group, found.word, found.is_failing) == (
        changes.get("group", "usable"),
        word,
        is_failing,
    )


@pytest.mark.parametrize(
    "status",
    [
        "rate_limited",
        "bad_response",
        "unreachable",
        "forbidden",
        "address_blocked",
        "upstream_error",
    ],
)
def test_a_failed_last_answer_shows_at_once_also_beside_a_fresh_reading(status):
    found = account_state.state(row(status=status))

    assert (found.group, found.word, found.is_failing) == ("usable", labels.status(status), True)
    assert account_state.state(row(status=status, group="blocked", blocked=True)).is_failing


def test_every_group_has_its_word_and_each_state_that_is_not_ok_says_what_to_do():
    assert set(labels.GROUPS) == set(GROUPS)
    for status in set(Status) - {Status.OK}:
        group = display_order.group(status, NOT_BLOCKED, False)
        assert account_state.state(row(status=status, group=group, taken_at=None)).advice, status


def test_a_block_without_an_end_says_what_to_do():
    blocked = {"group": "blocked", "blocked": True}
    assert account_state.state(row(**blocked)).advice == "ChatGPT names no end; refresh it later."
    assert account_state.state(row(**blocked, blocked_until="2026-11-22T00:00:00Z")).advice is None


def test_a_reached_spend_limit_names_who_can_help():
    assert "owner" in (
        account_state.state(row(group="blocked", blocked=True, spend_reached=True)).advice or ""
    )


def test_times_on_a_page_carry_the_moment_for_the_script(app):
    with app.test_request_context():
        page = render_template_string(
            "{{ at|clock(n) }} {{ at|countdown(n) }} {{ none|ago(n) }}",
            at="2026-11-21T14:00:00Z",
            n=NOW,
            none=None,
        )

    moment = '<time datetime="2026-11-21T14:00:00Z"'
    assert (
        page == f'{moment} data-t="clock">14:00 UTC</time> {moment} data-t="countdown">in 1 h 55 '
        f"m</time> never"
    )


def test_a_message_keeps_its_words_and_gets_times_for_the_reader(app):
    with app.test_request_context():
        page = render_template_string(
            "{{ m|with_times(n) }}", m="<b> expired at 2026-11-21T10:00:00Z; sign in", n=NOW
        )

    assert (
        page == '&lt;b&gt; expired at <time datetime="2026-11-21T10:00:00Z" data-t="clock">10:00 '
        "UTC</time>; sign in"
    )


def test_a_time_that_smuggles_markup_in_is_written_anew(app):
    with app.test_request_context():
        assert render_template_string(
            "{{ t|clock(n) }}", t="2026-11-21<14:00:00+00:00", n=NOW
        ).startswith('<time datetime="2026-11-21T14:00:00Z"')


def test_addresses_of_static_files_change_with_their_content(tmp_path):
    (tmp_path / "app.css").write_text("a {}")
    app = Flask(__name__, static_folder=str(tmp_path))
    assets.init_app(app)
    with app.test_request_context():
        asset: Any = app.jinja_env.globals["asset"]
        first, missing = asset("app.css"), asset("gone.css")
        (tmp_path / "app.css").write_text("a { color: red }")

        assert first.startswith(f"{app.static_url_path}/app.css?v=")
        assert asset("app.css") != first
        assert missing == f"{app.static_url_path}/gone.css?v=none"


def test_words_for_durations():
    assert [formats.milliseconds(v) for v in (None, 412.3, 30_012)] == [
        "–",
        "412\u202fms",
        "30.0\u202fs",
    ]


@pytest.mark.parametrize(
    ("english", "chinese", "shown"),
    [
        ("42.5\u202f%", "42.5%", lambda: formats.percent(42.5)),
        ("<0.1\u202f%", "<0.1%", lambda: formats.percent(0.01)),
        ("3 d 7 h", "3天7小时", lambda: formats.span(3 * 86_400 + 7 * 3_600)),
        ("40 d", "40天", lambda: formats.span(40 * 86_400 + 3_600)),
        ("12 m", "12分钟", lambda: formats.span(12 * 60)),
        ("<1 m", "<1分钟", lambda: formats.span(5)),
        ("in 1 h 12 m", "1小时12分钟后", lambda: formats.countdown(NOW + 4_320, NOW)),
        ("due", "已到时间", lambda: formats.countdown(NOW, NOW)),
        ("just now", "刚刚", lambda: formats.ago(NOW, NOW)),
        ("2 h ago", "2小时前", lambda: formats.ago(NOW - 7_200, NOW)),
        ("never", "从未", lambda: formats.ago(None, NOW)),
        ("20:05 CST", "20:05 CST", lambda: formats.clock_time(NOW, NOW, CHINA)),
        (
            "Tue 24 Nov, 20:05 CST",
            "11月24日周二 20:05 CST",
            lambda: formats.clock_time(NOW + 3 * 86_400, NOW, CHINA),
        ),
        (
            "Fri 1 Jan 2027, 20:05 CST",
            "2027年1月1日周五 20:05 CST",
            lambda: formats.clock_time(NOW + 41 * 86_400, NOW, CHINA),
        ),
        ("1,204", "1,204", lambda: formats.number(1204)),
        ("Tue 24 Nov 2026", "2026年11月24日周二", lambda: formats.whole_day("2026-11-24")),
    ],
)
def test_values_are_written_as_each_language_writes_them(english, chinese, shown):
    assert shown() == english
    with use_language("zh"):
        assert shown() == chinese


def test_the_state_of_an_account_is_said_in_each_language():
    failing = row(status="unreachable", group="unknown", taken_at=None)

    with use_language("zh"):
        assert account_state.state(row(windows=[window(3)])).word == "偏低"
        assert account_state.state(failing).word == "无法连接"
        assert account_state.state(failing).advice == "请检查本机的网络和代理；会自动重试。"
