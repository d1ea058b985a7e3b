"""The owner gets in while others guess: whom we know has a pot of guesses of its own."""

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from quota_web import store
from quota_web.auth import login, throttle
from quota_web.core import clock
from quota_web.core.errors import TooManyTries
from quota_web.web import known_browsers, security
from quota_web.web.sessions import COOKIE
from tests.browser import PASSWORD, Browser, failures, first_start, gate_of, make_app
from tests.fakes import NOW

OWNER, STRANGER = "198.51.100.7", "203.0.113.9"
NEW = "another long password"
PROXIED = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with clock.frozen(NOW):
        yield app


def all_guess(app: Flask) -> None:
    """So many strangers guessed that no other may for an hour: stored at once, as one guess after
    the other takes long (below, `test_a_pot_of_ones_own…` lets them guess).
    """
    with app.app_context(), store.database.transaction() as tx:
        for i in range(throttle.ALL_PER_HOUR):
            store.auth.add_failure(tx, f"10.0.{i}.1", clock.now())


def status(
    app: Flask, address: str, password: str = PASSWORD, headers: dict[str, str] | None = None
) -> int:
    """What a browser without any cookie from *address* gets for its password."""
    return Browser(app, REMOTE_ADDR=address).sign_in(password, headers=headers).status_code


def test_a_stranger_waits_while_strangers_guess(app):
    all_guess(app)

    assert status(app, STRANGER) == 429


def test_a_browser_that_signed_in_before_gets_in_from_anywhere(app):
    browser = Browser(app, REMOTE_ADDR=OWNER).signed_in()
    browser.post("/logout")
    all_guess(app)
    browser.environ["REMOTE_ADDR"] = STRANGER

    assert browser.sign_in().status_code == 303


def test_an_address_that_somebody_signed_in_from_is_known_to_every_process(
    app, instance_dir, database
):
    assert status(app, OWNER) == 303
    all_guess(app)

    assert status(first_start(instance_dir, **database), OWNER) == 303
    with clock.frozen(NOW + throttle.KNOWN_FOR_S), app.app_context():
        assert not throttle.check(OWNER, NOW + throttle.KNOWN_FOR_S)


def test_only_so_many_addresses_are_known(app):
    with app.app_context():
        for i in range(throttle.MOST_KNOWN + 1):
            login.sign_in(gate_of(app), PASSWORD, f"192.0.2.{i}", NOW + i)
        known_now = [
            throttle.check(f"192.0.2.{i}", NOW + 99) for i in range(throttle.MOST_KNOWN + 1)
        ]

    assert known_now == [False] + [True] * throttle.MOST_KNOWN


def test_a_running_session_changes_its_password(app):
    browser = Browser(app, REMOTE_ADDR=OWNER).signed_in()
    browser.client.delete_cookie(known_browsers.COOKIE)
    all_guess(app)
    browser.environ["REMOTE_ADDR"] = STRANGER

    assert (
        browser.post(
            "/settings/password", current_password=PASSWORD, password=NEW, password_again=NEW
        ).status_code
        == 303
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_gets_in(app, address):
    all_guess(app)

    assert status(app, address) == 303


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto", "Via"]
)
def test_behind_a_proxy_on_this_machine_nobody_is_taken_for_it(app, header):
    all_guess(app)
    Browser(app, REMOTE_ADDR="127.0.0.1").get("/login", **{header.replace("-", "_"): "203.0.113.9"})

    assert status(app, "127.0.0.1") == 429


def test_a_proxy_on_this_machine_is_remembered_by_every_process(app, instance_dir, database):
    all_guess(app)
    assert status(app, "127.0.0.1", headers=PROXIED) == 429

    fresh = first_start(instance_dir, **database)
    assert status(fresh, "127.0.0.1") == 429
    with clock.frozen(NOW + login.PROXY_KNOWN_FOR_S):
        all_guess(fresh)
        assert status(fresh, "127.0.0.1") == 303


def test_a_strangers_forwarded_header_takes_nothing_from_this_machine(app):
    all_guess(app)
    assert status(app, STRANGER, headers=PROXIED) == 429

    assert status(app, "127.0.0.1") == 303


@pytest.mark.parametrize("address", [STRANGER, "", "localhost", "/run/quota.sock"])
def test_who_comes_through_a_socket_or_from_elsewhere_is_not_this_machine(app, address):
    all_guess(app)

    assert status(app, address) == 429


def test_a_pot_of_ones_own_has_its_own_limit_and_takes_nothing_from_strangers(app):
    browser = Browser(app, REMOTE_ADDR=OWNER).signed_in()
    browser.post("/logout")

    tried = [browser.sign_in("wrong password").status_code for _ in range(throttle.PER_MINUTE + 1)]

    assert tried == [401] * throttle.PER_MINUTE + [429]
    with app.app_context():
        assert failures() == throttle.PER_MINUTE
        assert (
            sum(_may_guess(f"10.0.{i}.1") for i in range(throttle.ALL_PER_HOUR + 20))
            == throttle.ALL_PER_HOUR
        )


def _may_guess(address: str) -> bool:
    try:
        throttle.record(address, NOW)
    except TooManyTries:
        return False
    return True


@pytest.mark.parametrize(
    "value", ["", "x", "A" * 22, f"{'A' * 22}.{'B' * 43}", "x" * 3_000, "\u00e9"]
)
def test_a_made_up_cookie_makes_nobody_known(app, value):
    all_guess(app)
    browser = Browser(app, REMOTE_ADDR=STRANGER)
    browser.client.set_cookie(known_browsers.COOKIE, value, domain="localhost")

    assert browser.sign_in().status_code == 429


def known_cookies(answer: TestResponse) -> list[str]:
    return [
        line
        for line in answer.headers.getlist("Set-Cookie")
        if line.startswith(known_browsers.COOKIE)
    ]


def test_the_cookie_opens_nothing_and_is_hidden(app):
    browser = Browser(app).signed_in()
    (said,) = known_cookies(browser.post("/logout"))

    assert all(word in said for word in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="))
    assert not browser.may_look()
    assert browser.client.get_cookie(known_browsers.COOKIE) is not None


def test_it_comes_beside_no_sign_in_but_within_hours(app):
    browser = Browser(app)
    assert known_cookies(browser.sign_in()) == known_cookies(browser.get("/")) == []
    with clock.frozen(NOW + security.SEEN_EVERY_S):
        (said,) = known_cookies(browser.get("/"))

    # Unlike the session's, it lasts when the browser is not used for months.
    browser.client.delete_cookie(COOKIE)
    all_guess(app)
    browser.environ["REMOTE_ADDR"] = STRANGER
    assert "Max-Age=31536000" in said
    assert browser.sign_in().status_code == 303


def test_a_session_that_no_longer_counts_still_names_its_browser(app):
    browser = Browser(app, REMOTE_ADDR=OWNER).signed_in()
    with app.app_context():
        login.sign_out(NOW, "test")
    all_guess(app)
    browser.environ["REMOTE_ADDR"] = STRANGER

    assert browser.sign_in().status_code == 303


def test_a_browser_keeps_its_name_from_one_sign_in_to_the_next(app):
    browser = Browser(app).signed_in()
    said = []
    for _ in range(2):
        said += known_cookies(browser.post("/logout"))
        browser.signed_in()

    # The moment at which it ends goes on with the time.
    assert re.sub("Expires=[^;]+", "", said[0]) == re.sub("Expires=[^;]+", "", said[1])
