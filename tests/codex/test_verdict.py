"""What an answer means is read from its body first, then from its status, and no reason repeats a
secret.
"""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.codex.classify import MAX_RETRY_AFTER, classify, retry_after_seconds
from quota_web.codex.sanitize import MAX_SNIPPET, scrub
from quota_web.core.quota import Status
from tests.fakes import NOW, usage_body

JSON, HTML, TEXT = (
    {"content-type": f"{kind}; charset=utf-8"}
    for kind in ("application/json", "text/html", "text/plain")
)
CLOUDFLARE = {**HTML, "server": "cloudflare", "cf-ray": "0-FRA"}
CHALLENGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Enable "
    "JavaScript and cookies to continue</body></html>"
)


def error(code: str | None = None, message: str | None = None) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "type": None, "param": None}}


def judged(status: int, body: object = b"", headers: dict[str, str] | None = None) -> str:
    raw = (
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else json.dumps(body).encode()
    )
    fault = classify(status, headers or JSON, raw, NOW).fault
    return f"{fault.status}: {fault.text(str)}" if fault else "ok"


DEACTIVATED = {
    "401 by code": (401, error("account_deactivated"), "account"),
    "401 by message": (
        401,
        error(None, "Your OpenAI account has been deactivated, please check your email."),
        "account",
    ),
    "402 detail code": (402, {"detail": {"code": "deactivated_workspace"}}, "workspace"),
    "402 error code": (402, error("deactivated_workspace"), "workspace"),
    "403 detail text": (
        403,
        {"detail": "This workspace has been deactivated and can no longer be used."},
        "workspace",
    ),
    "403 plain text": (
        403,
        "This workspace has been deactivated and can no longer be used.",
        "workspace",
    ),
    "403 page": (
        403,
        "<html><body><p>Your account has been <b>deactivated</b>.</p></body></html>",
        "account",
    ),
    "404 by code": (404, {"code": "user_deactivated"}, "account"),
    "429 by message": (
        429,
        {"message": "You cannot do this because the workspace has been deactivated"},
        "workspace",
    ),
    "500 by message": (500, {"error": "Deactivated account"}, "account"),
    "503 with a description": (
        503,
        {"error": "invalid_request", "error_description": "The organization was deactivated."},
        "workspace",
    ),
    "200 by code": (200, {"detail": {"code": "deactivated_workspace"}}, "workspace"),
    "JSON text": (401, '"Your account is deactivated"', "account"),
    "list of details": (422, {"detail": [{"msg": "account was deactivated"}]}, "account"),
}

OTHERS = {
    "expired token": (
        401,
        error("token_expired", "Provided token is expired."),
        "expired: HTTP 401: Provided token is expired; sign in",
    ),
    "revoked token": (
        401,
        error("token_revoked", "Encountered invalidated oauth token for user, failing request"),
        "expired: HTTP 401: Encountered",
    ),
    "401 code alone": (
        401,
        error("app_session_terminated"),
        "expired: HTTP 401: app_session_terminated; sign in again",
    ),
    "401 detail": (
        401,
        {"detail": "Unauthorized"},
        "expired: HTTP 401: Unauthorized; sign in again",
    ),
    "401 empty": (401, b"", "expired: HTTP 401: unauthorized; sign in again"),
    "401 warning of a deactivation": (
        401,
        error(None, "Your account will be deactivated soon"),
        "expired: ",
    ),
    "401 with an if": (
        401,
        error(None, "Check if your account is deactivated, or sign in"),
        "expired: ",
    ),
    "402 of another kind": (
        402,
        {"detail": "Payment required"},
        "upstream_error: HTTP 402: Payment required",
    ),
    "403 wrong workspace": (
        403,
        {"detail": {"code": "invalid_workspace_selected"}},
        "forbidden: HTTP 403: invalid_workspace_selected",
    ),
    "403 empty": (403, b"", "forbidden: HTTP 403: no reason given"),
    "403 country": (
        403,
        error(
            "unsupported_country_region_territory", "Country, region, or territory not supported"
        ),
        "address_blocked: ",
    ),
    "404": (404, {"detail": "Not Found"}, "upstream_error: HTTP 404: Not Found"),
    "408": (408, b"", "upstream_error: HTTP 408"),
    "429": (
        429,
        {"detail": "Too Many Requests"},
        f"rate_limited: HTTP 429: too many requests; the next attempt is after {NOW + 60}",
    ),
    "500 with nothing": (500, {"error": {}}, "upstream_error: HTTP 500"),
    "503 text": (503, "no healthy upstream", "upstream_error: HTTP 503: no healthy upstream"),
    "301": (301, b"", "upstream_error: HTTP 301 (a redirect, not followed)"),
    "204": (204, b"", "upstream_error: HTTP 204"),
    "200 empty": (200, b"", "bad_response: HTTP 200, but the answer is empty"),
    "200 null": (200, b"null", "bad_response: HTTP 200, but the answer is not a JSON object"),
    "200 list": (200, b"[]", "bad_response: HTTP 200, but the answer is not a JSON object"),
    "200 cut": (
        200,
        b'{"plan_type": "pl',
        "bad_response: HTTP 200, but the answer is not valid JSON (line 1)",
    ),
    "200 too deep": (
        200,
        b"[" * 5000,
        "bad_response: HTTP 200, but the answer is nested deeper than 32 levels",
    ),
    "200 not UTF-8": (
        200,
        b"\xff\xfe\x00",
        "bad_response: HTTP 200, but the answer is not UTF-8 text",
    ),
}

