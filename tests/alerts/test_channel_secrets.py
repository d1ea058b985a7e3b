"""Addresses and secrets of channels: sealed wherever they are stored, known to every change of the
key, and shown nowhere.
"""

import logging
import sqlite3

import pytest

from quota_web import store
from quota_web.alerts import channel_secrets, channel_service
from quota_web.alerts.channel_service import ChannelDraft
from quota_web.core.errors import BadInput
from quota_web.core.secret import Secret
from quota_web.maintenance import backup, doctor, rotate_key
from quota_web.reports import metrics
from quota_web.services import services
from quota_web.store.channels import APPRISE, ChannelRules
from quota_web.store.encryption import TokenCipher
from tests.alerts.receiver import Receiver
from tests.alerts.sending import LOOPBACK, add_channel, add_event, run_pass, senders
from tests.fakes import NOW
from tests.operations import leave, make_app, opened, restored, run

CANARY = "CANARY-a91c"


@pytest.fixture(autouse=True)
def app(instance_dir):
    with opened(instance_dir, **LOOPBACK) as found:
        yield found


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


def addresses(cipher: TokenCipher) -> list[str]:
    with store.database.reading() as conn:
        found = store.channels.list_all(conn)
    return [channel_secrets.opened(cipher, one).url.reveal() for one in found]


def add_two(receiver: Receiver) -> list[str]:
    both = [
        f"ntfy://127.0.0.1:{receiver.port}/{CANARY}",
        f"http://127.0.0.1:{receiver.port}/{CANARY}",
    ]
    for number, url in enumerate(both):
        add_channel(url, f"channel {number}")
    return both


def test_nothing_of_an_address_is_stored_in_the_clear(receiver, instance_dir):
    add_two(receiver)
    secret = channel_service.rotate(services().cipher, 2, NOW, "test").reveal()
    store.database.bound().dispose()

    stored = b"".join(file.read_bytes() for file in instance_dir.iterdir() if file.is_file())
    assert CANARY.encode() not in stored
    assert secret.removeprefix("whsec_").encode() not in stored


def test_a_change_of_the_key_seals_them_anew(receiver, instance_dir):
    both = add_two(receiver)
    before = channel_service.find("channel 1").secret_sealed

    done = rotate_key.rotate(services().cipher, NOW, "test")

    assert (done.is_new, done.unreadable_channels) == (True, ())
    assert addresses(TokenCipher(instance_dir)) == both
    after = channel_service.find("channel 1").secret_sealed
    assert before is not None
    assert after is not None
    assert before != after
    assert TokenCipher(instance_dir).is_present(after, 2, "channel-secret")


def test_an_interrupted_change_of_the_key_is_finished(receiver, instance_dir):
    both = add_two(receiver)
    services().cipher.add_key()

    done = rotate_key.rotate(services().cipher, NOW, "test")

    assert done.is_new is False
    assert addresses(TokenCipher(instance_dir)) == both
    assert len((instance_dir / "secret.key").read_text().split()) == 1


def test_a_channel_that_no_key_opens_is_named_and_left_as_it_is(receiver, instance_dir, app):
    add_two(receiver)
    other = instance_dir / "other"
    other.mkdir()
    with store.database.transaction() as tx:
        store.channels.seal(tx, 1, TokenCipher(other).seal(Secret("x"), 1, "channel-url"), None)

    ran = run(app, "rotate-key")

    assert ran.exit_code == 0
    assert "alert channel channel 0: no key opens its address; enter it again" in ran.stderr
    texts = [f.text for f in doctor.diagnose(context()) if f.what == "alerts"]
    assert texts == ["channel channel 0: no key opens its address"]


def context() -> doctor.DoctorContext:
    present = services()
    return doctor.DoctorContext(present.settings, present.cipher, lambda: present.client, NOW)


def test_a_restore_brings_channels_back_and_says_so(receiver, instance_dir, tmp_path, app):
    both = add_two(receiver)
    add_event("site.channel_failing", None, channel="x")
    made = backup.backup(tmp_path / "made.sqlite")
    assert made.rows["channel"] == 2
    leave()

    ran = run(app, "restore", str(tmp_path / "made.sqlite"), "--yes")

    assert ran.exit_code == 0
    assert "Alerts are sent again to: channel 0, channel 1." in ran.stderr
    assert CANARY not in ran.output
    assert addresses(services().cipher) == both
    assert run_pass() == 0


