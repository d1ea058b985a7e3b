"""Faults are values: each code has a status and words, and what is stored can be read back."""

import re
from zoneinfo import ZoneInfo

import pytest

from quota_web.core import faults
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import AccountExists, BadInput, CredentialsRefused
from quota_web.core.fault_reasons import REASONS
from quota_web.core.faults import FAULTS, Fault
from quota_web.core.language import use_language
from quota_web.core.quota import Status
from tests.fakes import NOW

CST = ZoneInfo("Asia/Shanghai")

DATA: dict[str, str | int] = {
    "reason": "no such thing",
    "platform": "claude",
    "at": 5,
    "http_status": 418,
    "subject": "workspace",
    "holder": "the file x",
}


@pytest.mark.parametrize("code", FAULTS)
def test_every_code_reads_as_one_line(code):
    text = Fault(code, DATA).text(lambda at: f"<{at}>")

    assert text
    assert "\n" not in text
    assert "{" not in text
    assert "?" not in text


@pytest.mark.parametrize("code", FAULTS)
def test_every_code_stands_for_a_status_that_is_a_failure(code):
    assert Fault(code).status not in (Status.OK, Status.PENDING, Status.PAUSED)


def test_moments_are_put_into_the_readers_words():
    fault = Fault("token_expired", {"at": 1_795_168_800})

    assert (
        fault.text(lambda at: f"2026-11-20 ({at})")
        == "access token expired at 2026-11-20 (1795168800); sign in again"
    )


def test_the_classic_words_stay():
    assert Fault("missing_access_token").text(str) == "missing access_token"
    assert Fault("missing_account_id").text(str) == "missing account_id"
    assert (
        Fault("session_token").text(str)
        == "looks like a session token (sess-…); use the JWT access_token"
    )
    assert (
        Fault("unreachable", {"reason": "connection refused"}).text(str)
        == "Request failed: connection refused"
    )
    assert Fault("http", {"http_status": 503, "reason": ""}).text(str) == "HTTP 503"
    assert (
        Fault("file_unreadable", {"reason": "empty"}).text(str)
        == "auth file not found or invalid: empty"
    )


@pytest.mark.parametrize("code", FAULTS)
def test_a_stored_fault_reads_back_equal(code):
    fault = Fault(code, DATA)

    assert faults.stored(fault.code, fault.data_json()) == fault


def test_no_code_is_no_fault():
    assert faults.stored(None, None) is None


def test_a_fault_of_a_later_version_stays_readable():
    assert faults.stored("quantum_flux", None) == Fault("bad_response", {"reason": "quantum_flux"})


def test_data_that_an_older_version_did_not_store_is_a_question_mark():
    assert Fault("country", {}).text(str)
    assert Fault("bad_access_token", {}).text(str) == "access_token ?"


def test_braces_in_the_data_are_not_a_template():
    assert (
        Fault("forbidden", {"reason": "{at} {0} {reason}"}).text(str)
        == "HTTP 403: {at} {0} {reason}"
    )


def test_the_http_status_is_a_number_or_nothing():
    assert Fault("http", {"http_status": 503}).http_status == 503
    assert Fault("http", {"http_status": "503"}).http_status is None
    assert Fault("file_gone").http_status is None


def test_a_fault_line_has_the_status_first():
    fault = Fault("token_expired", {"at": NOW - 122_400 - 14_400})

    assert (
        faults.line("alice", fault, CST)
        == "alice: expired: access token expired at 2026-11-20 06:00:00 CST; sign in again"
    )


def test_a_fault_is_english_for_programs_and_in_the_language_for_pages():
    found = Fault("bad_access_token", {"reason": "is not text"})
    gone = Fault("token_expired", {"at": 7})
    slow = Fault("unreachable", {"reason": "timed out after 30 s"})
    theirs = Fault("forbidden", {"reason": "we say no", "http_status": 403})

    with use_language("zh"):
        assert gone.text(str) == "access token expired at 7; sign in again"
        assert gone.said() == "访问令牌已于 7 过期，请重新登录"
        assert CredentialsRefused(Fault("missing_access_token")).said.startswith(
            "缺少 access_token："
        )
        assert found.said() == "access_token 不是文本"
        assert slow.said() == "请求失败：30 秒后超时"
        assert theirs.said() == "HTTP 403：we say no"
        assert Fault("name_taken", {"holder": "bob"}).said().startswith("该名称已被 bob 使用")
        assert "文件 x" in Fault("name_taken", {"holder": "the file x"}).said()
    assert gone.said() == gone.text(str)


def test_an_error_is_english_for_programs_and_in_the_language_for_pages():
    with use_language("zh"):
        error = AccountExists("alice", "another login")
        assert str(error) == "alice: name already taken by another login"
        assert error.said == "alice：该名称已被另一个登录使用"
        assert BadInput("name", "100 % of it").said == "100 % of it"


def test_every_reason_that_has_a_translation_is_still_given():
    source = " ".join(
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "quota_web").rglob("*.py")
        if path.name != "fault_reasons.py"
    )
    # Numbers are put in where a reason is given: the words around them stand there.
    lost = [
        words
        for reason in REASONS
        for words in re.split(r"%\(\w+\)s", reason)
        if len(words) > 2 and words not in source
    ]

    assert lost == []
