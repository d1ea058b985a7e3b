"""One question over a real socket: what is sent, when it ends, what is tried again, and what is
never let out.
"""

import gzip
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quota_web.codex import client, transport
from quota_web.codex.client import UsageClient
from quota_web.codex.fetch_result import FetchResult
from quota_web.core.errors import BadSetting
from quota_web.core.quota import Status
from quota_web.core.secret import Secret
from tests.fakes import DROPS, NOW, FakeCodex, FakeResponse, make_jwt, usage_body

CANARY = "CANARY-9c2e77"
TOKEN = Secret(make_jwt("acct-1", canary=CANARY))
OK = FakeResponse(body=usage_body())


def now() -> int:
    return NOW


@pytest.fixture
def codex() -> Iterator[FakeCodex]:
    with FakeCodex() as fake:
        yield fake


def make(url: str, **settings: Any) -> UsageClient:
    return UsageClient(
        url, "codex-quota/test", **{"retries": 0, "retry_delay": 0.01, "timeout": 5.0, **settings}
    )


def ask(
    codex: FakeCodex, *scenes: FakeResponse, account_id: str = "acct-1", **settings: Any
) -> FetchResult:
    codex.answers(account_id, *(scenes or [OK]))
    client = make(codex.url, **settings)
    try:
        return client.fetch(account_id, TOKEN, now=now)
    finally:
        client.close()


def words(answer: FetchResult) -> str:
    return "ok" if answer.fault is None else f"{answer.status}: {answer.fault.text(str)}"


def test_it_brings_a_snapshot(codex):
    found = ask(codex)

    assert (found.status, found.http_status, found.fault, found.requests_sent) == (
        Status.OK,
        200,
        None,
        1,
    )
    assert found.snapshot is not None
    assert [(r.key, r.remaining_percent) for r in found.snapshot.readings] == [
        ("five_hour", 88),
        ("weekly", 60),
    ]
    assert (found.headers, found.body_bytes) == (None, None)


def test_it_sends_these_headers_and_no_others(codex):
    ask(codex)

    [seen] = codex.seen
    assert (seen.method, seen.path) == ("GET", "/backend-api/wham/usage")
    assert seen.headers == {
        "host": f"127.0.0.1:{codex.port}",
        "authorization": f"Bearer {TOKEN.reveal()}",
        "chatgpt-account-id": "acct-1",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "origin": "https://chatgpt.com",
        "referer": "https://chatgpt.com/",
        "user-agent": "codex-quota/test",
    }


def test_fedramp_is_sent_where_it_is_claimed(codex):
    client = make(codex.url)
    client.fetch("acct-1", TOKEN, True, now=now)
    client.close()

    assert codex.seen[0].headers["x-openai-fedramp"] == "true"


def test_a_query_in_the_address_is_kept(codex):
    client = make(codex.url + "?a=b")
    client.fetch("acct-1", TOKEN, now=now)
    client.close()

    assert codex.seen[0].path.endswith("/usage?a=b")


def test_cookies_are_not_kept(codex):
    codex.answers(
        "acct-1", FakeResponse(body=usage_body(), headers={"Set-Cookie": "bleed=1; Path=/"})
    )
    client = make(codex.url)
    for account_id in ("acct-1", "acct-2", "acct-1"):
        client.fetch(account_id, TOKEN, now=now)
    client.close()

    assert [seen.headers.get("cookie") for seen in codex.seen] == [None] * 3


