"""`flask quota accounts renew` and `renewal`: what they print, and with which status they end."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from quota_web.cli import sign_in_renewal
from quota_web.codex.oauth import OAuthClient
from quota_web.sign_ins import renewal_service
from quota_web.sign_ins.renewal_service import Press, Pressed
from tests.installation import open_installation
from tests.issuer import CANARY, FakeIssuer, Turn
from tests.sign_ins.house import House


@pytest.fixture
def issuer():
    with FakeIssuer() as issuer:
        yield issuer
        issuer.assert_gentle()


@pytest.fixture
def house(tmp_path, codex, issuer, made_instance):
    with open_installation(
        tmp_path, codex, template=made_instance, QUOTA_AUTH_URL=issuer.url
    ) as installation:
        yield House(installation, issuer)


def renew(house, name="alice", after=61):
    house.installation.now += after
    ran = house.installation.run("accounts", "renew", name)
    assert CANARY not in ran.output
    return ran.exit_code, ran.output.strip()


def test_a_renewed_sign_in_says_until_when(house, issuer):
    house.sign_in()

    assert renew(house) == (0, "alice: renewed; it ends 2026-12-01 20:01:01 CST")
    assert issuer.is_current(house.refresh_token())


def test_nothing_to_renew_is_1(house):
    house.paste()

    assert renew(house) == (1, "alice: has nothing that is renewed here; sign in")
    assert renew(house, "nobody") == (1, "nobody: unknown account")


def test_not_reached_is_2(house, issuer):
    house.sign_in()
    issuer.stop()

    assert renew(house) == (2, "alice: not renewed: connection refused; nothing is lost")


def test_everything_else_is_3(house, issuer):
    house.sign_in()
    issuer.plays(Turn(status=429, body={}), Turn(drop=True))

    assert renew(house) == (3, "alice: not renewed: http_429; nothing is lost")
    assert renew(house, after=0) == (
        3,
        "alice: nothing was sent: one renewal a minute; the next may begin at "
        "2026-11-21 20:02:01 CST",
    )
    status, line = renew(house)
    assert (status, line.partition(";")[0]) == (
        3,
        "alice: no usable answer: connection closed by the other side",
    )
    assert renew(house)[0] == 3
    assert issuer.calls == 2


def test_the_list_shows_how_each_renewal_stands(house):
    house.sign_in("alice", 1)
    house.paste("bob", 2)
    house.installation.file("carol")

    shown = house.installation.run("accounts", "list").output
    rows = {line.split()[0]: line for line in shown.splitlines()}
    assert rows["alice"].endswith("own, on")
    assert rows["bob"].endswith("copy, off")
    assert rows["carol"].endswith("file")
    listed = json.loads(house.installation.run("accounts", "list", "--json").output)["accounts"]
    told = {one["account"]: one["credentials"] for one in listed}
    assert (told["alice"]["kind"], told["alice"]["renewal"]["state"]) == ("own", "on")
    assert told["bob"]["renewal"]["sign_in_by"] == told["bob"]["access_ends_at"]


def test_renewal_is_switched_on_and_off(house, issuer):
    house.paste()

    on = house.installation.run("accounts", "renewal", "alice", "on")
    assert (on.exit_code, on.output) == (
        0,
        "alice: renewed from now on; let nothing else use this sign-in\n",
    )
    assert renew(house)[0] == 0
    off = house.installation.run("accounts", "renewal", "alice", "off")
    assert off.output == "alice: not renewed any more\n"
    assert renew(house)[0] == 1
    assert issuer.calls == 1


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_is_renewed_loses_no_token(house, issuer, kind):
    issuer.now = lambda: int(time.time())
    house.installation.now = int(time.time())
    house.sign_in()
    held = threading.Event()
    issuer.plays(Turn(hold=held))
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "quota", "accounts", "renew", "alice"],
        env=house.installation.process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up_at = time.monotonic() + 30
    while not issuer.calls:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    process.send_signal(kind)
    threading.Timer(0.3, held.set).start()
    out, error = process.communicate(timeout=30)

    assert process.returncode == 0, error
    assert out.startswith("alice: renewed")
    assert issuer.is_current(house.refresh_token())
    assert CANARY not in out + error


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_where_locks_are_held_waits_for_them_elsewhere(house, monkeypatch, capsys, kind):
    held, hurried, before = threading.Lock(), threading.Event(), signal.getsignal(kind)

    def hurry(_client, _seconds):
        assert held.acquire(timeout=30), "whoever holds it waits for the signal's handler"
        hurried.set()

    def renew_now(_renewals, name):
        with held:
            signal.raise_signal(kind)
        assert hurried.wait(30)
        return Pressed(name, Press.HELD)

    # Made at first use: by then it is there.
    assert house.installation.services.oauth is not None
    monkeypatch.setattr(OAuthClient, "hurry", hurry)
    monkeypatch.setattr(renewal_service, "renew_now", renew_now)

    assert sign_in_renewal.renew(house.installation.services, "alice", "test") == 3
    assert house.installation.services.stop.is_set()
    assert "a renewal is under way" in capsys.readouterr().err
    assert signal.getsignal(kind) == before
