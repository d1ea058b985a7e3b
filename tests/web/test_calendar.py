"""The calendar over HTTP: for who is signed in, for a token, and for whoever has a share link."""

import logging
import re
import sqlite3
from contextlib import closing
from typing import Any

import icalendar
import pytest

from quota_web.core import clock
from quota_web.serving.logs import TextLines
from quota_web.web.sessions import COOKIE
from tests.browser import Browser
from tests.fakes import NOW
from tests.pages import Script, error_at, said, visiting

DAY = 86_400


@pytest.fixture
def accounts(installation):
    installation.file("zoe")
    installation.file("alice@example.com", "acct-a")
    installation.refresh()
    return installation


@pytest.fixture
def browser(accounts):
    with visiting(accounts) as browser:
        yield browser


def make_link(browser: Browser, **fields: Any) -> str:
    """The path of a new link, as the page shows it this once."""
    page = browser.post("/settings/share-links", kind="calendar", **fields)
    assert page.status_code == 200
    found = re.search(r'value="http://localhost(/share/[\w-]{43}\.ics)"', page.text)
    assert found is not None
    return found[1]


def summaries(answer) -> set[str]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/calendar; charset=utf-8"
    found = icalendar.Calendar.from_ical(answer.text).walk("VEVENT")
    return {str(entry["SUMMARY"]) for entry in found}


def stranger(browser: Browser):
    return browser.client.application.test_client()


def test_who_is_signed_in_and_a_token_get_the_calendar(browser):
    wanted = {"zoe: weekly quota resets", "account 1: weekly quota resets"}

    assert summaries(browser.get("/resets.ics")) == wanted
    assert summaries(Script(browser).get("/resets.ics")) == wanted


def test_parameters_choose_accounts_windows_and_names(browser):
    assert summaries(browser.get("/resets.ics?account=zoe&five_hour=1")) == {
        "zoe: five-hour quota resets",
        "zoe: weekly quota resets",
    }
    assert "alice@example.com: weekly quota resets" in summaries(browser.get("/resets.ics?names=1"))


@pytest.mark.parametrize(
    ("query", "status"),
    [("five_hour=yes", 400), ("names=2", 400), ("account=nobody", 404)],
)
def test_what_cannot_be_shown_says_so(browser, query, status):
    assert Script(browser).get(f"/resets.ics?{query}").status_code == status


