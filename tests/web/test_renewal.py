"""The renewal's buttons and words on an account's page and on the list of accounts."""

import re

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.services import services
from quota_web.sign_ins import own_credentials
from tests.browser import Browser, make_app, make_token
from tests.fakes import NOW
from tests.issuer import CANARY, FakeIssuer, Turn
from tests.sign_ins.house import credentials_of

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def issuer():
    with FakeIssuer() as issuer:
        yield issuer
        issuer.assert_gentle()


@pytest.fixture
def app(instance_dir, issuer, database):
    app = make_app(instance_dir, QUOTA_AUTH_URL=issuer.url, **database)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        with store.database.transaction() as tx:
            found = credentials_of(issuer.sign_in())
            own_credentials.store_own(tx, services().cipher, "alice", found, NOW, "test")
    return app


@pytest.fixture
def browser(app):
    with clock.frozen(NOW):
        yield Browser(app).signed_in()


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def press(browser, **fields):
    answer = browser.post("/auth/renew", **{"name": "alice", **fields})
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/accounts/alice#credentials")
    return text(browser.get("/accounts/alice"))


def test_the_page_says_when_it_is_renewed_and_has_the_button(browser):
    page = text(browser.get("/accounts/alice"))

    assert "Renewed by itself, next about" in page
    assert "Renew now" in page
    assert CANARY not in browser.get("/accounts/alice").text
    assert "renewed by itself" in text(browser.get("/auth"))


def test_the_button_renews_and_says_so_and_within_the_minute_says_when(browser, issuer):
    assert "alice: renewed." in press(browser)
    assert issuer.calls == 1

    again = press(browser)

    assert issuer.calls == 1
    assert "nothing was sent: one renewal a minute; the next may begin at" in again


def test_a_lost_answer_is_told_with_what_to_do(browser, issuer):
    issuer.plays(Turn(drop=True))

    page = press(browser)

    assert "no usable answer: connection closed by the other side" in page
    assert "It is not known whether the last renewal arrived" in page
    assert "Sign in again by" in page
    assert "Renew now" not in page


def test_the_switch_needs_the_tick(browser, issuer):
    off = browser.post("/auth/renewal", name="alice")
    assert off.status_code == 303
    page = text(browser.get("/accounts/alice"))
    assert "alice is not renewed any more." in page
    assert "Nothing else uses this sign-in" in page

    refused = browser.post("/auth/renewal", name="alice", on="1")
    assert refused.status_code == 422
    assert "tick the box" in text(refused)

    done = browser.post("/auth/renewal", name="alice", on="1", alone="1")
    assert done.status_code == 303
    assert "alice is renewed from now on." in text(browser.get("/accounts/alice"))


def test_a_form_for_another_account_of_that_name_sends_nothing(browser, issuer):
    assert browser.post("/auth/renew", name="alice", id="4711").status_code == 409
    assert browser.post("/auth/renew", name="bob").status_code == 404
    assert browser.post("/auth/renew").status_code in (400, 422)
    assert issuer.calls == 0


def test_no_api_token_renews(app, issuer):
    header = make_token(app, write=True)
    with clock.frozen(NOW):
        answer = app.test_client().post("/auth/renew", data={"name": "alice"}, headers=header)

    assert answer.status_code == 403
    assert issuer.calls == 0


def test_the_page_is_said_in_chinese_too(browser):
    page = text(browser.get("/accounts/alice", Accept_Language="zh-CN"))

    assert "自动续期，下次大约在" in page
    assert "立即续期" in page
