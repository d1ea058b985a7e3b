"""What reaches the log: no token, and no line that somebody made up."""

import json
import logging
import sys

import pytest

from quota_web.serving.logs import JsonLines, TextLines, one_line, scrubbed

TOKENS = [
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.sig", "eyJhbGciOiJub25lIn0", "rt_abcdefghijkl",
    "rt.1.abcdefghijkl", "oaistb_rt_abcdefghijkl",
    "sk-proj-abcdefghijkl", "sess-abcdefghijkl",
    "cq_abcdefghijklmnopqrstuvwxyz",
]  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "token={}&x=1",
        '{{"access_token": "{}"}}',
        "('{}',)",
        "Authorization: Bearer {}",
        "https://x/?t={}#y",
    ],
)
def test_tokens_are_hidden_wherever_they_stand(token, around):
    text = scrubbed(around.format(token))

    assert token not in text
    assert "***" in text


@pytest.mark.parametrize(
    "text",
    [
        "Bearer opaque-value-1",
        "bearer opaque-value-1",
        "BEARER opaque-value-1",
        "http://h/login#setup=abc-def",
        "GET /share/opaque-value-1.ics",
        "GET /quota/embed/opaque-value-1/chart.svg",
    ],
)
def test_values_are_hidden_by_what_stands_before_them(text):
    assert "***" in scrubbed(text)
    assert not any(secret in scrubbed(text) for secret in ("opaque-value-1", "abc-def"))


@pytest.mark.parametrize(
    "text",
    [
        "start_abcdefghij",
        "Authorization: Bearer …",
        "alice: 88 % left",
        "task-1234567890",
        "cq_short",
    ],
)
def test_plain_words_stay(text):
    assert scrubbed(text) == text


def record(message: str, *args: object, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord("quota_web", logging.ERROR, __file__, 1, message, args, exc_info)


@pytest.mark.parametrize("lines", [TextLines(None), JsonLines()])
def test_arguments_and_tracebacks_are_cleaned_too(lines):
    try:
        raise ValueError(TOKENS[0])
    except ValueError:
        written = lines.format(record("failed for %s", TOKENS[2], exc_info=sys.exc_info()))

    assert "ValueError" in written
    assert "failed for ***" in written
    assert not any(token in written for token in TOKENS)


def test_nobody_adds_a_line_by_choosing_a_name():
    written = TextLines(None).format(record("%s: ok", "alice\n2026-11-21 ERROR fake\x1b[2J"))

    assert written.count("\n") == 0
    assert "alice\\n2026" in written
    assert "\x1b" not in written
    assert one_line("plain é …") == "plain é …"


@pytest.mark.parametrize("lines", [TextLines(None), JsonLines()])
def test_no_line_holds_what_a_terminal_obeys(lines):
    orders = "\x1b[2J\x9b31m\u202e\u2028"
    try:
        raise ValueError(orders)
    except ValueError:
        written = lines.format(record("%s: ok", orders, exc_info=sys.exc_info()))

    assert all(line.isprintable() for line in written.split("\n"))
    assert "x9b31m" in written or "u009b31m" in written


def test_json_lines_are_one_object_each():
    line = JsonLines().format(record("%s: ok", "alice\nx"))

    assert "\n" not in line
    assert json.loads(line)["message"] == "alice\nx: ok"