PAGES = {
    "challenge": (403, CHALLENGE, CLOUDFLARE, "address_blocked"),
    "challenge without server header": (403, CHALLENGE, HTML, "address_blocked"),
    "block page": (
        403,
        "<html><title>Attention Required! | Cloudflare</title></html>",
        HTML,
        "address_blocked",
    ),
    "any page of theirs": (403, "<html><body>No</body></html>", CLOUDFLARE, "address_blocked"),
    "challenge header on JSON": (
        403,
        "{}",
        {**JSON, "cf-mitigated": "challenge"},
        "address_blocked",
    ),
    "text of theirs": (403, "error code: 1020", TEXT, "address_blocked"),
    "JSON that passed through them": (
        403,
        '{"detail": "no"}',
        {**JSON, "server": "cloudflare"},
        "forbidden",
    ),
    "empty that passed through them": (403, "", {**JSON, "server": "cloudflare"}, "forbidden"),
    "a page of somebody else": (
        403,
        "<html><h1>403 Forbidden</h1><hr>nginx</html>",
        HTML,
        "forbidden",
    ),
    "their bad gateway": (
        502,
        "<html><title>502 Bad Gateway</title><center>cloudflare</center></html>",
        CLOUDFLARE,
        "upstream_error",
    ),
    "their rate limit": (429, CHALLENGE, CLOUDFLARE, "rate_limited"),
    "a page as 200": (200, "<!DOCTYPE html><title>Login</title>", HTML, "bad_response"),
    "a page as 200 without type": (200, "\n <html>", JSON, "bad_response"),
    "a page on deactivation as 200": (
        200,
        "<p>Your account has been deactivated</p>",
        HTML,
        "bad_response",
    ),
    "JSON called a page": (
        402,
        '{"detail": {"code": "deactivated_workspace"}}',
        HTML,
        "deactivated",
    ),
}


@pytest.mark.parametrize("case", DEACTIVATED)
def test_a_body_that_says_deactivated_counts_whatever_the_code(case):
    status, body, subject = DEACTIVATED[case]

    assert (
        judged(status, body, TEXT)
        == f"deactivated: HTTP {status}: the {subject} is deactivated; nothing is sent until you "
        f"refresh it by hand"
    )


@pytest.mark.parametrize("case", OTHERS)
def test_it_judges_by_status(case):
    status, body, expected = OTHERS[case]

    assert judged(status, body).startswith(expected)


@pytest.mark.parametrize("case", PAGES)
def test_it_tells_pages_apart(case):
    status, body, headers, expected = PAGES[case]

    assert judged(status, body, headers).split(":")[0] == expected


