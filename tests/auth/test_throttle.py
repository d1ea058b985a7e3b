"""The brake on guessing, within one process and across several."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from quota_web.auth import login, throttle
from quota_web.auth.login import NewPassword
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import TooManyTries
from tests.browser import PASSWORD, failures, gate_of, make_app
from tests.fakes import NOW

HERE, THERE = "192.0.2.1", "198.51.100.7"
NEW = "another long password"


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        yield app


def guess(address: str, now: int) -> bool:
    try:
        throttle.record(address, now)
    except TooManyTries:
        return False
    return True


def test_an_address_has_five_guesses_a_minute(app):
    assert [guess(HERE, NOW + i) for i in range(6)] == [True] * 5 + [False]
    with pytest.raises(TooManyTries) as raised:
        throttle.record(HERE, NOW + 6)
    assert raised.value.retry_after == 54
    assert guess(HERE, NOW + 60)


def test_an_address_has_twenty_guesses_an_hour(app):
    assert [guess(HERE, NOW + 20 * i) for i in range(20)] == [True] * 20

    with pytest.raises(TooManyTries) as raised:
        throttle.record(HERE, NOW + 400)

    assert raised.value.retry_after == 3200
    assert guess(HERE, NOW + 3600)


def test_a_refused_guess_does_not_lengthen_the_wait(app):
    for i in range(50):
        guess(HERE, NOW + i)

    assert guess(HERE, NOW + 60)


def test_somebody_else_is_let_in_while_one_guesses(app):
    for i in range(200):
        guess(HERE, NOW + i % 60)

    assert login.sign_in(gate_of(app), PASSWORD, THERE, NOW + 60) is not None


def test_all_addresses_together_have_a_hundred_an_hour(app):
    done = [guess(f"10.{i // 250}.{i % 250}.1", NOW) for i in range(300)]

    assert sum(done) == throttle.ALL_PER_HOUR
    with pytest.raises(TooManyTries) as raised:
        throttle.record(THERE, NOW + 1)
    assert raised.value.retry_after == 3599


def test_the_host_opens_the_way_again(app):
    for i in range(120):
        guess(f"10.0.{i}.1", NOW)

    login.set_password(gate_of(app), NewPassword(NEW), NOW, "command line")

    assert login.sign_in(gate_of(app), NEW, THERE, NOW) is not None


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "local"),
        ("", "local"),
        ("localhost", "localhost"),
        ("x" * 100, "x" * 64),
    ],
)
def test_guesses_are_counted_by_what_one_subscriber_has(address, key):
    assert throttle.address_key(address) == key


def test_a_clock_that_was_ahead_locks_nobody_out(app):
    for _ in range(throttle.PER_MINUTE):
        guess(HERE, NOW + 400 * 86_400)

    # The first guess afterwards still waits, at most as long as its window; from another address
    # the stale ones are swept away.
    with pytest.raises(TooManyTries) as raised:
        throttle.record(HERE, NOW)
    assert raised.value.retry_after <= 60
    assert guess(THERE, NOW)
    assert guess(HERE, NOW)


def test_right_passwords_use_nothing_up(app):
    for _ in range(50):
        assert login.sign_in(gate_of(app), PASSWORD, HERE, NOW) is not None
    assert failures() == 0


def test_a_burst_of_threads_gets_no_more_guesses(app):
    def one(_):
        with app.app_context():
            return guess(HERE, NOW)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(64))) == throttle.PER_MINUTE


#: Loads the program once and becomes several processes, which all guess at the same moment.
GUESSERS = """
import os, sys
from quota_web import config
from quota_web.auth import throttle
from quota_web.core.errors import DatabaseBusy, TooManyTries
from quota_web.factory import create_app
folder, address, now, url = sys.argv[1:]
variables = {"QUOTA_INSTANCE_DIR": folder, "QUOTA_ACCOUNT_DIR": folder, "QUOTA_DATABASE_URL": url}
app = create_app(config.load(variables), pages=False)
with app.app_context():
    throttle.check(address, int(now))
for process in range(4):
    if os.fork():
        continue
    counted = 0
    with app.app_context():
        for i in range(30):
            try:
                throttle.record(address, int(now))
                counted += 1
            except (DatabaseBusy, TooManyTries):
                pass
    os.write(1, b"%d\\n" % counted)
    os._exit(0)
for process in range(4):
    assert os.wait()[1] == 0
"""


def test_several_processes_share_the_brake(app, instance_dir, database):
    arguments = [str(instance_dir), HERE, str(NOW), database.get("QUOTA_DATABASE_URL", "")]

    done = subprocess.run(
        [sys.executable, "-c", GUESSERS, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )

    counted = [int(line) for line in done.stdout.splitlines()]
    assert (len(counted), sum(counted)) == (4, throttle.PER_MINUTE)