def test_a_link_shows_the_calendar_to_whoever_has_it(browser):
    path = make_link(browser)

    answer = stranger(browser).get(path)

    assert summaries(answer) == {"zoe: weekly quota resets", "account 1: weekly quota resets"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_link_shows_what_its_owner_ticked_and_no_more(browser):
    zoe, named = make_link(browser, account="zoe"), make_link(browser, with_names="1")

    assert summaries(stranger(browser).get(f"{zoe}?account=alice%40example.com&names=1")) == {
        "zoe: weekly quota resets"
    }
    assert "alice@example.com: weekly quota resets" in summaries(stranger(browser).get(named))


def test_a_link_reads_no_cookie_sets_none_and_opens_nothing_else(browser):
    path = make_link(browser)
    cookie = browser.cookie()

    for address in (path, "/share/nothing.ics", "/share/other", path.replace(".ics", ".html")):
        answer = browser.get(address)
        assert "Set-Cookie" not in answer.headers, address
        assert "Cookie" not in answer.headers.get("Vary", ""), address
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Sign out" not in answer.text
    assert browser.cookie() == cookie
    secret = path.removeprefix("/share/").removesuffix(".ics")
    client = stranger(browser)
    for headers in ({"Authorization": f"Bearer {secret}"}, {"Cookie": f"{COOKIE}={secret}"}):
        assert client.get("/api/results", headers=headers).status_code == 401


def test_a_link_to_an_account_that_has_no_row_opens_nothing_and_can_be_revoked(browser, accounts):
    path = make_link(browser, account="zoe")
    with closing(sqlite3.connect(accounts.database)) as other:
        # Another program, for which foreign keys do not count.
        other.execute("UPDATE share_link SET account_id = 999")
        other.commit()

    assert stranger(browser).get(path).status_code == 404
    page = browser.get("/settings").text
    assert "an account that is gone" in page
    [link_id] = re.findall(r'name="id" value="(\d+)"', page)
    assert browser.post("/settings/share-links/revoke", id=link_id).status_code == 303
    assert 'name="id" value="' not in browser.get("/settings").text


def test_a_wrong_token_beside_a_link_changes_nothing(browser):
    path = make_link(browser)

    assert stranger(browser).get(path, headers={"Authorization": "Bearer wrong"}).status_code == 200


def test_a_revoked_an_expired_and_an_unknown_link_answer_alike(browser):
    expiring, revoked = make_link(browser, days="2"), make_link(browser)
    listed = re.findall(r'name="id" value="(\d+)"', browser.get("/settings").text)

    answer = browser.post("/settings/share-links/revoke", id=listed[1])

    assert (answer.status_code, answer.location) == (303, "/settings")
    page = browser.get("/settings").text
    assert said(page) == ["The share link is revoked."]
    assert len(re.findall(r'name="id" value="', page)) == 1
    unknown = stranger(browser).get("/share/unknown.ics")
    gone = stranger(browser).get(revoked)
    with clock.frozen(NOW + 2 * DAY):
        late = stranger(browser).get(expiring)
        assert "expired" in Browser(browser.client.application).signed_in().get("/settings").text
    answers = {(a.status_code, a.text, a.content_type) for a in (unknown, gone, late)}
    assert answers == {(404, "This link opens nothing.\n", "text/plain; charset=utf-8")}


def test_a_link_that_went_meanwhile_cannot_be_revoked_again(browser):
    make_link(browser)
    browser.post("/settings/share-links/revoke", id="1")

    assert browser.post("/settings/share-links/revoke", id="1").status_code == 409
    assert browser.post("/settings/share-links/revoke", id="x").status_code == 409


def test_the_page_shows_links_without_their_secrets(browser):
    path = make_link(browser, account="zoe", days="30")

    page = browser.get("/settings").text

    assert "the calendar link that shows zoe" in page
    assert path.removeprefix("/share/").removesuffix(".ics") not in page


def test_what_was_typed_stays_beside_what_is_wrong_with_it(browser):
    answer = browser.post(
        "/settings/share-links", kind="calendar", account="zoe", days="0", with_names="1"
    )

    assert answer.status_code == 422
    assert error_at(answer.text, "days") == "Give a whole number of days from 1 to 3,650."
    assert "<option selected>zoe</option>" in answer.text
    assert 'name="with_names" value="1" checked' in answer.text


def test_a_token_makes_lists_and_revokes_no_link(browser):
    script = Script(browser, write=True)

    for answer in (
        script.post("/settings/share-links", kind="calendar"),
        script.post("/settings/share-links/revoke", id="1"),
        script.get("/settings"),
    ):
        assert answer.status_code == 403


def test_the_secret_reaches_no_log_when_something_breaks(browser, monkeypatch, caplog):
    path = make_link(browser)
    monkeypatch.setattr("quota_web.reports.calendar.text", None)

    with caplog.at_level(logging.ERROR):
        assert stranger(browser).get(path).status_code == 500

    lines = "\n".join(TextLines(None).format(record) for record in caplog.records)
    assert "/share/***" in lines
    assert path.removeprefix("/share/").removesuffix(".ics") not in lines


def test_under_a_prefix_the_address_leads_there(accounts):
    with visiting(accounts, QUOTA_URL_PREFIX="/quota") as browser:
        # As a browser does, which has been given the cookie for that path alone.
        cookie, client = browser.cookie(), browser.client.application.test_client()
        client.set_cookie(COOKIE, cookie, domain="localhost", path="/quota")
        form = client.get("/quota/settings").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        assert token is not None
        fields = {"kind": "calendar", "csrf_token": token[1]}
        page = client.post("/quota/settings/share-links", data=fields)

    assert re.search(r'value="http://localhost/quota/share/[\w-]{43}\.ics"', page.text)


def test_a_calendar_is_in_the_language_of_its_reader(installation, codex):
    installation.file("alice")
    with visiting(installation, QUOTA_LANGUAGE="zh") as browser:
        browser.post("/refresh")
        chinese, english = (
            browser.get("/resets.ics"),
            browser.get("/resets.ics", Accept_Language="en"),
        )

    assert "SUMMARY:alice：每周额度重置" in chinese.text
    assert "SUMMARY:alice: weekly quota resets" in english.text
