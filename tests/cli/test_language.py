"""Commands speak `QUOTA_LANGUAGE` where it is set; what scripts match stays English."""

import json

import pytest

from quota_web.core.language import current_language
from tests.fakes import FakeResponse, usage_body


@pytest.fixture
def chinese(installation, codex):
    """An installation with one account, whose commands speak Chinese."""
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 60)))
    installation.app = installation.another(QUOTA_LANGUAGE="zh")
    installation.run("refresh")
    return installation


def test_cells_and_reasons_are_in_the_language_and_headers_are_not(chinese):
    header, *rows = chinese.run("forecast").stdout.splitlines()
    reason = chinese.run("next").stdout

    assert header.split() == [
        "account",
        "window",
        "left",
        "resets",
        "lasts",
        "runs",
        "out",
        "at",
        "reset",
    ]
    assert [row.split("  ")[0] for row in rows] == ["alice"] * 2
    assert "5 小时" in rows[0]
    assert "11月25日周三 07:20" in rows[1]
    assert "数据少：按目前速度会用完" in rows[1]
    assert reason == "alice\t唯一可用的账号\n"


def test_documents_and_exit_lines_stay_english(chinese):
    document = json.loads(chinese.run("status", "--json").stdout)
    unknown = chinese.run("status", "nobody")

    assert [w["label"] for w in document["results"][0]["windows"]] == ["5 hours", "Weekly"]
    assert (unknown.stderr, unknown.exit_code) == ("nobody: unknown account\n", 1)


def test_a_command_leaves_no_language_behind_and_without_the_setting_is_english(chinese):
    assert current_language() == "en"

    chinese.app = chinese.another()
    assert chinese.run("next").stdout == "alice\tthe only one that can be used\n"
