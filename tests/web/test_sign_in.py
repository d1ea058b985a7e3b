"""The pages of signing in and out, and of the first start."""

from typing import Any

import pytest

from quota_web import store
from quota_web.auth import login, passwords, throttle
from quota_web.core import clock
from tests.browser import CHEAP, PASSWORD, Browser, first_start, make_app, make_token
from tests.fakes import NOW

BASE = "http://localhost:8081"


def link_code(app) -> str:
    with app.app_context():
        link = login.setup_link(login.LoginContext(app.config["SETTINGS"], CHEAP), BASE, NOW)
    return (link or "").partition("#setup=")[2]


def choose(browser: Browser, code: str, password: str = PASSWORD, again: str = PASSWORD):
    return browser.post("/login", code=code, password=password, password_again=again)


def test_the_form_asks_for_the_password(instance_dir):
    answer = Browser(make_app(instance_dir)).get("/login?next=/settings")

    assert answer.status_code == 200
    assert 'name="password"' in answer.text
    assert 'name="next" value="/settings"' in answer.text
    assert 'name="csrf_token"' in answer.text
    assert "Sign out" not in answer.text


def test_the_right_password_opens_the_door(instance_dir):
    browser = Browser(make_app(instance_dir))

    answer = browser.sign_in()

    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.may_look()
    assert "Sign out" in browser.get("/settings").text


def test_a_wrong_password_does_not(instance_dir):
    browser = Browser(make_app(instance_dir))

    answer = browser.sign_in("wrong password")

    assert answer.status_code == 401
    assert "That is not the password." in answer.text
    assert "wrong password" not in answer.text.replace("That is not the password.", "")
    assert not browser.may_look()


@pytest.mark.parametrize("password", ["", "x" * 5000, "\x00", "é" * 20])
def test_odd_passwords_are_just_wrong(instance_dir, password):
    assert Browser(make_app(instance_dir)).sign_in(password).status_code == 401


@pytest.mark.parametrize("settings", [{}, {"QUOTA_PASSWORD": PASSWORD}], ids=["stored", "fixed"])
@pytest.mark.parametrize("accents", [1_000, 200_000])
def test_a_password_of_accents_is_refused_before_it_is_normalised(
    instance_dir, normalised, settings, accents
):
    answer = Browser(make_app(instance_dir, **settings)).sign_in("a" + "\u0301\u0323" * accents)

    assert answer.status_code in (401, 413)
    assert max(normalised, default=0) <= passwords.MAX_LENGTH


@pytest.mark.parametrize("field", ["code", "password", "password_again", "next"])
def test_at_the_first_start_no_field_is_longer_than_a_person_types(instance_dir, normalised, field):
    app = first_start(instance_dir)
    said: dict[str, Any] = {
        "code": link_code(app),
        "password": PASSWORD,
        "password_again": PASSWORD,
        field: "a" + "\u0301\u0323" * 1_000,
    }

    answer = Browser(app).post("/login", **said)

    assert answer.status_code == (303 if field == "next" else 422)
    assert max(normalised, default=0) <= passwords.MAX_LENGTH


def test_a_form_without_a_password_is_just_wrong(instance_dir):
    assert Browser(make_app(instance_dir)).post("/login").status_code == 401


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/accounts/alice?range=7d", "/accounts/alice?range=7d"),
        ("", "/"),
        ("//x.example", "/"),
        ("https://x.example/", "/"),
        ("/\\x.example", "/"),
    ],
)
def test_one_gets_where_one_wanted_within_the_app(instance_dir, target, location):
    assert Browser(make_app(instance_dir)).sign_in(next=target).location == location


def test_a_hostile_next_is_not_repeated_in_the_form(instance_dir):
    answer = Browser(make_app(instance_dir)).get("/login?next=https://x.example/%22%3E%3Cscript%3E")

    assert "x.example" not in answer.text


