"""Times in the viewer's zone, once its browser has named it."""

import re

import pytest

from tests.pages import visiting

ZONE = "codex_quota_zone"


@pytest.fixture
def filled(installation):
    installation.file("alice")
    installation.refresh()
    return installation


def page_in(browser, zone: str) -> str:
    browser.client.set_cookie(ZONE, zone, domain="localhost")
    return browser.get("/accounts/alice").text


def test_a_known_zone_is_written_and_named_once(filled, browser):
    page = page_in(browser, "America/New_York")

    assert '<html lang="en" data-zone="America/New_York">' in page
    assert "Times in America/New_York" in page
    assert ">09:00</time>" in page
    assert not re.search(r"\bEST\b", page)


def test_without_one_times_have_the_name_of_the_servers(filled, browser):
    page = browser.get("/accounts/alice").text

    assert ">22:00 CST</time>" in page
    assert "data-zone" not in page


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/At_All", "../../etc/passwd", "Europe", "UTC\x00", "x" * 3_000, '"><b>']
)
def test_what_is_no_zone_is_not_known(filled, browser, zone):
    page = page_in(browser, zone)

    assert ">22:00 CST</time>" in page
    assert "data-zone" not in page


def test_two_viewers_of_one_page_see_their_own_times(filled):
    with visiting(filled) as browser:
        pages = [page_in(browser, zone) for zone in ("Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo")]
        dashboards = []
        for zone in ("Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo"):
            browser.client.set_cookie(ZONE, zone, domain="localhost")
            dashboards.append(browser.get("/").text)

    for shown in (pages, dashboards):
        assert ["23:00<" in page for page in shown] == [True, False, True]
        assert ["15:00<" in page for page in shown] == [False, True, False]


def test_events_stand_under_their_day_by_the_time_alone_once_the_zone_is_known(filled, browser):
    unknown = browser.get("/events").text
    browser.client.set_cookie(ZONE, "Asia/Tokyo", domain="localhost")
    known = browser.get("/events").text

    day = re.search(r"<h2>(\w{3} \d+ \w{3} \d{4})</h2>", known)
    assert day is not None
    assert re.search(r'<td><time datetime="[^"]+">21:00</time>', known)
    # Its script may move what stands here to another day: it is whole.
    assert re.search(r'<td><time datetime="[^"]+" data-t="clock">20:00 CST</time>', unknown)
