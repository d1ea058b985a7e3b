"""What the answers of signing in by a code mean."""

import json

import pytest

from quota_web.codex import device_login
from quota_web.codex.device_login import LoginVerdict
from quota_web.codex.transport import Exchange
from tests.fakes import NOW, make_jwt

JSON = {"content-type": "application/json"}
PAGE = {"content-type": "text/html", "cf-mitigated": "challenge"}


def answer(status, body=None, headers=JSON):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(status, headers, raw)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("5", 5), (1, 1), ("0", 5), (None, 5), (-3, 5), ("soon", 5), (True, 5), ("9999", 120)],
)
def test_a_code_comes_with_its_pause(interval, seconds):
    body = {"device_auth_id": "d-1", "user_code": "ABCD-EFGH", "interval": interval}
    found = device_login.of_code(answer(200, body), NOW)

    assert found.verdict is LoginVerdict.SHOW
    assert found.device is not None
    assert (found.device.user_code, found.device.interval_s) == ("ABCD-EFGH", seconds)
    assert "d-1" not in repr(found)


def test_the_older_name_of_the_code_is_read_too():
    found = device_login.of_code(answer(200, {"device_auth_id": "d", "usercode": "AB"}), NOW)
    assert found.verdict is LoginVerdict.SHOW


@pytest.mark.parametrize(
    ("exchange", "verdict", "wait_s"),
    [
        (answer(404, {"detail": "Not Found"}), LoginVerdict.UNAVAILABLE, 0),
        (answer(429, {}, {**JSON, "Retry-After": "60"}), LoginVerdict.WAIT, 60),
        (answer(429, {}), LoginVerdict.WAIT, 60),
        (answer(403, b"<html>Just a moment...</html>", PAGE), LoginVerdict.ADDRESS_BLOCKED, 0),
        (answer(200, {"device_auth_id": "d", "user_code": "a\nb"}), LoginVerdict.FAILED, 0),
        (answer(200, {"device_auth_id": "d", "user_code": "a" * 33}), LoginVerdict.FAILED, 0),
        (answer(200, b"[]"), LoginVerdict.FAILED, 0),
        (answer(500, b""), LoginVerdict.FAILED, 0),
        (Exchange(failure="refused", is_unreached=True), LoginVerdict.NOT_REACHED, 0),
    ],
)
def test_no_code_says_why(exchange, verdict, wait_s):
    found = device_login.of_code(exchange, NOW)
    assert (found.verdict, found.wait_s, found.device) == (verdict, wait_s, None)


@pytest.mark.parametrize(
    ("exchange", "verdict", "wait_s"),
    [
        (answer(403, {"error": {"code": "authorization_unknown"}}), LoginVerdict.PENDING, 0),
        (answer(404, {"detail": "Not Found"}), LoginVerdict.PENDING, 0),
        (answer(400, {"error": "authorization_pending"}), LoginVerdict.PENDING, 0),
        (answer(400, {"error": "slow_down"}), LoginVerdict.PENDING, 5),
        (answer(429, {}, {**JSON, "retry-after": "30"}), LoginVerdict.PENDING, 30),
        (answer(503, b""), LoginVerdict.PENDING, 0),
        (Exchange(failure="timed out"), LoginVerdict.PENDING, 0),
        (answer(403, b"<html></html>", PAGE), LoginVerdict.ADDRESS_BLOCKED, 0),
        (
            answer(403, b"<html></html>", {"content-type": "text/html"}),
            LoginVerdict.ADDRESS_BLOCKED,
            0,
        ),
        (answer(400, {"error": "authorization_declined"}), LoginVerdict.DECLINED, 0),
        (answer(403, {"error": "access_denied"}), LoginVerdict.DECLINED, 0),
        (answer(400, {"error": "expired_token"}), LoginVerdict.EXPIRED, 0),
        (answer(422, {}), LoginVerdict.DECLINED, 0),
        (answer(200, {"authorization_code": "ac"}), LoginVerdict.FAILED, 0),
    ],
)
def test_a_poll_goes_on_or_ends(exchange, verdict, wait_s):
    found = device_login.of_poll(exchange, NOW)
    assert (found.verdict, found.wait_s, found.grant) == (verdict, wait_s, None)


def test_an_approved_code_brings_what_is_exchanged():
    body = {"authorization_code": "ac_1", "code_challenge": "c", "code_verifier": "v_1"}
    found = device_login.of_poll(answer(200, body), NOW)
    assert found.verdict is LoginVerdict.EXCHANGE
    assert found.grant is not None
    assert (found.grant.code.reveal(), found.grant.verifier.reveal()) == ("ac_1", "v_1")
    assert "ac_1" not in repr(found)


def test_an_exchange_brings_tokens_or_means_to_start_again():
    tokens = {"access_token": make_jwt("acct-1"), "refresh_token": "rt_1"}
    found = device_login.of_exchange(answer(200, tokens))
    assert (found.verdict, found.tokens is not None) == (LoginVerdict.SIGNED_IN, True)

    for exchange in (
        answer(400, {"error": "invalid_grant"}),
        answer(200, {"refresh_token": "rt_1"}),
        answer(500, b""),
        Exchange(failure="the answer was cut short"),
    ):
        assert device_login.of_exchange(exchange).verdict is LoginVerdict.START_AGAIN
    blocked = answer(403, b"<html></html>", PAGE)
    assert device_login.of_exchange(blocked).verdict is LoginVerdict.ADDRESS_BLOCKED
