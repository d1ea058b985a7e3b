"""Webhooks: signed as the standard says, sent to the address that was judged and to no other."""

import base64
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from quota_web.alerts import webhook_signature
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.alerts.webhook_client import MOST_ANSWER, WebhookClient
from quota_web.alerts.webhook_signature import WebhookSecrets
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.secret import Secret
from tests.alerts.receiver import Receiver, Reply
from tests.certificates import Authority
from tests.codex.socks import FakeSocks
from tests.fakes import FakeProxy

LOOPBACK = AlertTargets(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
KEYS = WebhookSecrets(Secret("whsec_" + base64.b64encode(bytes(range(32))).decode()))
ID, NOW, BODY = "msg_" + "0" * 32, 1_795_262_400, b'{"type":"site.test"}'


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def send(url: str, *, targets: AlertTargets = LOOPBACK, now: int = NOW, **more: Any) -> SendResult:
    client = WebhookClient(targets, "codex-quota/test", **{"deadline_s": 5.0, **more})
    try:
        return client.send(Secret(url), KEYS, ID, BODY, now)
    finally:
        client.close()


def test_the_signature_is_that_of_the_standard():
    assert webhook_signature.headers(KEYS, ID, NOW, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1795262400",
        "webhook-signature": "v1,bH2xk6kpo3kfNmBINQWYcD5k87VW5gqxhtp4TVPyWog=",
    }


def test_the_standards_own_library_takes_it_and_nothing_that_was_changed(receiver):
    now = int(time.time())
    send(receiver.url, now=now)

    [got] = receiver.got
    verifier = Webhook(KEYS.current.reveal())
    assert verifier.verify(got.body, got.headers) == {"type": "site.test"}
    with pytest.raises(WebhookVerificationError):
        verifier.verify(got.body + b" ", got.headers)


def test_after_a_rotation_both_secrets_hold_for_a_day(receiver):
    now = int(time.time())
    rotated = WebhookSecrets.from_stored(KEYS.rotated(now).stored())
    signed = webhook_signature.headers(rotated, ID, now, BODY)

    for secret in (rotated.current, KEYS.current):
        assert Webhook(secret.reveal()).verify(BODY, signed) == {"type": "site.test"}
    assert rotated.signing(now + 86_400) == [rotated.current]
    assert rotated.current != KEYS.current


def test_a_secret_is_32_random_bytes():
    made = {webhook_signature.new_secret().reveal() for _ in range(20)}

    assert len(made) == 20
    assert {len(base64.b64decode(text.removeprefix("whsec_"))) for text in made} == {32}


def test_it_is_one_post_of_json(receiver):
    result = send(receiver.url)

    [got] = receiver.got
    assert (result.code, result.status) == (SendCode.SENT, 200)
    assert (got.method, got.path, got.body) == ("POST", "/hook", BODY)
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "codex-quota/test"


ANSWERS = [
    (204, SendCode.SENT, None),
    (301, SendCode.REFUSED, "HTTP 301 (a redirect, not followed)"),
    (404, SendCode.REFUSED, "HTTP 404"),
    (410, SendCode.GONE, "HTTP 410"),
    (503, SendCode.REFUSED, "HTTP 503"),
]


@pytest.mark.parametrize(("status", "code", "text"), ANSWERS)
def test_what_an_answer_means(receiver, status, code, text):
    with Receiver() as elsewhere:
        receiver.answers(Reply(status, headers={"Location": elsewhere.url, "Retry-After": "7"}))
        result = send(receiver.url)

        assert (result.code, result.status, result.text) == (code, status, text)
        assert result.retry_after_s == (None if code is SendCode.SENT else 7)
        assert elsewhere.got == []


def test_a_large_answer_is_not_read_and_still_counts(receiver):
    receiver.answers(Reply(200, b"x" * (MOST_ANSWER + 1)))

    assert send(receiver.url).code is SendCode.SENT


def test_a_silent_receiver_is_given_up_at_the_deadline(receiver):
    receiver.answers(Reply(200, delay=30))
    started = time.monotonic()

    def slow(_host: str, _port: int) -> list[str]:
        threading.Event().wait(0.2)
        return ["127.0.0.1"]

    # What is said is the deadline of the whole, not what the name left of it.
    result = send(f"http://localhost:{receiver.port}/", deadline_s=0.4, lookup=slow)
    assert (result.code, result.text) == (SendCode.NO_ANSWER, "timed out after 0.4 s")
    assert time.monotonic() - started < 20


def test_a_silent_name_server_is_given_up_at_the_deadline():
    answered = threading.Event()

    def silent(_host: str, _port: int) -> list[str]:
        answered.wait(30)
        return []

    result = send("https://example.org/", deadline_s=0.2, lookup=silent)
    answered.set()

    assert (result.code, result.text) == (SendCode.NO_ANSWER, "the name was not found in time")


FORBIDDEN = [
    "https://127.0.0.1/",
    "https://localhost:8081/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://224.0.0.1/",
    "https://me:pw@example.org/",
    "https://example.org@127.0.0.1/",
    "https://127.0.0.1\\@example.org/",
    "https://example.org/#x",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://93.184.215.14/",
    "http://example.org/",
    "//example.org/",
    "https://exämple.org/",
    "https://example.org:0/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_nothing_is_sent_to(url):
    def lookup(host: str, port: int) -> list[str]:
        from quota_web.alerts.destinations import look_up

        return ["93.184.215.14"] if host == "example.org" else look_up(host, port)

    assert send(url, targets=AlertTargets(), lookup=lookup).code is SendCode.FORBIDDEN


def test_one_forbidden_address_of_a_name_forbids_them_all(receiver):
    url = f"https://two.example:{receiver.port}/"
    for addresses in (["127.0.0.1", "93.184.215.14"], ["93.184.215.14", "127.0.0.1"]):
        found = send(url, targets=AlertTargets(), lookup=lambda *_, a=addresses: a)

        assert found.code is SendCode.FORBIDDEN
    assert receiver.got == []


def test_a_name_that_changes_its_mind_is_reached_at_the_address_that_was_judged(authority):
    with Receiver(tls=authority.server(host="hook.example")) as receiver:
        answers = iter([["127.0.0.1"], ["169.254.169.254"]])
        url = f"https://hook.example:{receiver.port}/x"
        result = send(url, ca_bundle=authority.bundle, lookup=lambda *_: next(answers))

        assert result.code is SendCode.SENT
        assert receiver.got[0].headers["host"] == f"hook.example:{receiver.port}"


def test_the_certificate_must_be_for_the_name(authority):
    with Receiver(tls=authority.server(host="other.example")) as receiver:
        url = f"https://hook.example:{receiver.port}/x"
        result = send(url, ca_bundle=authority.bundle, lookup=lambda *_: ["127.0.0.1"])

        assert (result.code, result.text) == (
            SendCode.NO_ANSWER,
            "TLS: certificate is for another host",
        )
        assert receiver.got == []


def test_the_next_address_is_tried_where_one_takes_no_connection(authority):
    with Receiver(tls=authority.server(host="hook.example")) as receiver:
        url = f"https://hook.example:{receiver.port}/x"
        both = ["127.77.0.1", "127.0.0.1"]
        result = send(url, ca_bundle=authority.bundle, lookup=lambda *_: both)

        assert result.code is SendCode.SENT
        assert len(receiver.got) == 1


@pytest.mark.parametrize("kind", [FakeProxy, FakeSocks])
def test_a_proxy_is_asked_for_the_judged_address(authority, kind):
    with Receiver(tls=authority.server(host="hook.example")) as receiver, kind() as proxy:
        url = f"https://hook.example:{receiver.port}/x"
        way = {"ca_bundle": authority.bundle, "https_proxy": proxy.url}
        result = send(url, lookup=lambda *_: ["127.0.0.1"], **way)

        asked = {FakeProxy: f"127.0.0.1:{receiver.port}", FakeSocks: ("127.0.0.1", receiver.port)}
        assert (result.code, proxy.asked) == (SendCode.SENT, [asked[kind]])
        forbidden = send(url, targets=AlertTargets(), lookup=lambda *_: ["127.0.0.1"], **way)
        assert forbidden.code is SendCode.FORBIDDEN
        assert len(proxy.asked) == 1


def test_plain_http_goes_to_named_targets_alone(receiver):
    by_host = AlertTargets(hosts=frozenset({"hook.lan"}))
    url = f"http://hook.lan:{receiver.port}/"

    assert send(url, targets=by_host, lookup=lambda *_: ["127.0.0.1"]).code is SendCode.SENT
    assert send(url, lookup=lambda *_: ["93.184.215.14"]).code is SendCode.FORBIDDEN


def test_nothing_that_fails_says_where_it_went(receiver):
    canary = "CANARY-77aa"
    receiver.answers(500)
    results = [
        send(f"http://127.0.0.1:{receiver.port}/{canary}"),
        send(f"https://127.0.0.1:9/{canary}"),
        send(f"https://{canary}.invalid/", lookup=lambda *_: []),
        send(f"https://10.0.0.1/{canary}"),
        send(f"https://{canary}@example.org/"),
    ]

    assert [result.code for result in results] == [
        SendCode.REFUSED,
        SendCode.NO_ANSWER,
        SendCode.NO_ANSWER,
        SendCode.FORBIDDEN,
        SendCode.FORBIDDEN,
    ]
    assert canary not in repr(results)
