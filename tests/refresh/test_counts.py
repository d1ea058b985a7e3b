"""What a pressed button says of what happened: each account counted once, under what became of
it.
"""

import pytest

from quota_web.accounts import account_service
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.reports.refresh_counts import RefreshCounts
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import JSON

SUMMARY = "X-Quota-Refresh"


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            RefreshCounts(14, 11, 3, 2, 0, 2),
            "Asked 14: 11 new readings, 3 need a sign-in, 2 refused, 2 skipped",
        ),
        (RefreshCounts(2, 1, 1, 0, 0, 0), "Asked 2: 1 new reading, 1 needs a sign-in"),
        (RefreshCounts(1, 0, 0, 0, 1, 0), "Asked 1: 1 without a usable answer"),
        (RefreshCounts(), "Asked 0"),
    ],
)
def test_only_what_happened_is_said(counts, text):
    assert counts.text == text


SCENES = {
    "fine": FakeResponse(body=usage_body()),
    "again": FakeResponse(body=usage_body(1, 1)),
    "signed-out": FakeResponse(401, body={"detail": "Unauthorized"}),
    "too-often": FakeResponse(429, body={}),
    "refused": FakeResponse(403, body={"detail": "no"}),
    "page": FakeResponse(raw=b"<html>", headers={"Content-Type": "text/html"}),
    "down": FakeResponse(503, body={}),
}


def pressed(browser, now, **fields):
    with clock.frozen(now):
        return browser.post("/refresh", headers=JSON, **fields).headers[SUMMARY]


def test_each_answer_counts_under_what_it_was(installation, browser, codex):
    for name, scene in SCENES.items():
        installation.file(name)
        codex.answers(f"acct-{name}", scene)
    installation.file("run-out", exp=NOW - 9)
    installation.file("paused")
    installation.follow()
    account_service.pause("paused", NOW, "test")

    assert (
        pressed(browser, NOW)
        == "Asked 7: 2 new readings, 2 need a sign-in, 2 refused, 2 without a usable answer, 1 "
        "skipped"
    )
    assert len(codex.seen) == 7


def test_an_account_refreshed_a_moment_ago_or_known_to_be_used_up_is_skipped(
    installation, browser, codex
):
    for name in ("alice", "bob"):
        installation.file(name)
    codex.answers("acct-bob", FakeResponse(body=usage_body(100, 40)))

    assert pressed(browser, NOW) == "Asked 2: 2 new readings"
    assert pressed(browser, NOW + 9) == "Asked 0: 2 skipped"
    assert pressed(browser, NOW + 40) == "Asked 1: 1 new reading, 1 skipped"
    assert pressed(browser, NOW + 90, account="bob") == "Asked 1: 1 new reading"


def test_demo_accounts_are_not_said_to_be_refreshed(installation, browser):
    fill.fill(8, 1, NOW)

    assert pressed(browser, NOW + 60) == "Asked 0: 8 skipped"


def test_without_scripts_the_page_says_it(installation, browser, codex):
    installation.file("alice")
    browser.post("/refresh")

    assert "Asked 1: 1 new reading." in browser.get("/").text
