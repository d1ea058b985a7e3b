"""The session cookie: how long it lasts, what ends it, and what it is good for in other hands."""

import pytest
from flask import Flask

from quota_web import config
from quota_web.core import clock
from quota_web.factory import create_app
from quota_web.web.sessions import LIFETIME_S, KeySessions
from tests.browser import Browser, first_start, make_app
from tests.fakes import NOW


def test_the_cookie_is_hidden_from_scripts_and_other_sites(instance_dir):
    cookie = Browser(make_app(instance_dir)).sign_in().headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie


def test_on_https_the_cookie_is_secure(instance_dir):
    assert (
        "Secure"
        in Browser(make_app(instance_dir), base="https://localhost").sign_in().headers["Set-Cookie"]
    )


def test_a_session_lasts_thirty_days_from_its_last_use(instance_dir):
    app = make_app(instance_dir)
    with clock.frozen(NOW):
        browser = Browser(app).signed_in()
    with clock.frozen(NOW + LIFETIME_S - 60):
        assert browser.may_look()
    with clock.frozen(NOW + 2 * LIFETIME_S - 120):
        assert browser.may_look()
    with clock.frozen(NOW + 3 * LIFETIME_S):
        assert not browser.may_look()


def test_the_cookie_is_renewed_hourly_not_always(instance_dir):
    app = make_app(instance_dir)
    with clock.frozen(NOW):
        browser = Browser(app).signed_in()
    for after, is_set in ((60, False), (3600, True), (3660, False)):
        with clock.frozen(NOW + after):
            assert ("Set-Cookie" in browser.get("/api/results").headers) is is_set


def test_a_copied_cookie_is_worthless_after_the_sign_out(instance_dir):
    app = make_app(instance_dir)
    browser, thief = Browser(app).signed_in(), Browser(app)
    thief.take(browser.cookie())
    assert thief.may_look()

    browser.post("/logout")

    assert not thief.may_look()


def test_sessions_end_when_the_fixed_password_changes(instance_dir):
    cookie = None
    for password, may_look in (
        ("first password", None),
        ("first password", True),
        ("second password", False),
    ):
        browser = Browser(make_app(instance_dir, QUOTA_PASSWORD=password))
        if cookie is None:
            browser.sign_in(password)
            cookie = browser.cookie()
            continue
        browser.take(cookie)
        assert browser.may_look() is may_look


def test_an_older_key_still_opens_cookies(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()
    cookie = browser.cookie()
    key = instance_dir / "secret.key"
    key.write_text(f"{'n' * 40}\n{key.read_text()}")

    after = Browser(first_start(instance_dir))
    after.take(cookie)

    assert after.may_look()


@pytest.mark.parametrize("key", ["", "secret", "dev", "changeme", "QUOTA_SECRET_KEY", "0" * 32])
def test_a_cookie_signed_with_a_guessed_key_counts_nothing(instance_dir, key):
    app, forger = make_app(instance_dir), Flask("forger")
    forger.secret_key = key or "x"
    serializer = KeySessions().get_signing_serializer(forger)
    assert serializer is not None
    browser = Browser(app)
    browser.take(serializer.dumps({"signed_in": True, "epoch": 1, "seen": NOW}))

    assert not browser.may_look()


def test_signing_in_drops_what_the_cookie_held_before(instance_dir):
    browser = Browser(make_app(instance_dir))
    browser.get("/login")
    with browser.client.session_transaction(base_url="http://localhost") as before:
        before["planted"] = "by somebody else"
        token = before["csrf_token"]

    browser.signed_in()

    with browser.client.session_transaction(base_url="http://localhost") as after:
        assert "planted" not in after
        assert after.get("csrf_token") != token


@pytest.mark.parametrize(
    "odd", [{"epoch": "1"}, {"epoch": None}, {"seen": None}, {"seen": "now"}, {"signed_in": False}]
)
def test_a_session_that_lacks_something_counts_nothing(instance_dir, odd):
    browser = Browser(make_app(instance_dir)).signed_in()
    with browser.client.session_transaction(base_url="http://localhost") as session:
        session.update(odd)

    assert not browser.may_look()


def test_making_the_app_touches_no_disk(tmp_path):
    make = tmp_path / "not made"
    create_app(config.load({"QUOTA_INSTANCE_DIR": str(make), "QUOTA_ACCOUNT_DIR": str(tmp_path)}))

    assert not make.exists()
