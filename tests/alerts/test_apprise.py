"""Apprise in its own program: what it may reach, what is refused, and what comes back."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from quota_web.alerts import apprise_address, apprise_guard
from quota_web.alerts.apprise_child import INCOMPLETE, INVALID
from quota_web.alerts.apprise_runner import AppriseMessage, AppriseRunner
from quota_web.alerts.destinations import NOT_OPEN, PLAIN_HTTP
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.secret import Secret
from tests.alerts.receiver import Receiver, Reply
from tests.fakes import FakeProxy

LOOPBACK = AlertTargets(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
CANARY = "CANARY-4d21"
#: Lets every name resolve to one address, and takes away the seconds that Apprise waits between the
#: topics of an address.
RESOLVING = """
import runpy, socket, time
time.sleep = lambda seconds: None
def lookup(host, port, *args, **more):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("{address}", int(port or 0)))]
socket.getaddrinfo = lookup
runpy.run_module("quota_web.alerts.apprise_child", run_name="__main__")
"""


def message(
    url: str, number: int = 0, body: str = "alice: weekly quota 18 % left"
) -> AppriseMessage:
    return AppriseMessage(number, Secret(url), "Codex Quota", body, "warning")


def send(url: str, targets: AlertTargets = LOOPBACK, **more: Any) -> SendResult:
    return AppriseRunner(targets, **more).send([message(url)])[0]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def test_a_message_reaches_ntfy(receiver):
    result = send(f"ntfy://me:pw@127.0.0.1:{receiver.port}/topic")

    [got] = receiver.got
    assert (result.code, result.status) == (SendCode.SENT, 200)
    assert b"weekly quota 18 % left" in got.body
    assert result.duration_ms >= 0


def test_several_messages_go_side_by_side(receiver):
    receiver.answers(Reply(200, delay=0.4))
    started = time.monotonic()
    messages = [message(f"gotify://127.0.0.1:{receiver.port}/Abcdefghijklmno", n) for n in range(4)]
    results = AppriseRunner(LOOPBACK).send(messages)

    assert {n: result.code for n, result in results.items()} == dict.fromkeys(range(4), "sent")
    assert len(receiver.got) == 4
    assert time.monotonic() - started < 10


ANSWERS = [(404, "HTTP 404"), (429, "HTTP 429"), (503, "HTTP 503"), (302, "HTTP 302")]


def test_an_answer_that_is_no_success_is_said_by_its_status_alone():
    with Receiver() as elsewhere, ExitStack() as opened:
        headers = {"Location": elsewhere.url, "Retry-After": "9"}
        receivers = [opened.enter_context(Receiver()) for _ in ANSWERS]
        for receiver, (status, _) in zip(receivers, ANSWERS, strict=True):
            receiver.answers(Reply(status, CANARY.encode(), headers))
        results = AppriseRunner(LOOPBACK).send(
            [message(f"ntfy://127.0.0.1:{r.port}/topic", n) for n, r in enumerate(receivers)]
        )

        for result, (status, text) in zip(results.values(), ANSWERS, strict=True):
            assert (result.code, result.status, result.text) == (SendCode.REFUSED, status, text)
            assert result.retry_after_s == 9
            assert CANARY not in repr(result)
        assert elsewhere.got == []


def test_a_receiver_that_is_not_there_is_said():
    result = send("ntfy://127.0.0.1:9/topic")

    assert (result.code, result.text) == (SendCode.NO_ANSWER, "connection refused")


def test_the_program_is_killed_at_its_deadline(receiver):
    receiver.answers(Reply(200, delay=60))
    started = time.monotonic()
    result = send(f"ntfy://127.0.0.1:{receiver.port}/topic", deadline_s=3)

    assert (result.code, result.text) == (SendCode.NO_ANSWER, "timed out after 3 s")
    assert time.monotonic() - started < 15


def test_closing_ends_what_is_under_way(receiver):
    receiver.answers(Reply(200, delay=60))
    runner = AppriseRunner(LOOPBACK)
    threading.Timer(0.5, runner.close).start()
    started = time.monotonic()
    result = runner.send([message(f"ntfy://127.0.0.1:{receiver.port}/topic")])[0]

    assert result.code is SendCode.NO_ANSWER
    # Its own deadline is 20 s.
    assert time.monotonic() - started < 15


class Mailbox:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"


@contextmanager
def mail_server(mailbox: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def test_a_message_reaches_a_mail_server():
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        address = (
            f"mailto://127.0.0.1:{port}?from=quota@example.com&to=me@example.com&mode=insecure"
        )
        result = send(address)

    [envelope] = mailbox.envelopes
    assert result.code is SendCode.SENT
    assert envelope.rcpt_tos == ["me@example.com"]
    assert isinstance(envelope.content, bytes)
    assert b"Codex Quota" in envelope.content


def test_a_mail_server_that_refuses_is_said():
    class Full(Mailbox):
        async def handle_RCPT(self, *_: Any) -> str:
            return f"550 {CANARY}"

    with mail_server(Full()) as port:
        result = send(f"mailto://127.0.0.1:{port}?from=a@example.com&to=me@example.com")

    assert (result.code, result.text) == (SendCode.REFUSED, "the mail server refused it")
    assert CANARY not in repr(result)


INSIDE = [
    "ntfys://127.0.0.1/topic",
    "ntfy://localhost/topic",
    "gotifys://[::1]/Abcdefghijklmno",
    "gotifys://169.254.169.254/Abcdefghijklmno",
    "ntfys://[::ffff:169.254.169.254]/topic",
    "ntfys://2130706433/topic",
    "mailtos://me:pw@10.0.0.1?from=a@example.com&to=b@example.com",
    "mailtos://me:pw@example.com?smtp=127.0.0.1&from=a@example.com&to=b@example.com",
]


def test_what_is_not_on_the_internet_is_refused_where_it_is_added_and_where_it_is_sent():
    runner = AppriseRunner(AlertTargets())
    sent = runner.send([message(url, number) for number, url in enumerate(INSIDE)])

    for number, url in enumerate(INSIDE):
        for result in (runner.check(Secret(url)), sent[number]):
            assert (result.code, result.text) == (SendCode.FORBIDDEN, NOT_OPEN), url


def test_a_check_sends_nothing(receiver):
    result = AppriseRunner(LOOPBACK).check(Secret(f"ntfy://127.0.0.1:{receiver.port}/topic"))

    assert result.code is SendCode.SENT
    assert receiver.got == []


def test_an_address_that_lacks_something_is_found_where_it_is_added():
    result = AppriseRunner(LOOPBACK).check(Secret("clicksend://user:pass@1"))

    assert (result.code, result.text) == (SendCode.FORBIDDEN, INCOMPLETE)


def test_plain_http_goes_to_named_targets_alone(receiver):
    url = f"ntfy://anywhere.example:{receiver.port}/topic"
    public = ("-c", RESOLVING.format(address="93.184.215.14"))
    named = AlertTargets(hosts=frozenset({"anywhere.example"}))
    loopback = ("-c", RESOLVING.format(address="127.0.0.1"))

    assert send(url, program=public).text == PLAIN_HTTP
    assert send(url, named, program=loopback).code is SendCode.SENT


def test_with_a_proxy_nothing_goes_past_it(receiver):
    with FakeProxy() as proxy:
        way: dict[str, Any] = {"https_proxy": proxy.url}
        mail = "mailto://127.0.0.1:25?from=a@example.com&to=b@example.com"
        https = f"ntfys://127.0.0.1:{receiver.port}/topic"

        sent = AppriseRunner(LOOPBACK, **way).send([message(mail, 0), message(https, 1)])
        assert sent[0].text == apprise_guard.NO_WAY_FOR_MAIL
        assert sent[1].code is not SendCode.SENT
        assert proxy.asked == [f"127.0.0.1:{receiver.port}"]
        assert send(https, AlertTargets(), **way).code is SendCode.FORBIDDEN
        assert len(proxy.asked) == 1
        assert (
            send(f"ntfy://127.0.0.1:{receiver.port}/t", no_proxy="127.0.0.1", **way).code == "sent"
        )


def test_the_program_gets_nothing_of_the_environment(monkeypatch, receiver):
    monkeypatch.setenv("QUOTA_SECRET_KEY", CANARY)
    program = """
