"""`flask quota alerts`: channels without their addresses, exit statuses, and sending from cron."""

import json
import logging

import pytest

from quota_web.alerts import channel_secrets, channel_service
from quota_web.services import services
from tests.alerts.receiver import Receiver
from tests.alerts.sending import LOOPBACK, add_channel, add_event, deliveries, states
from tests.fakes import NOW
from tests.operations import add_account, opened, run

CANARY = "CANARY-33f0"


@pytest.fixture
def app(instance_dir):
    with opened(instance_dir, **LOOPBACK) as found:
        add_account("alice")
        yield found


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


def url_of(name: str) -> str:
    return channel_secrets.opened(services().cipher, channel_service.find(name)).url.reveal()


def test_a_channel_is_added_from_standard_input(app, receiver):
    address = f"ntfy://127.0.0.1:{receiver.port}/{CANARY}"
    options = ["--kinds", "quota.low, quota.back", "--accounts", "alice", "--below", "30,10"]
    ran = run(
        app, "alerts", "add", "phone", *options, "--quiet", "22:00-07:00", input=f"{address}\n"
    )

    found = channel_service.find("phone")
    assert ran.exit_code == 0
    assert url_of("phone") == address
    assert found.kinds == frozenset({"quota.low", "quota.back"})
    assert (found.accounts, found.thresholds) == (frozenset({1}), (30.0, 10.0))
    assert (found.quiet, found.language, found.digest) == ("22:00-07:00", None, None)
    assert CANARY not in ran.output
    assert receiver.got == []


def test_a_webhook_is_added_from_a_file_and_its_secret_is_printed_once(app, receiver, tmp_path):
    file = tmp_path / "address"
    file.write_text(receiver.url + "\n")
    ran = run(app, "alerts", "add", "hook", str(file), "--webhook", "--language", "zh")

    assert ran.exit_code == 0
    assert ran.stdout.startswith("whsec_")
    keys = channel_secrets.opened(services().cipher, channel_service.find("hook")).keys
    assert keys is not None
    assert ran.stdout.strip() == keys.current.reveal()
    assert "whsec_" not in run(app, "alerts").output


BAD = [
    (["a", "--kinds", "quota.high"], "ntfys://ntfy.sh/x", "quota.high is none of"),
    (["a", "--accounts", "bob"], "ntfys://ntfy.sh/x", "There is no account bob."),
    (["a", "--below", "120"], "ntfys://ntfy.sh/x", "percents between 0 and 100"),
    (["a", "--quiet", "22"], "ntfys://ntfy.sh/x", "two times of day"),
    (["a", "--language", "xx"], "ntfys://ntfy.sh/x", "Give one of: en, zh."),
    (["a", "--digest", "hourly"], "ntfys://ntfy.sh/x", "Give daily 08:00"),
    (["a"], "", "An address is needed."),
    (["a"], f"syslog://{CANARY}", "not sent through"),
    (["a"], f"ntfys://10.0.0.1/{CANARY}", "QUOTA_ALERT_TARGETS does not open it"),
    (["a", "--webhook"], f"https://10.0.0.1/{CANARY}", "QUOTA_ALERT_TARGETS does not open it"),
    (["a", "--webhook"], f"http://example.org/{CANARY}", "plain http goes only"),
    (["a" * 81], "ntfys://ntfy.sh/x", "at most 80"),
]


@pytest.mark.parametrize(("arguments", "address", "line"), BAD)
def test_what_cannot_be_added_is_one_line_and_exit_status_1(app, arguments, address, line):
    if "plain http" in line:
        # No name is looked up outside in tests.
        address = address.replace("example.org", "93.184.215.14")
    ran = run(app, "alerts", "add", *arguments, input=f"{address}\n")

    assert (ran.exit_code, ran.stdout) == (1, "")
    assert line in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert CANARY not in ran.stderr
    assert json.loads(run(app, "alerts", "--json").stdout)["channels"] == []


def test_a_name_is_given_once(app, receiver):
    add_channel(receiver.url, "hook")
    ran = run(app, "alerts", "add", "hook", "--webhook", input=receiver.url)

    assert (ran.exit_code, ran.stderr) == (1, "Another channel has that name.\n")


TESTED = [(200, 0, "taken (HTTP 200)"), (410, 3, "HTTP 410"), (500, 3, "HTTP 500")]


@pytest.mark.parametrize(("status", "code", "text"), TESTED)
def test_a_test_says_what_came_by_its_exit_status(app, receiver, status, code, text):
    add_channel(receiver.url, "hook")
    receiver.answers(status)
    ran = run(app, "alerts", "test", "hook")

    assert ran.exit_code == code
    assert text in ran.output
    assert len(receiver.got) == 1


def test_a_test_that_reaches_nothing_ends_with_2_and_an_unknown_or_closed_one_with_1(
    app, instance_dir, receiver
):
    add_channel("http://127.0.0.1:9/x", "nobody")
    assert run(app, "alerts", "test", "nobody").exit_code == 2
    assert run(app, "alerts", "test", "other").exit_code == 1
    add_channel(receiver.url, "hook")
    with opened(instance_dir) as closed:
        ran = run(closed, "alerts", "test", "hook")

    assert ran.exit_code == 1
    assert "QUOTA_ALERT_TARGETS" in ran.stderr
    assert receiver.got == []


def test_cron_sends_what_is_due(app, receiver):
    add_channel(receiver.url, "hook")
    for _ in range(12):
        add_event("quota.exhausted")
    ran = run(app, "alerts", "send")

    assert (ran.exit_code, ran.stdout) == (0, "12 messages were due\n")
    assert states() == ["sent"] * 12
    assert run(app, "alerts", "send").stdout == "0 messages were due\n"


def test_no_other_command_sends(app, receiver):
    add_channel(receiver.url, "hook")
    add_event("quota.exhausted")
    for command in (["alerts"], ["status"], ["refresh"], ["doctor"], ["accounts", "list"]):
        run(app, *command)

    assert receiver.got == []


def test_a_channel_is_removed(app, receiver):
    add_channel(receiver.url, "hook")
    add_event()
    ran = run(app, "alerts", "remove", "hook")

    assert (ran.exit_code, ran.stdout) == (0, "hook: deleted\n")
    assert deliveries() == []
    assert run(app, "alerts", "remove", "hook").exit_code == 1


def test_the_list_shows_channels_and_messages_without_addresses(app, receiver, caplog):
    caplog.set_level(logging.DEBUG, logger="quota_web")
    add_channel(f"{receiver.url}/{CANARY}", "hook")
    receiver.answers(503)
    add_event("quota.exhausted", cause="window", blocked_until=NOW + 3_600)
    run(app, "alerts", "send")
    ran, document = run(app, "alerts"), json.loads(run(app, "alerts", "--json").stdout)

    assert "webhook · 127.0.0.1" in ran.stdout
    assert "failing" in ran.stdout
    assert document["channels"] == [
        {
            "name": "hook",
            "kind": "webhook",
            "place": "webhook · 127.0.0.1",
            "on": True,
            "quiet": None,
            "digest": None,
            "language": None,
            "last_sent_at": None,
            "failing_since": "2026-11-21T12:00:00Z",
            "error": "HTTP 503",
        }
    ]
    [told] = document["deliveries"]
    assert (told["type"], told["channel"], told["state"], told["tries"]) == (
        "quota.exhausted",
        "hook",
        "waiting",
        1,
    )
    assert told["text"].startswith("alice: ")
    assert CANARY not in ran.output + json.dumps(document) + caplog.text
