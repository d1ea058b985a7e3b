"""The settings page: the password and the API tokens."""

import re
from typing import Any

import pytest

from quota_web import store
from quota_web.auth import throttle
from quota_web.core import clock
from tests.browser import PASSWORD, Browser, make_app, make_token
from tests.fakes import NOW

NEW = "another long password"
PROXY = {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture
def app(instance_dir):
    return make_app(instance_dir)


@pytest.fixture
def browser(app):
    return Browser(app).signed_in()


def change(browser: Browser, present: str = PASSWORD, new: str = NEW, again: str = NEW):
    return browser.post(
        "/settings/password", current_password=present, password=new, password_again=again
    )


def test_the_page_shows_both_forms(browser):
    answer = browser.get("/settings")

    assert answer.status_code == 200
    assert 'name="current_password"' in answer.text
    assert 'action="/settings/tokens"' in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/settings"),
        ("POST", "/settings/password"),
        ("POST", "/settings/tokens"),
        ("POST", "/settings/tokens/revoke"),
    ],
)
def test_strangers_and_tokens_stay_outside(app, method, path):
    assert app.test_client().open(path, method=method).location.startswith("/login")
    assert (
        app.test_client().open(path, method=method, headers=make_token(app, write=True)).status_code
        == 403
    )


@pytest.mark.parametrize(
    "path", ["/settings/password", "/settings/tokens", "/settings/tokens/revoke"]
)
def test_nothing_changes_by_looking(browser, path):
    assert browser.get(path).status_code == 405


# The password


def test_a_new_password_counts_at_once_and_ends_all_other_sessions(app, browser):
    other = Browser(app).signed_in()

    answer = change(browser)

    assert (answer.status_code, answer.location) == (303, "/settings")
    assert "The password is changed" in browser.get("/settings").text
    assert not other.may_look()
    assert Browser(app).sign_in().status_code == 401
    assert Browser(app).sign_in(NEW).status_code == 303


@pytest.mark.parametrize(
    ("present", "new", "again", "told"),
    [
        ("wrong password", NEW, NEW, "That is not the password."),
        ("", NEW, NEW, "That is not the password."),
        (PASSWORD, "short", "short", "At least 12 characters"),
        (PASSWORD, NEW, NEW + "x", "The two are not the same"),
        (PASSWORD, "", "", "At least 12 characters"),
    ],
)
def test_what_cannot_be_used_is_told_and_changes_nothing(app, browser, present, new, again, told):
    answer = change(browser, present, new, again)

    assert answer.status_code == 422
    assert told in answer.text
    assert not any(secret in answer.text for secret in (PASSWORD, NEW, "wrong password"))
    assert browser.may_look()
    assert Browser(app).sign_in().status_code == 303


def test_a_stolen_session_cannot_guess_the_password(app, browser):
    with clock.frozen(NOW):
        browser = Browser(app).signed_in()
        answers = [change(browser, "wrong password") for _ in range(throttle.PER_MINUTE + 1)]

    assert [answer.status_code for answer in answers] == [422] * throttle.PER_MINUTE + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert "Too many tries" in answers[-1].text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"QUOTA_PASSWORD": PASSWORD}, "QUOTA_PASSWORD sets it."),
        (PROXY, "The reverse proxy signs people in."),
    ],
)
def test_where_it_is_set_elsewhere_it_cannot_be_changed_here(instance_dir, settings, told):
    browser = Browser(make_app(instance_dir, **settings), HTTP_REMOTE_USER="maria")
    if "QUOTA_PASSWORD" in settings:
        browser.signed_in()

    page = browser.get("/settings").text

    assert told in page
    assert 'name="current_password"' not in page
    assert change(browser).status_code == 422


# API tokens


def create(browser: Browser, name: str, **more: Any) -> str:
    found = re.search(r"cq_[\w-]{43}", browser.post("/settings/tokens", name=name, **more).text)
    assert found is not None
    return found[0]


def test_a_token_is_shown_once_and_works(app, browser):
    token = create(browser, "prometheus")

    page = browser.get("/settings").text

    assert token not in page
    assert "prometheus" in page
    assert (
        app.test_client()
        .get("/api/results", headers={"Authorization": f"Bearer {token}"})
        .status_code
        == 200
    )
    assert (
        app.test_client()
        .post("/auth/pause", data={"name": "x"}, headers={"Authorization": f"Bearer {token}"})
        .status_code
        == 403
    )


def test_a_token_may_be_allowed_to_write(app, browser):
    token = create(browser, "nightly", write="1")

    assert "read and write" in browser.get("/settings").text
    assert (
        app.test_client()
        .post("/auth/pause", data={"name": "x"}, headers={"Authorization": f"Bearer {token}"})
        .status_code
        == 404
    )


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\tb", "taken"])
def test_a_token_without_a_name_of_its_own_is_refused(browser, name):
    create(browser, "taken")

    answer = browser.post("/settings/tokens", name=name, write="1")

    assert answer.status_code == 422
    assert 'id="token_name-error"' in answer.text
    assert "checked" in answer.text
    assert not re.search(r"cq_[\w-]{43}", answer.text)


def test_hostile_names_stay_text(browser):
    answer = browser.post("/settings/tokens", name='"><script>alert(1)</script>')

    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_revoked_token_is_gone(app, browser):
    token = create(browser, "prometheus")

    answer = browser.post("/settings/tokens/revoke", name="prometheus")

    assert (answer.status_code, answer.location) == (303, "/settings")
    assert "Token prometheus is revoked." in browser.get("/settings").text
    assert (
        app.test_client()
        .get("/api/results", headers={"Authorization": f"Bearer {token}"})
        .status_code
        == 401
    )


def test_revoking_what_is_not_there_is_told(browser):
    answer = browser.post("/settings/tokens/revoke", name="nobody")

    assert answer.status_code == 422
    assert "There is no token nobody." in answer.text


def test_the_last_use_is_shown(app, browser):
    token = create(browser, "prometheus")
    assert "never" in browser.get("/settings").text

    app.test_client().get("/api/results", headers={"Authorization": f"Bearer {token}"})

    assert "never" not in browser.get("/settings").text


def test_a_proxys_user_manages_tokens_under_his_name(instance_dir):
    app = make_app(instance_dir, **PROXY)
    create(Browser(app, HTTP_REMOTE_USER="maria"), "prometheus")

    with app.app_context(), store.database.reading() as conn:
        assert (store.audit_log.newest(conn)[0].kind, store.audit_log.newest(conn)[0].actor) == (
            "token_created",
            "user maria",
        )
