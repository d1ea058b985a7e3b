"""Signing in to ChatGPT on the page: by a code and by a link, seen by the session that began it
alone.
"""

import re
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.renewal_policy import CredentialKind
from quota_web.services import services
from quota_web.sign_ins import signing_in
from tests.browser import Browser, make_app, make_token
from tests.fakes import NOW
from tests.issuer import CANARY, FakeIssuer, Turn

pytestmark = pytest.mark.usefixtures("database")
MINUTES_15 = 900


@pytest.fixture
def issuer():
    with FakeIssuer() as issuer:
        yield issuer
        issuer.assert_gentle()


@pytest.fixture
def app(instance_dir, issuer):
    return make_app(instance_dir, QUOTA_AUTH_URL=issuer.url)


@pytest.fixture
def browser(app):
    return Browser(app).signed_in()


def begun(browser, method="device", **fields):
    answer = browser.post("/auth/sign-in", method=method, **fields)
    assert answer.status_code == 303, re.sub(r"<[^>]+>", " ", answer.text)
    return answer.headers["Location"]


def state(browser, page):
    return browser.get(page.replace("/auth/", "/api/")).get_json()


def polled(browser, at=NOW + 10):
    """What the schedule does at that moment."""
    with browser.client.application.app_context(), clock.frozen(at):
        signing_in.work(at)


@contextmanager
def at(moment=NOW):
    with clock.frozen(moment):
        yield


def stored(browser, number):
    with browser.client.application.app_context(), store.database.reading() as conn:
        return store.sign_ins.get(conn, number)


def credential(browser, name):
    with browser.client.application.app_context(), store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name)
        return found, store.credentials.get_by_ids(conn, [found.id])[found.id]


def test_a_code_that_is_approved_makes_an_account_of_its_own(browser, issuer):
    with at():
        page = begun(browser, name="alice")
        shown = browser.get(page).text
        code = state(browser, page)["user_code"]
    assert code in shown
    assert "https://auth.openai.com/codex/device" in shown
    assert "Never enter a code that somebody else gave you" in shown

    polled(browser)
    assert state_at(browser, page)["state"] == "waiting"
    issuer.decide(code, "approved")
    polled(browser, NOW + 20)

    assert state_at(browser, page) == {
        "state": "done",
        "user_code": None,
        "url": None,
        "expires_at": "2026-11-21T12:15:00Z",
        "account": "alice",
        "code": None,
    }
    found, held = credential(browser, "alice")
    assert held.kind == CredentialKind.OWN
    assert found.requested_at == NOW + 20
    assert "Signed in." in browser.get(page).text
    assert CANARY not in browser.get(page).text


def state_at(browser, page, moment=NOW + 30):
    with at(moment):
        return state(browser, page)


def test_a_declined_and_a_late_code_end(browser, issuer):
    with at():
        declined, late = begun(browser, name="alice"), begun(browser, name="bob")
        issuer.decide(state(browser, declined)["user_code"], "denied")
    polled(browser)
    assert state_at(browser, declined)["state"] == "declined"
    assert state_at(browser, late)["state"] == "waiting"

    polled(browser, NOW + MINUTES_15)
    assert state_at(browser, late, NOW + MINUTES_15)["state"] == "expired"
    assert "Start again" in browser.get(late).text


def test_a_link_is_gone_on_with_by_the_address_at_its_end(browser, issuer):
    with at():
        page = begun(browser, "link", name="alice")
        address = state(browser, page)["url"]
        query = parse_qs(urlsplit(address).query)
        issuer.grant("ac_link", account_id="acct-9", user_id="user-9")
        wrong = browser.post(f"{page}/callback", url=address)
        assert (wrong.status_code, "paste the address you land on" in wrong.text) == (422, True)
        foreign = browser.post(f"{page}/callback", url="code=ac_link&state=other")
        assert "from another sign-in" in foreign.text

        end = f"http://localhost:1455/auth/callback?code=ac_link&state={query['state'][0]}"
        assert browser.post(f"{page}/callback", url=end).status_code == 303
        assert state(browser, page)["state"] == "done"
    assert credential(browser, "alice")[0].chatgpt_account_id == "acct-9"
    sent = issuer.bodies[-1]
    assert sent["redirect_uri"] == "http://localhost:1455/auth/callback"
    assert sent["code_verifier"]


def test_an_account_that_is_here_becomes_its_own_and_keeps_its_name(browser, issuer):
    with at():
        first = begun(browser, name="alice")
        issuer.decide(state(browser, first)["user_code"], "approved")
    polled(browser)
    before, _ = credential(browser, "alice")
    with at(NOW + 60):
        again = begun(browser, account="alice", name="ignored")
        issuer.decide(state(browser, again)["user_code"], "approved")
    polled(browser, NOW + 70)
    assert state_at(browser, again, NOW + 80)["account"] == "alice"
    assert credential(browser, "alice")[0].id == before.id