def test_netrc_and_the_environment_are_not_read(codex, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    (tmp_path / ".netrc").chmod(0o600)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.delenv("NO_PROXY")

    assert ask(codex).status is Status.OK
    assert codex.seen[0].headers["authorization"] == f"Bearer {TOKEN.reveal()}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(codex, status):
    with FakeCodex() as elsewhere:
        found = ask(
            codex,
            FakeResponse(status=status, headers={"Location": elsewhere.url}, raw=b"x" * (2 << 20)),
        )

        assert words(found) == f"upstream_error: HTTP {status} (a redirect, not followed)"
        assert (elsewhere.connections, found.requests_sent) == (0, 1)


def test_connections_are_kept_and_no_more_than_threads(codex):
    codex.default = FakeResponse(body=usage_body(), delay=0.01)
    client = make(codex.url, pool_size=4)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(2):
            found = list(
                threads.map(lambda n: client.fetch(f"acct-{n}", TOKEN, now=now).status, range(24))
            )
            assert set(found) == {Status.OK}
    client.close()

    assert codex.connections <= 4
    assert 1 < codex.max_in_flight <= 4


def test_answers_do_not_get_mixed_up_between_accounts(codex):
    for n in range(40):
        codex.answers(f"acct-{n}", FakeResponse(body=usage_body(n), delay=0.002 * (n % 5)))
    client = make(codex.url, pool_size=8)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: client.fetch(f"acct-{n}", TOKEN, now=now), range(40)))
    client.close()

    assert [
        answer.snapshot.readings[0].used_percent for answer in found if answer.snapshot
    ] == list(range(40))


BODY = usage_body()
DRIPS = {
    "header drips": FakeResponse(body=BODY, header_drip=0.05),
    "body drips": FakeResponse(body=BODY, body_drip=0.05),
    "never answers": FakeResponse(body=BODY, delay=60),
    "header first, then nothing": FakeResponse(raw=b"{", length=500),
    "drips in an error": FakeResponse(status=401, body={"detail": "x" * 200}, body_drip=0.05),
}


@pytest.mark.parametrize("case", DRIPS)
def test_one_deadline_ends_whatever_drips(codex, case):
    started = time.monotonic()
    found = ask(codex, DRIPS[case], timeout=0.4)

    assert words(found) == "unreachable: Request failed: timed out after 0.4 s"
    assert time.monotonic() - started < 5


def test_a_connection_that_is_accepted_and_ignored_ends_at_the_deadline():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = make(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.4)
        found = client.fetch("acct-1", TOKEN, now=now)
        client.close()

    assert words(found) == "unreachable: Request failed: timed out after 0.4 s"


def test_a_cut_request_spoils_no_other(codex):
    codex.answers("slow", FakeResponse(body=BODY, body_drip=0.05))
    client = make(codex.url, timeout=0.5, pool_size=4)
    with ThreadPoolExecutor(4) as threads:
        slow = [threads.submit(client.fetch, "slow", TOKEN, now=now) for _ in range(2)]
        quick = list(
            threads.map(lambda _: client.fetch("acct-1", TOKEN, now=now).status, range(100))
        )
    after = [client.fetch("acct-1", TOKEN, now=now).status for _ in range(5)]
    client.close()

    assert {words(one.result()) for one in slow} == {
        "unreachable: Request failed: timed out after 0.5 s"
    }
    assert {*quick, *after} == {Status.OK}


@pytest.mark.parametrize("drop", DROPS)
def test_a_dropped_connection_is_a_fault_and_no_snapshot(codex, drop):
    codex.default = FakeResponse(body=BODY, drop=drop)
    found = ask(codex, codex.default)

    assert found.status is Status.UNREACHABLE
    assert words(found).split(": ", 2)[2] in (
        "connection closed by the other side",
        "the answer was cut short",
        "the answer is not valid HTTP",
    )


def test_a_half_closed_answer_is_cut_short(codex):
    assert (
        words(ask(codex, FakeResponse(body=BODY, half_close=True)))
        == "unreachable: Request failed: the answer was cut short"
    )


def test_a_dropped_connection_is_tried_again(codex):
    found = ask(
        codex, FakeResponse(drop="request"), FakeResponse(drop="body", body=BODY), OK, retries=3
    )

    assert (found.status, found.requests_sent) == (Status.OK, 3)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_passing_troubles_are_tried_again(codex, status):
    found = ask(codex, FakeResponse(status=status), FakeResponse(status=status), OK, retries=3)

    assert (found.status, found.requests_sent) == (Status.OK, 3)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 302, 204])