def test_who_is_signed_in_needs_no_form(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    assert browser.get("/login").location == "/"
    assert browser.get("/login?next=/settings").location == "/settings"


def test_too_many_guesses_are_told_when_to_try_again(instance_dir):
    app = make_app(instance_dir)
    with clock.frozen(NOW):
        browser = Browser(app)
        for _ in range(throttle.PER_MINUTE):
            browser.sign_in("wrong password")
        answer = browser.sign_in()

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "Too many wrong passwords" in answer.text
    with clock.frozen(NOW + 60):
        assert browser.sign_in().status_code == 303


def test_signing_out_ends_the_session(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.post("/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert not browser.may_look()


def test_a_stranger_cannot_end_sessions(instance_dir):
    app = make_app(instance_dir)
    browser = Browser(app).signed_in()

    assert Browser(app).post("/logout").location == "/login"
    assert app.test_client().post("/logout", headers=make_token(app, write=True)).status_code == 403
    assert browser.may_look()


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/login"), ("DELETE", "/login"), ("GET", "/logout")]
)
def test_other_methods_are_refused(instance_dir, method, path):
    assert Browser(make_app(instance_dir)).client.open(path, method=method).status_code == 405


# The first start


def test_at_the_first_start_everything_is_closed_but_the_set_up(instance_dir):
    browser = Browser(first_start(instance_dir))

    assert browser.get("/").location == "/login"
    assert browser.get("/api/results").status_code == 401
    assert browser.get("/healthz").status_code == 200
    assert 'name="code"' in browser.get("/login").text


def test_the_holder_of_the_link_chooses_the_password_and_is_in(instance_dir):
    app = first_start(instance_dir)
    browser, code = Browser(app), link_code(app)

    answer = choose(browser, code)

    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.may_look()
    assert 'name="code"' not in Browser(app).get("/login").text
    assert Browser(app).sign_in().status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "told"),
    [
        ("short", "short", "At least 12 characters"),
        ("x" * 12, "y" * 12, "The two are not the same"),
        ("x" * 1001, "x" * 1001, "At most 1000 characters"),
    ],
)
def test_an_unusable_password_is_told_and_the_code_stays_good(instance_dir, password, again, told):
    app = first_start(instance_dir)
    browser, code = Browser(app), link_code(app)

    answer = choose(browser, code, password, again)

    assert answer.status_code == 422
    assert told in answer.text
    assert password not in answer.text.replace(told, "")
    assert choose(browser, code).status_code == 303


@pytest.mark.parametrize("code", ["", "wrong", "A" * 43])
def test_a_wrong_code_sets_nothing(instance_dir, code):
    app = first_start(instance_dir)
    link_code(app)
    browser = Browser(app)

    answer = choose(browser, code)

    assert answer.status_code == 422
    assert "That is not the code of the link." in answer.text
    assert not browser.may_look()


def test_a_used_code_is_worth_nothing(instance_dir):
    app = first_start(instance_dir)
    code = link_code(app)
    choose(Browser(app), code)

    answer = choose(Browser(app), code, "another long password", "another long password")

    assert answer.status_code == 401
    assert Browser(app).sign_in().status_code == 303


def test_too_many_codes_are_told_when_to_try_again(instance_dir):
    app = first_start(instance_dir)
    browser = Browser(app)

    answers = [choose(browser, "wrong") for _ in range(throttle.PER_MINUTE + 1)]

    assert answers[-1].status_code == 429
    assert "Too many wrong codes" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_with_a_fixed_password_there_is_no_set_up(instance_dir):
    app = first_start(instance_dir, QUOTA_PASSWORD="given by setting")

    assert 'name="code"' not in Browser(app).get("/login").text
    assert Browser(app).sign_in("given by setting").status_code == 303


# Other ways of signing in


def test_where_the_sign_in_is_off_there_is_nothing_to_sign_in_to(instance_dir):
    browser = Browser(make_app(instance_dir, QUOTA_AUTH="off"))

    assert browser.get("/").status_code == 200
    assert "Sign out" not in browser.get("/").text
    assert browser.get("/login?next=//x.example").location == "/"
    assert browser.client.get("/settings").status_code == 403


def test_where_a_proxy_signs_people_in_it_alone_does(instance_dir):
    app = make_app(instance_dir, QUOTA_AUTH="proxy", QUOTA_TRUSTED_PROXIES="127.0.0.1")
    browser = Browser(app)

    assert browser.get("/").location == "/login"
    assert browser.get("/login").status_code == 401
    assert "Remote-User" in browser.get("/login").text
    assert "maria" in browser.get("/", Remote_User="maria").text
    assert "Sign out" not in browser.get("/", Remote_User="maria").text
    assert browser.get("/login?next=/auth", Remote_User="maria").location == "/auth"


def test_the_audit_tells_of_every_try_and_no_secret(instance_dir):
    app = first_start(instance_dir)
    code = link_code(app)
    choose(Browser(app), "wrong")
    choose(Browser(app), code)
    browser = Browser(app, REMOTE_ADDR="192.0.2.1")
    browser.sign_in("wrong password")
    browser.signed_in().post("/logout")

    with app.app_context(), store.database.reading() as conn:
        told = store.audit_log.newest(conn)

    assert [event.kind for event in reversed(told)] == [
        "setup_link_made", "setup_code_refused", "password_set", "sign_in_failed", "signed_in",
        "signed_out",
    ]  # fmt: skip
    assert told[2].data == {"address": "192.0.2.1"}
    assert not any(secret in repr(told) for secret in (code, PASSWORD, "wrong password"))