import os, sys, json
print(json.dumps({"id": 0, "code": "refused", "status": None, "retry_after": None, "ms": 0,
                  "reason": " ".join(sorted(os.environ))}))
"""
    seen = send("ntfys://ntfy.sh/x", program=("-c", program)).reason or ""

    assert set(seen.split()) <= {"HOME", "LANG", "LC_CTYPE", "NETRC"}


OTHERS = """
syslog rsyslog dbus kde glib gio qt gnome macosx windows kodi kodis xbmc xbmcs smpp smpps mqtt mqtts
irc ircs xmpp xmpps form forms xml xmls json jsons apprise apprises amqp amqps growl blink1 nostr
nostrs aprs file http https data gopher
"""
REFUSED = OTHERS.split()


@pytest.mark.parametrize("scheme", REFUSED)
def test_what_is_no_service_is_refused_before_anything_is_started(scheme):
    problem = apprise_address.problem_of(f"{scheme}://127.0.0.1/x")

    assert problem == apprise_address.OTHER_SCHEME


BAD = [
    "ntfys://ntfy.sh/x?verify=no",
    "ntfys://ntfy.sh/x?VERIFY=False",
    "ntfys://ntfy.sh/x?a=b&verify=0",
    "ntfys://ntfy.sh/x?redirect=yes",
    "ntfys://ntfy.sh/x, syslog://",
    "ntfys://ntfy.sh/é",
    "ntfy",
    "",
    "ntfys://ntfy.sh/" + "x" * 2000,
]


@pytest.mark.parametrize("address", BAD)
def test_an_address_is_refused_in_words_that_do_not_repeat_it(address):
    problem = apprise_address.problem_of(address)

    assert problem is not None
    assert "ntfy.sh" not in problem.replace("such as ntfys://", "")


SHOWN = [
    ("ntfys://ntfy.sh/secret-topic", "ntfy · ntfy.sh"),
    ("ntfy://secret-topic", "ntfy · ntfy.sh"),
    ("ntfys://tk_secret@ntfy.example.org/secret", "ntfy · ntfy.example.org"),
    ("ntfy://192.168.7.7:8080/secret", "ntfy · 192.168.7.7"),
    ("tgram://123456:secret/789", "Telegram"),
    ("discord://123/secret", "Discord"),
    ("slack://T1/B1/secret", "Slack"),
    ("mailtos://me:secret@gmail.com", "mail · gmail.com"),
    ("mailtos://me:secret@example.com?smtp=smtp.example.org&to=x", "mail · smtp.example.org"),
    ("matrix://secret", "Matrix"),
    ("pover://secret@token", "Pushover"),
    ("ifttt://secret@event", "ifttt"),
    ("gotifys://push.example.org/secret", "Gotify · push.example.org"),
]


@pytest.mark.parametrize(("address", "shown"), SHOWN)
def test_what_is_shown_of_an_address_holds_no_secret(address, shown):
    assert apprise_address.shown(address) == shown
    assert "secret" not in shown


#: Addresses that Apprise takes, so that their services try to send.
REAL = [
    "ntfy://{place}/topic",
    "ntfys://topic",
    "gotify://{place}/Abcdefghijklmno",
    "discord://123456789012345678/" + "a" * 68,
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "tgram://123456789:" + "A" * 35 + "/12345",
    "pover://" + "u" * 30 + "@" + "t" * 30,
    "matrixs://user:pass@{place}/#room",
    "mmost://{place}/3ccdd113474722377935511fc85d3dd4",
    "rocket://user:pass@{place}/#channel",
    "nctalk://user:pass@{place}/roomid",
    "ncloud://user:pass@{place}/user",
    "hassio://{place}/" + "a" * 20,
    "signal://{place}/15551234567/15557654321",
    "bark://{place}/devicekey",
    "toots://token@{place}",
    "misskeys://token@{place}",
    "mailtos://me:pw@example.com?from=a@example.com&to=b@example.com",
    "mailto://{place}?from=a@example.com&to=b@example.com",
    "ifttt://webhookid@event",
    "join://" + "a" * 32 + "/group.all",
    "pbul://" + "a" * 32,
    "prowl://" + "a" * 40,
    "sns://AHIAJGNT76XIMXDBIJYA/bu1dHSdO22pfaaVy/wmNsdjBaTbc/us-east-2/12223334444",
    "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@12223334444/12223335555",
    "mailgun://user@example.com/" + "a" * 32 + "-" + "b" * 8 + "-" + "c" * 8 + "/me@example.com",
    "workflows://prod-1.westus.logic.azure.com:443/{wf}/{sig}",
    "zulip://bot@org/" + "a" * 32 + "/general",
    "emby://user@{place}",
    "lametric://" + "a" * 64 + "@{place}",
    "synology://{place}/token",
]


def schemes_of_apprise() -> list[str]:
    """In a process of its own: it warns of its imports."""
    listing = "from apprise.manager_plugins import NotificationManager as M; print(*M().schemas())"
    ran = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return sorted(ran.stdout.split())


def test_no_scheme_that_apprise_knows_reaches_what_it_may_not(receiver):
    place = f"127.0.0.1:{receiver.port}"
    known = schemes_of_apprise()
    real = [url.format(place=place, wf="a" * 32, sig="b" * 43) for url in REAL]
    made = real + [f"{scheme}://user:pass@{place}/aaaa/bbbb/cccc?to=me" for scheme in known]
    for address in ("127.0.0.1", "169.254.169.254"):
        runner = AppriseRunner(
            AlertTargets(), program=("-c", RESOLVING.format(address=address)), deadline_s=90
        )
        results = runner.send([message(url, number) for number, url in enumerate(made)])
        reasons = {url: results[number].text for number, url in enumerate(made)}

        # Some find that a recipient is missing before they try to send.
        assert {(r.code, r.text) for r in results.values() if r.code != "forbidden"} == {
            (SendCode.NO_ANSWER, "nothing was sent")
        }
        tried = [url for url, why in reasons.items() if why == NOT_OPEN]
        unread = [url for url in real if reasons[url] == INVALID]
        assert unread == []
        assert len(tried) > 100
    assert len(known) > 240
    assert receiver.got == []


def test_what_reaches_the_net_without_requests_is_stopped_too(receiver):
    program = f"""
import json, os, socket, subprocess, sys
from quota_web.alerts.apprise_guard import Guard, Refused
from quota_web.core.alert_targets import AlertTargets
Guard(AlertTargets()).install()
place = ("127.0.0.1", {receiver.port})
def udp(): socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", place)
def msg(): socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, place)
def ctypes_(): __import__("ctypes").CDLL("libc.so.6")
tries = [lambda: socket.create_connection(place), udp, msg, ctypes_, os.fork,
         lambda: socket.socket().connect_ex(place),
         lambda: socket.socket().connect(("localhost", place[1])),
         lambda: socket.socket(socket.AF_UNIX).connect("/dev/log"),
         lambda: subprocess.run(["true"]), lambda: os.system("true"),
         lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
         lambda: os.execv("/bin/true", ["true"])]
stopped = 0
for each in tries:
    try: each()
    except Refused: stopped += 1
print(json.dumps({{"id": 0, "code": "refused", "status": None, "retry_after": None, "ms": 0,
                   "reason": f"{{stopped}} of {{len(tries)}}"}}))
"""
    assert send("x", program=("-c", program)).reason == "12 of 12"
    assert receiver.got == []