def test_lasting_troubles_are_asked_once(codex, status):
    assert ask(codex, FakeResponse(status=status, raw=b""), retries=3).requests_sent == 1


def test_a_deactivated_account_is_asked_once_whatever_the_code(codex):
    found = ask(
        codex,
        FakeResponse(status=503, body={"error": {"code": "account_deactivated"}}),
        OK,
        retries=3,
    )

    assert (found.status, found.requests_sent) == (Status.DEACTIVATED, 1)


def test_an_unusable_200_is_asked_once(codex):
    found = ask(codex, FakeResponse(raw=b"<html>"), OK, retries=3)

    assert (words(found), found.requests_sent) == (
        "bad_response: HTTP 200, but the answer is an HTML page",
        1,
    )


def test_three_retries_are_four_requests_with_growing_waits(codex):
    started = time.monotonic()
    found = ask(codex, FakeResponse(status=503), retries=3, retry_delay=0.1)

    assert (found.status, found.http_status, found.requests_sent) == (Status.UPSTREAM_ERROR, 503, 4)
    assert 0.7 <= time.monotonic() - started < 6
    assert found.duration_ms >= 700


def test_a_short_retry_after_is_waited_for(codex):
    started = time.monotonic()
    found = ask(codex, FakeResponse(status=429, headers={"Retry-After": "1"}), OK, retries=1)

    assert (found.status, found.requests_sent) == (Status.OK, 2)
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("value", ["31", "3600", "Sat, 21 Nov 2026 12:10:00 GMT"])
def test_a_long_retry_after_ends_the_attempt(codex, value):
    found = ask(codex, FakeResponse(status=429, headers={"Retry-After": value}), OK, retries=3)

    assert (found.status, found.requests_sent) == (Status.RATE_LIMITED, 1)
    assert found.retry_after_s in (31, 3600, 600)


def test_an_attempt_ends_when_the_next_wait_would_pass_its_deadline(codex):
    started = time.monotonic()
    found = ask(codex, FakeResponse(status=503), retries=50, retry_delay=1000)

    assert (found.status, found.requests_sent) == (Status.UPSTREAM_ERROR, 1)
    assert time.monotonic() - started < 10


