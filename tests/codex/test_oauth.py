"""A refresh token on its way: claimed when there is a connection, sent once, and judged so that it
is never taken for unused when it may have been used.
"""

import json
import threading
from typing import Any

import pytest

from quota_web.codex.oauth import OAuthClient
from quota_web.codex.renewal_answer import RenewalAnswer, Verdict, judge
from quota_web.codex.transport import Exchange
from quota_web.core.account_identity import Login
from quota_web.core.errors import BadDatabase, BadSetting
from quota_web.core.secret import Secret
from tests.certificates import Authority
from tests.codex.socks import FakeSocks
from tests.fakes import NOW, FakeProxy, make_jwt
from tests.issuer import CANARY, CHALLENGE, CLIENT_ID, DAY, FakeIssuer, Turn

KNOWN = (Login("acct-1", "user-1"),)
OLD = Secret(f"rt_{CANARY}_old")
NEW = f"rt_{CANARY}_new"


def make(url: str, **options: Any) -> OAuthClient:
    return OAuthClient(url, CLIENT_ID, "codex-quota/test", **options)


def renew(client: OAuthClient, token: str, claim: Any = lambda: True) -> RenewalAnswer | None:
    try:
        return client.renew(Secret(token), KNOWN, claim, lambda: NOW)
    finally:
        client.close()


@pytest.fixture
def issuer():
    with FakeIssuer() as fake:
        yield fake
        fake.assert_gentle()


def verdict(answer: RenewalAnswer | None) -> tuple[str, str | None]:
    assert answer is not None
    return answer.verdict, answer.code


def test_the_request_is_as_the_first_party_sends_it(issuer):
    tokens = issuer.sign_in()

    answer = renew(make(issuer.url), tokens["refresh_token"])

    assert issuer.paths == ["/oauth/token"]
    assert issuer.bodies == [
        {
            "client_id": CLIENT_ID,
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
        }
    ]
    assert issuer.headers[0]["content-type"] == "application/json"
    assert issuer.headers[0]["user-agent"] == "codex-quota/test"
    assert {"cookie", "origin", "authorization"} & issuer.headers[0].keys() == set()
    assert answer is not None
    assert answer.verdict is Verdict.RENEWED
    assert answer.tokens is not None
    assert answer.tokens.refresh_token is not None
    assert issuer.is_current(answer.tokens.refresh_token.reveal())
    assert (answer.tokens.issued_at, answer.tokens.expires_at) == (NOW, NOW + 10 * DAY)
    assert CANARY not in repr(answer)


@pytest.mark.parametrize("way", ["plain", "tls", "proxy", "socks"])
def test_it_is_claimed_when_the_connection_stands_and_before_anything_is_sent(way, tmp_path):
    authority = Authority(tmp_path)
    tls = None if way == "plain" else authority.server()
    with FakeIssuer(tls=tls) as issuer, FakeProxy() as proxy, FakeSocks() as socks:
        options = {
            "plain": {},
            "tls": {"ca_bundle": authority.bundle},
            "proxy": {"ca_bundle": authority.bundle, "https_proxy": proxy.url},
            "socks": {"ca_bundle": authority.bundle, "https_proxy": socks.url},
        }[way]
        seen: list[tuple[int, int]] = []

        def claim() -> bool:
            seen.append((len(proxy.asked) + len(socks.asked), issuer.calls))
            return True

        answer = renew(make(issuer.url, **options), issuer.sign_in()["refresh_token"], claim)

        assert verdict(answer) == ("renewed", None)
        # The tunnel stood, and nothing had been sent.
        assert seen == [(1 if way in ("proxy", "socks") else 0, 0)]
        assert issuer.log == {"calls": 1, "ok": 1, "reuse": 0, "revoked": 0, "ungentle": 0}


def test_a_claim_that_says_no_sends_nothing(issuer):
    tokens = issuer.sign_in()

    assert renew(make(issuer.url), tokens["refresh_token"], lambda: False) is None
    assert (issuer.calls, issuer.paths) == (0, [])
    assert issuer.is_current(tokens["refresh_token"])


def test_a_claim_that_fails_sends_nothing_and_says_why(issuer):
    def claim() -> bool:
        raise BadDatabase("the disk is full")

    with pytest.raises(BadDatabase, match="the disk is full"):
        renew(make(issuer.url), issuer.sign_in()["refresh_token"], claim)
    assert issuer.paths == []