def test_a_restore_without_the_key_switches_channels_off(receiver, tmp_path):
    add_two(receiver)
    backup.backup(tmp_path / "made.sqlite")
    leave()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with make_app(elsewhere).app_context():
        done = restored(tmp_path / "made.sqlite")

        assert done.lost_channels == ("channel 0", "channel 1")
        assert done.channels == ()
        store.database.forget_troubles()


FORGED = [
    ("UPDATE channel SET quiet = ?", "22:00"),
    ("UPDATE channel SET digest = ?", "hourly"),
    ("UPDATE channel SET kinds = ?", '["quota.low", 7]'),
    ("UPDATE channel SET kinds = ?", "[" * 5_000),
    ("UPDATE channel SET accounts = ?", '["1"]'),
    ("UPDATE channel SET thresholds = ?", "[1e999]"),
    ("UPDATE channel SET language = ?", "xx"),
    ("UPDATE channel SET kind = ?", "syslog"),
    ("UPDATE channel SET state = ?", "maybe"),
    ("UPDATE channel SET name = ?", "a\nb"),
]


@pytest.mark.parametrize(("statement", "value"), FORGED)
def test_a_channel_that_this_program_would_not_write_is_refused(
    receiver, tmp_path, statement, value
):
    add_two(receiver)
    file = tmp_path / "made.sqlite"
    backup.backup(file)
    leave()
    with sqlite3.connect(file) as connection:
        connection.execute(f"{statement} WHERE id = 1", [value])
    connection.close()

    with pytest.raises(BadInput, match="table channel holds what this program never writes"):
        restored(file)


def test_no_failure_no_log_no_audit_and_no_figure_shows_an_address(receiver, caplog, app):
    caplog.set_level(logging.DEBUG, logger="quota_web")
    add_two(receiver)
    receiver.answers(500)
    add_event("site.channel_failing", None, channel="x")
    run_pass()
    own = senders()
    refused = []
    for url in (
        f"ntfys://127.0.0.1/{CANARY}?verify=no",
        f"syslog://{CANARY}",
        f"https://{CANARY}@example.org/",
        f"https://10.0.0.1/{CANARY}",
        f"ntfys://10.0.0.1/{CANARY}",
    ):
        kind = "webhook" if url.startswith("http") else APPRISE
        draft = ChannelDraft(ChannelRules("other"), kind, Secret(url))
        with pytest.raises(BadInput) as error:
            channel_service.create(services().cipher, own, draft, NOW, "test")
        refused += [str(error.value), error.value.said]
    channel_service.remove(1, NOW, "test")
    own.close()
    with store.database.reading() as conn:
        audit = repr(store.audit_log.newest(conn))
        rows = repr(store.channels.list_all(conn))
    ran = run(app, "doctor")
    body, _ = metrics.page(services().scope, NOW, 3_600)

    assert "channel_deleted" in audit
    everything = [*refused, audit, rows, ran.output, caplog.text, body.decode()]
    assert [text for text in everything if CANARY in text] == []
    assert "has failed since 2026-11-21T12:00:00Z: HTTP 500" in ran.output


def test_what_is_shown_of_a_channel_is_its_service_and_server(receiver):
    add_two(receiver)
    with store.database.reading() as conn:
        found = store.channels.list_all(conn)

    shown = [channel_secrets.shown(services().cipher, one) for one in found]
    assert shown == ["ntfy · 127.0.0.1", "webhook · 127.0.0.1"]


def test_blank_keeps_the_address_and_the_secret(receiver):
    _, url = add_two(receiver)
    before = channel_service.find("channel 1")
    draft = ChannelDraft(ChannelRules("renamed", quiet="22:00-07:00"), "webhook", None)
    channel_service.edit(services().cipher, senders(), before.id, draft, NOW, "test")

    after = channel_service.find("renamed")
    assert (after.url_sealed, after.secret_sealed) == (before.url_sealed, before.secret_sealed)
    assert after.quiet == "22:00-07:00"
    assert channel_secrets.opened(services().cipher, after).url.reveal() == url


def test_figures_count_what_became_of_messages_and_never_fall(receiver):
    add_two(receiver)
    add_event("site.channel_failing", None, channel="x")
    run_pass()
    add_event("site.channel_failing", None, channel="y")
    figures = metrics.page(services().scope, NOW + 90, 3_600)[0].decode()
    sent = 'codex_quota_deliveries_total{channel="channel 0",result="sent"} 1.0'

    assert sent in figures
    assert "codex_quota_delivery_oldest_waiting_seconds 90.0" in figures
    with store.database.transaction() as tx:
        assert store.deliveries.delete_old(tx, NOW + 10) == 2
    assert sent in metrics.page(services().scope, NOW, 3_600)[0].decode()
