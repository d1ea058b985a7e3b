"""What a pressed button says of what happened: each account counted once, under what became of it."""

import pytest

from quota_web import accounts, clock, demo
from quota_web.refresh_counts import RefreshCounts
from tests.fakes import NOW, Scene, usage_body
from tests.pages import JSON

SUMMARY = "X-Quota-Refresh"


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (RefreshCounts(14, 11, 3, 2, 0, 2), "Asked 14: 11 new readings, 3 need a sign-in, 2 refused, 2 skipped"),
        (RefreshCounts(2, 1, 1, 0, 0, 0), "Asked 2: 1 new reading, 1 needs a sign-in"),
        (RefreshCounts(1, 0, 0, 0, 1, 0), "Asked 1: 1 without a usable answer"),
        (RefreshCounts(), "Asked 0"),
    ],
)
def test_only_what_happened_is_said(counts, text):
    assert counts.text == text


SCENES = {
    "fine": Scene(body=usage_body()),
    "again": Scene(body=usage_body(1, 1)),
    "signed-out": Scene(401, body={"detail": "Unauthorized"}),
    "too-often": Scene(429, body={}),
    "refused": Scene(403, body={"detail": "no"}),
    "page": Scene(raw=b"<html>", headers={"Content-Type": "text/html"}),
    "down": Scene(503, body={}),
}


def pressed(browser, now, **fields):
    with clock.frozen(now):
        return browser.post("/refresh", headers=JSON, **fields).headers[SUMMARY]


def test_each_answer_counts_under_what_it_was(house, browser, codex):
    for name, scene in SCENES.items():
        house.file(name)
        codex.answers(f"acct-{name}", scene)
    house.file("run-out", exp=NOW - 9)
    house.file("paused")
    house.follow()
    accounts.pause("paused", NOW, "test")

    assert pressed(browser, NOW) == "Asked 7: 2 new readings, 2 need a sign-in, 2 refused, 2 without a usable answer, 1 skipped"
    assert len(codex.seen) == 7


def test_who_was_asked_a_moment_ago_or_is_known_to_be_used_up_is_skipped(house, browser, codex):
    for name in ("alice", "bob"):
        house.file(name)
    codex.answers("acct-bob", Scene(body=usage_body(100, 40)))

    assert pressed(browser, NOW) == "Asked 2: 2 new readings"
    assert pressed(browser, NOW + 9) == "Asked 0: 2 skipped"
    assert pressed(browser, NOW + 40) == "Asked 1: 1 new reading, 1 skipped"
    assert pressed(browser, NOW + 90, account="bob") == "Asked 1: 1 new reading"


def test_demo_accounts_are_not_said_to_be_refreshed(house, browser):
    demo.fill(8, 1, NOW)

    assert pressed(browser, NOW + 60) == "Asked 0: 8 skipped"


def test_without_scripts_the_page_says_it(house, browser, codex):
    house.file("alice")
    browser.post("/refresh")

    assert "Asked 1: 1 new reading." in browser.get("/").text