def test_nothing_is_claimed_without_a_connection(tmp_path):
    claims: list[int] = []

    def claim() -> bool:
        claims.append(1)
        return True

    assert verdict(renew(make("http://127.0.0.1:9"), "rt_x", claim)) == (
        "not_taken",
        "not_reached",
    )
    assert verdict(renew(make("https://quota.invalid"), "rt_x", claim))[0] == "not_taken"
    with FakeIssuer(tls=Authority(tmp_path).server()) as issuer:
        # Its certificate is not trusted here.
        assert verdict(renew(make(issuer.url), "rt_x", claim))[0] == "not_taken"
    with FakeProxy(refuses=407) as proxy:
        client = make("https://127.0.0.1:9", https_proxy=proxy.url)
        assert verdict(renew(client, "rt_x", claim))[0] == "not_taken"
    assert claims == []


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (Turn(after="drop"), "no_answer"),
        (Turn(drop=True), "no_answer"),
        (Turn(after="cut"), "no_answer"),
        (Turn(after=403), "http_403"),
        (Turn(after=500), "http_500"),
        (Turn(status=307, headers={"Location": "/elsewhere"}), "http_307"),
    ],
)
def test_a_lost_answer_is_unsure_and_nothing_is_sent_again(issuer, turn, code):
    issuer.plays(turn)

    assert verdict(renew(make(issuer.url), issuer.sign_in()["refresh_token"])) == ("unsure", code)
    assert issuer.calls == 1


def test_the_deadline_ends_the_whole(issuer):
    held = threading.Event()
    issuer.plays(Turn(hold=held))

    answer = renew(make(issuer.url, deadline_s=0.3), issuer.sign_in()["refresh_token"])
    held.set()

    assert verdict(answer) == ("unsure", "no_answer")
    assert answer is not None
    assert answer.failure == "timed out after 0.3 s"


def test_a_deadline_that_passes_during_the_claim_sends_nothing(issuer):
    waits = threading.Event()

    def claim() -> bool:
        waits.wait(0.6)
        return True

    answer = renew(make(issuer.url, deadline_s=0.2), issuer.sign_in()["refresh_token"], claim)

    assert verdict(answer) == ("not_taken", "not_reached")
    assert issuer.paths == []


def test_when_the_process_ends_the_deadline_shrinks_and_the_answer_is_still_taken(issuer):
    client, tokens = make(issuer.url), issuer.sign_in()
    held, late = threading.Event(), threading.Event()
    issuer.plays(Turn(hold=held), Turn(hold=late))

    def claim() -> bool:
        client.hurry(5)
        held.set()
        return True

    answer = client.renew(Secret(tokens["refresh_token"]), KNOWN, claim, lambda: NOW)
    client.hurry(0.2)
    lost = client.renew(Secret(issuer.sign_in()["refresh_token"]), KNOWN, claim, lambda: NOW)
    late.set()
    client.close()

    assert (verdict(answer)[0], verdict(lost)[0]) == ("renewed", "unsure")


def test_a_bad_address_stops_the_start():
    with pytest.raises(BadSetting, match="the address of the sign-in must use https"):
        make("http://auth.example.org")


def access(account_id: str | None = "acct-1", exp: int = NOW + DAY, **said: Any) -> str:
    return make_jwt(account_id, exp=exp, **said)


def judged(
    status: int, body: object = None, raw: bytes | None = None, **headers: str
) -> RenewalAnswer:
    content = raw if raw is not None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Exchange(status, named, content), OLD, KNOWN, NOW, is_sent=True)


GOOD = {"access_token": access(), "refresh_token": NEW}


@pytest.mark.parametrize(
    ("body", "expected", "kept"),
    [
        (GOOD | {"id_token": access(user_id="user-1")}, "renewed", NEW),
        (GOOD, "renewed", NEW),
        # Nothing new: the old one stays and may be sent again.
        ({"access_token": access()}, "renewed", None),
        ({"access_token": access(), "refresh_token": None}, "renewed", None),
        ({"access_token": access(), "refresh_token": OLD.reveal()}, "renewed", None),
        # The rotated token is kept whatever is wrong with the other one.
        ({"refresh_token": NEW}, "renewed_partly", NEW),
        (GOOD | {"access_token": None}, "renewed_partly", NEW),
        (GOOD | {"access_token": "sess-x"}, "renewed_partly", NEW),
        (GOOD | {"access_token": "a.b.c.d.e"}, "renewed_partly", NEW),
        (GOOD | {"access_token": "spaces in it"}, "renewed_partly", NEW),
        (GOOD | {"access_token": access(exp=NOW)}, "renewed_partly", NEW),
        # A token that says nothing of itself is taken as it is.
        (GOOD | {"access_token": "opaque"}, "renewed", NEW),
        (GOOD | {"access_token": access("acct-2")}, "other_identity", NEW),
        (GOOD | {"access_token": access(user_id="user-2")}, "other_identity", NEW),
        (GOOD | {"id_token": access("acct-2")}, "other_identity", NEW),
        # A refresh token came that cannot be stored: the old one may be used up all the same.
        (GOOD | {"refresh_token": "spaces in it"}, "unsure", None),
        (GOOD | {"refresh_token": ""}, "unsure", None),
        (GOOD | {"refresh_token": 7}, "unsure", None),
        (GOOD | {"refresh_token": "x" * 20_000}, "unsure", None),
        ({"id_token": access()}, "unsure", None),
        ({}, "unsure", None),
        ([], "unsure", None),
        ("text", "unsure", None),
    ],
)
def test_a_200_is_read_for_what_it_brings(body, expected, kept):
    answer = judged(200, body)

    refresh = answer.tokens.refresh_token if answer.tokens else None
    assert (answer.verdict, refresh.reveal() if refresh else None) == (expected, kept)