PACKED = gzip.compress(b'{"rate_limit": null}')
BOMB = gzip.compress(b" " * (64 << 20))
NOT_ASKED_FOR = "the answer is packed in a way that was not asked for"
SIZES = {
    "said too long": (FakeResponse(raw=b"{}", length=10 << 30), "the answer is larger than 1 MiB"),
    "too long": (FakeResponse(raw=b"x" * ((1 << 20) + 1)), "the answer is larger than 1 MiB"),
    "too long in chunks": (
        FakeResponse(raw=b"x" * (3 << 20), chunked=True),
        "the answer is larger than 1 MiB",
    ),
    "endless": (FakeResponse(raw=b"x" * 100_000, endless=True), "the answer is larger than 1 MiB"),
    "bomb": (
        FakeResponse(raw=BOMB, headers={"Content-Encoding": "gzip"}),
        "the answer is larger than 1 MiB",
    ),
    "bomb in a bomb": (
        FakeResponse(raw=gzip.compress(BOMB), headers={"Content-Encoding": "gzip, gzip"}),
        NOT_ASKED_FOR,
    ),
    "brotli": (FakeResponse(raw=b"abc", headers={"Content-Encoding": "br"}), NOT_ASKED_FOR),
    "no gzip": (
        FakeResponse(raw=b'{"rate_limit": null}', headers={"Content-Encoding": "gzip"}),
        "the answer cannot be unpacked",
    ),
    "half a gzip": (
        FakeResponse(raw=PACKED[:-12], headers={"Content-Encoding": "gzip"}),
        "the answer cannot be unpacked",
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_what_is_too_large_or_packed_wrongly_is_not_read(codex, case):
    scene, reason = SIZES[case]
    started = time.monotonic()

    assert words(ask(codex, scene)) == f"bad_response: HTTP 200, but {reason}"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "scene",
    [
        FakeResponse(raw=PACKED, headers={"Content-Encoding": "GZIP"}),
        FakeResponse(raw=b'{"rate_limit": null}', chunked=True),
        FakeResponse(raw=PACKED, headers={"Content-Encoding": "gzip"}, chunked=True),
        FakeResponse(raw=b'{"rate_limit": null, "x": "' + b"x" * (1 << 19) + b'"}'),
    ],
)
def test_packed_and_chunked_answers_are_read(codex, scene):
    assert words(ask(codex, scene)) == "ok"


def test_no_account_is_said_in_words(codex):
    port = codex.port
    codex.__exit__(None, None, None)

    assert (
        words(ask_at(f"http://127.0.0.1:{port}/"))
        == "unreachable: Request failed: connection refused"
    )


def test_an_unknown_name_is_said_in_words():
    assert (
        words(ask_at("https://no-such-host.invalid/"))
        == "unreachable: Request failed: name not found"
    )


def ask_at(url: str, **settings: Any) -> FetchResult:
    client = make(url, **settings)
    try:
        return client.fetch("acct-1", TOKEN, now=now)
    finally:
        client.close()


def test_raw_answers_are_kept_when_asked_for_with_cookies_masked(codex):
    codex.answers(
        "acct-1",
        FakeResponse(
            status=403, raw=b'{"detail": "no"}', headers={"Set-Cookie": f"a={CANARY}", "X-Odd": "1"}
        ),
    )
    client = make(codex.url)
    found = client.fetch("acct-1", TOKEN, now=now, keep_raw=True)
    client.close()

    assert found.headers is not None
    assert (found.headers["Set-Cookie"], found.headers["X-Odd"], found.body_bytes) == (
        "***",
        "1",
        b'{"detail": "no"}',
    )


def test_no_token_is_in_anything_that_comes_back(codex):
    echo = TOKEN.reveal()
    scenes = [
        FakeResponse(
            status=s,
            body={"error": {"code": echo, "message": f"bad {echo} {CANARY} alice@example.com"}},
        )
        for s in (401, 402, 403, 404, 500)
    ]
    scenes += [
        FakeResponse(status=302, headers={"Location": f"/{echo}"}),
        FakeResponse(raw=echo.encode()),
        FakeResponse(drop="headers", headers={"X": echo}),
    ]
    answers = [ask(codex, scene) for scene in scenes] + [
        ask_at("http://127.0.0.1:1/?key=" + CANARY)
    ]
    shown = [
        repr(answer) + words(answer) + answer.fault.data_json()
        for answer in answers
        if answer.fault
    ]

    assert len(shown) == len(answers)
    assert [
        text
        for text in shown
        if echo in text or echo.split(".")[1] in text or "alice@" in text or "key=" in text
    ] == []


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "a\0b", "é", "", "tok\u2028en"])
def test_a_token_that_fits_no_header_is_a_bug_and_is_not_repeated(codex, token):
    client = make(codex.url)
    for account_id, secret in (("acct-1", Secret(token + CANARY if token else "")), (token, TOKEN)):
        with pytest.raises(ValueError, match="cannot stand in a header") as caught:
            client.fetch(account_id, secret, now=now)
        assert CANARY not in repr(caught.value)
    client.close()

    assert codex.connections == 0


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://a:b@example.com/", "ftp://example.com/", "nonsense", ""]
)
def test_a_bad_address_is_a_bad_setting(url):
    with pytest.raises(BadSetting, match=r"^the address of the usage endpoint \w"):
        make(url)


def test_there_is_no_way_to_turn_checking_off():
    source = Path(client.__file__).read_text(encoding="utf-8")

    assert [word for word in ("CERT_NONE", "check_hostname", "verify") if word in source] == []
    source = Path(transport.__file__).read_text(encoding="utf-8")
    assert [word for word in ("CERT_NONE", "check_hostname", "verify=") if word in source] == []