def test_another_login_is_offered_as_an_account_of_its_own(browser, issuer):
    with at():
        first = begun(browser, name="alice")
        issuer.decide(state(browser, first)["user_code"], "approved")
    polled(browser)
    with at(NOW + 60):
        again = begun(browser, account="alice")
        code = state(browser, again)["user_code"]
        issuer.decide(code, "approved", account_id="acct-2", user_id="user-2")
    polled(browser, NOW + 70)
    assert state_at(browser, again, NOW + 80)["state"] == "other_identity"
    assert credential(browser, "alice")[0].chatgpt_account_id == "acct-1"

    with at(NOW + 80):
        assert "Add it as a new account?" in browser.get(again).text
        assert browser.post(f"{again}/add", name="alice").status_code == 422
        assert browser.post(f"{again}/add", name="bob").status_code == 303
    assert credential(browser, "bob")[0].chatgpt_account_id == "acct-2"
    assert state_at(browser, again, NOW + 90)["account"] == "bob"


def test_a_lost_answer_means_to_start_again_and_sends_nothing_twice(browser, issuer):
    with at():
        page = begun(browser, name="alice")
        issuer.decide(state(browser, page)["user_code"], "approved")
    issuer.plays(Turn(after="drop"))
    polled(browser)
    polled(browser, NOW + 20)

    found = state_at(browser, page)
    assert (found["state"], found["code"]) == ("failed", "no_answer")
    assert issuer.paths.count("/oauth/token") == 1
    assert "a code works once" in browser.get(page).text


def test_an_exchange_whose_process_died_ends_after_a_minute(browser, issuer):
    with at():
        page = begun(browser, name="alice")
    number = int(page.rpartition("/")[2])
    with browser.client.application.app_context(), store.database.transaction() as tx:
        assert store.sign_ins.claim_exchange(tx, number, 7, NOW)
    polled(browser, NOW + 30)
    assert state_at(browser, page)["state"] == "waiting"
    polled(browser, NOW + 61)
    assert state_at(browser, page, NOW + 62)["code"] == "answer_lost"


def test_two_processes_poll_once(browser, issuer):
    with at():
        page = begun(browser, name="alice")
    number = int(page.rpartition("/")[2])
    with browser.client.application.app_context():
        for _ in range(2):
            signing_in.poll(services(), number, NOW + 10)
    assert issuer.paths.count("/api/accounts/deviceauth/token") == 1


def test_other_sessions_and_programs_learn_nothing(app, browser, issuer):
    other = Browser(app).signed_in()
    assert other.post("/auth/sign-in/1/cancel").status_code == 404
    with at():
        page = begun(browser, name="alice")
        paths = (page, page.replace("/auth/", "/api/"))
        assert [other.get(path).status_code for path in paths] == [404, 404]
        for header in (make_token(app, "a"), make_token(app, "b", write=True)):
            client = app.test_client()
            assert [client.get(path, headers=header).status_code for path in paths] == [403, 403]
            assert client.post("/auth/sign-in", headers=header).status_code == 403
        assert browser.post(f"{page}/cancel").status_code == 303
        assert state(browser, page)["code"] == "cancelled"


def test_nobody_signs_in_where_anybody_may_look(instance_dir, issuer):
    app = make_app(instance_dir, QUOTA_AUTH_URL=issuer.url, QUOTA_AUTH="off")
    assert app.test_client().get("/auth/sign-in").status_code == 403


def test_three_may_be_open_and_ten_an_hour_be_begun(browser, issuer):
    with at():
        pages = [begun(browser, name=f"account {number}") for number in range(3)]
        refused = browser.post("/auth/sign-in", method="device", name="one more")
        assert (refused.status_code, "Too many sign-ins" in refused.text) == (422, True)
        for number in range(7):
            browser.post(f"{pages[-1]}/cancel")
            pages.append(begun(browser, name=f"later {number}"))
        browser.post(f"{pages[-1]}/cancel")
        assert browser.post("/auth/sign-in", method="link", name="x").status_code == 422
    with at(NOW + 3_601):
        begun(browser, "link", name="x")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "give the account a name"),
        ({"name": "a/b"}, "/"),
        ({"name": "alice", "method": "guess"}, "choose how"),
    ],
)
def test_bad_input_begins_nothing(browser, issuer, fields, words):
    answer = browser.post("/auth/sign-in", **{"method": "device", **fields})
    assert (answer.status_code, words in answer.text) == (422, True)
    assert issuer.paths == []


def test_a_service_that_cannot_be_reached_says_so(instance_dir):
    browser = Browser(make_app(instance_dir, QUOTA_AUTH_URL="http://127.0.0.1:9")).signed_in()
    answer = browser.post("/auth/sign-in", method="device", name="alice")
    assert (answer.status_code, "cannot be reached" in answer.text) == (422, True)


def test_a_page_without_a_script_looks_again_by_itself(browser, issuer):
    with at():
        page = begun(browser, name="alice")
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in (
            browser.get(page).text
        )


def test_secrets_are_sealed_and_go_with_the_outcome(browser, issuer):
    with at():
        page = begun(browser, name="alice")
    number = int(page.rpartition("/")[2])
    row = stored(browser, number)
    assert row is not None
    assert row.device_sealed is not None
    assert b"deviceauth_" not in row.device_sealed
    browser.post(f"{page}/cancel")
    row = stored(browser, number)
    assert row is not None
    assert row.device_sealed is None