@pytest.mark.parametrize("raw", [b"", b'{"access_token": "ey', CHALLENGE, b'{"a": 1, "a": 2}'])
def test_a_200_that_cannot_be_read_is_unsure(raw):
    assert verdict(judged(200, raw=raw)) == ("unsure", "unusable_answer")


def coded(code: object) -> dict[str, object]:
    return {"error": {"message": "made up", "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (401, coded("refresh_token_reused"), "dead", "refresh_token_reused"),
        (400, coded("refresh_token_reused"), "dead", "refresh_token_reused"),
        (403, coded("refresh_token_expired"), "dead", "refresh_token_expired"),
        (401, coded("Refresh_Token_Invalidated"), "dead", "refresh_token_invalidated"),
        (401, {"error": "refresh_token_reused"}, "dead", "refresh_token_reused"),
        (401, {"code": "refresh_token_expired"}, "dead", "refresh_token_expired"),
        (401, {"error": {"message": "x"}, "code": "token_expired"}, "dead", "token_expired"),
        (401, coded("app_session_terminated"), "dead", "app_session_terminated"),
        (401, None, "dead", "http_401"),
        (400, {"error": "invalid_grant", "error_description": "x"}, "dead", "invalid_grant"),
        (422, {"error": "invalid_grant"}, "refused_request", "invalid_grant"),
        (400, {"error": "invalid_client"}, "refused_request", "invalid_client"),
        (400, coded("something_new"), "refused_request", "something_new"),
        (404, None, "refused_request", "http_404"),
        (403, coded("forbidden"), "unsure", "forbidden"),
        (500, coded(None), "unsure", "http_500"),
        (503, coded("refresh_token_reused"), "unsure", "refresh_token_reused"),
        (202, GOOD, "unsure", "http_202"),
        (302, None, "unsure", "http_302"),
        (429, coded("rate_limit_exceeded"), "not_taken", "rate_limit_exceeded"),
    ],
)
def test_every_other_status_has_its_verdict(status, body, expected, code):
    assert verdict(judged(status, body)) == (expected, code)


def test_an_empty_401_is_dead():
    assert verdict(judged(401, raw=b"")) == ("dead", "http_401")


def test_a_country_is_unsure_and_the_address_is_refused():
    code = "unsupported_country_region_territory"
    assert verdict(judged(403, coded(code))) == ("unsure", code)
    without_code = judged(403, {"error": {"message": code}})
    assert verdict(without_code) == ("unsure", "address_blocked")


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_challenge_never_reached_the_other_side(status):
    answer = judged(status, raw=CHALLENGE, cf_mitigated="challenge", content_type="text/html")

    assert verdict(answer) == ("not_taken", "address_blocked")


@pytest.mark.parametrize(
    ("server", "raw", "expected"),
    [
        ("cloudflare", CHALLENGE, "not_taken"),
        ("nginx", CHALLENGE, "unsure"),
        ("cloudflare", b"<html>Forbidden</html>", "unsure"),
        ("cloudflare", b'{"error": "forbidden"}', "unsure"),
    ],
)
def test_without_the_header_a_403_is_a_challenge_by_its_page_and_server_alone(
    server, raw, expected
):
    kind = "text/html" if raw.startswith(b"<") else "application/json"
    assert judged(403, raw=raw, server=server, content_type=kind).verdict == expected


def test_how_long_to_wait_and_what_to_quote_are_kept():
    answer = judged(429, None, retry_after="120", x_request_id="req_1-a")

    assert (answer.retry_after_s, answer.request_id) == (120, "req_1-a")


@pytest.mark.parametrize("code", [OLD.reveal(), f"rt_{CANARY}", "has spaces", "x" * 65, 7, {}])
def test_what_is_no_code_or_holds_a_token_is_not_kept(code):
    assert verdict(judged(400, coded(code))) == ("refused_request", "http_400")