def test_a_usable_answer_is_no_fault():
    found = classify(200, JSON, json.dumps(usage_body()).encode(), NOW)

    assert (found.fault, found.document) == (None, usage_body())


def test_a_usage_answer_that_speaks_of_deactivation_somewhere_is_usable():
    body = usage_body(
        rate_limit_upsell={
            "description": "Your workspace has been deactivated",
            "code": "account_deactivated",
        }
    )

    assert judged(200, body) == "ok"


def test_a_body_that_was_not_read_is_judged_by_its_status():
    too_large = "the answer is larger than 1 MiB"

    faults = [classify(code, JSON, b"", NOW, problem=too_large).fault for code in (200, 500)]

    assert [fault and fault.text(str) for fault in faults] == [
        f"HTTP 200, but {too_large}",
        "HTTP 500",
    ]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), (" 5 ", 5), ("0", 0), ("9" * 12, MAX_RETRY_AFTER),
     ("Sat, 21 Nov 2026 12:05:00 GMT", 300), ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
     ("-5", None), ("1.5", None), ("soon", None), ("", None), (None, None), ("٣", None),
     ("Sat, 99 Nov 2026 12:05:00 GMT", None), ("9" * 5000, None)],
)  # fmt: skip
def test_retry_after(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds


def test_a_rate_limit_waits_as_asked_and_a_minute_at_least():
    for value, wait in (("120", 120), ("5", 60)):
        found = classify(429, {"retry-after": value}, b"", NOW)

        assert found.fault is not None
        assert (found.retry_after_s, found.fault.data["at"]) == (int(value), NOW + wait)


SECRETS = [
    "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2lnbmF0dXJl",
    "sk-proj-abcdef123456",
    "rt_0123456789abcdef",
    "oaistb_rt_0123456789",
    "Bearer abc.def",
    "sess-0123456789",
    "alice@example.com",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "00000000-0000-4000-8000-123456789abc",
    "https://evil.example/?access_token=abc",
    "user-Ab3dEf6hIj9lMn2pQr5tUv8x",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "no: {}.", "x\n\t\0{} y", '{{"a": "{}"}}', "(token={})", "<{}>"]
)
def test_reasons_hold_no_secrets(secret, around):
    text = around.format(secret)

    assert secret.removeprefix("Bearer ") not in scrub(text)
    for body in (
        error("x", text),
        {"detail": text},
        {"error": text},
        {"message": text},
        {"code": text},
    ):
        for status in (401, 402, 403, 500):
            assert secret.removeprefix("Bearer ") not in judged(status, body)


def test_what_is_to_be_hidden_is_hidden_however_short():
    found = classify(
        401, JSON, json.dumps(error(None, "bad token c4n4ry")).encode(), NOW, hide=("c4n4ry",)
    ).fault

    assert found is not None
    assert found.text(str) == "HTTP 401: bad token [token]; sign in again"


def test_codes_stay_readable():
    assert (
        scrub("unsupported_country_region_territory: no")
        == "unsupported_country_region_territory: no"
    )


@given(st.text(max_size=600))
def test_snippets_are_one_short_plain_line(text):
    found = scrub(text)

    assert len(found) <= MAX_SNIPPET
    assert found.isprintable()


bodies = st.binary(max_size=200) | st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["account deactivated", "deactivated_workspace"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "msg"]), inner, max_size=4
        )
    ),
).map(lambda value: json.dumps(value).encode())


@given(
    st.integers(100, 599),
    bodies,
    st.sampled_from([{}, JSON, HTML, TEXT, CLOUDFLARE]),
    st.none() | st.text(max_size=20),
)
def test_every_answer_has_a_verdict_in_one_line(status, body, headers, retry_after):
    found = classify(
        status,
        headers if retry_after is None else {**headers, "retry-after": retry_after},
        body,
        NOW,
    )

    assert (found.fault is None) == (found.document is not None)
    if found.fault is not None:
        assert re.fullmatch(r"[^\n\r\x00]{1,250}", found.fault.text(str))
        assert found.fault.status not in (Status.OK, Status.PENDING, Status.PAUSED)
        assert json.loads(found.fault.data_json()) == dict(found.fault.data)
