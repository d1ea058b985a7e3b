"""A page that is not made anew is the one of its request: its own token, right, view and name."""

import re

import pytest

from tests.browser import Browser
from tests.fakes import NOW
from tests.pages import visiting


@pytest.fixture
def filled(installation, codex):
    installation.file("alice")
    installation.file("carol", exp=NOW - 9)
    installation.refresh()
    return installation


def tokens(page: str) -> set[str]:
    return set(re.findall(r'name="csrf_token" value="([^"]*)"', page))


def without_tokens(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]*"', "", page)


def test_each_session_has_its_own_token_in_the_same_page(filled, browser):
    other = Browser(browser.client.application).signed_in()
    pages = [one.get("/").text for one in (browser, other, browser)]
    mine, its, again = map(tokens, pages)

    assert len(set(map(without_tokens, pages))) == 1
    assert len(mine) == len(its) == 1
    assert mine == again != its
    # Its token lets each session's own form through, and no other one's.
    sent = [
        one.client.post("/refresh", data={"csrf_token": token}, headers={"Origin": one.base})
        for one in (browser, other)
        for token in (*mine, *its)
    ]
    assert [answer.status_code for answer in sent] == [303, 400, 400, 303]


def test_what_was_just_done_is_said_once_and_to_its_session_alone(filled, browser):
    other = Browser(browser.client.application).signed_in()
    browser.get("/")
    browser.post("/refresh")

    pages = [one.get("/").text for one in (other, browser, browser)]
    assert ['class="note note-good"' in page for page in pages] == [False, True, False]


def test_each_view_has_its_own_page_whatever_its_address_says_beside(filled, browser):
    queries = ("?sort=account", "?show=usable", "?view=cards", "?beside=1", "")
    pages = {query: without_tokens(browser.get(f"/{query}").text) for query in queries}

    assert len(set(pages.values())) == len(queries)
    assert [query for query, page in pages.items() if "beside=1" in page] == ["?beside=1"]
    assert pages == {q: without_tokens(browser.get(f"/{q}").text) for q in reversed(queries)}


def test_a_page_is_that_of_its_viewers_right_and_name(filled):
    settings = {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}
    with visiting(filled, **settings) as browser:
        pages = [browser.get("/", remote_user=name).text for name in ("maria", "ji-woo", "maria")]

    shown = [re.findall(r'class="soft user">([^<]*)<', page) for page in pages]
    assert shown == [["maria"], ["ji-woo"], ["maria"]]
