"""A real browser for tests of pages, which notes whatever no page may do: complain on the console,
ask another host, open a dialog.

def test_it_shows_the_account(chromium, server):
    with visit(chromium, server.url) as page:
        page.goto("/")
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from quota_web.core.checkout import PROJECT
from tests import parts
from tests.servers import Server

PASSWORD = "correct horse battery"
ARGUMENTS = (
    "--host-resolver-rules=MAP quota.test 127.0.0.1",
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
)  # fmt: skip
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
#: Far from the zone of any server that runs these tests, so that a time that was not put into the
#: viewer's zone is seen.
ZONE = "Asia/Tokyo"
#: For a busy machine; also for `expect`, which else waits for five seconds.
PATIENCE_MS = 30_000
#: As it was before conftest.py takes ways out away: npm may need them.
OUTSIDE = dict(os.environ)

_asked: WeakKeyDictionary[Page, list[str]] = WeakKeyDictionary()


@contextmanager
def launched() -> Iterator[Browser]:
    path = parts.require("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def library() -> Path:
    """See to it that the chart library is in its place, and give axe-core's file."""
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "assets.py", "--with-dev"],
        env=OUTSIDE,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        parts.lack(f"the browser libraries are not there: {done.stderr.strip()}")
    return PROJECT / "assets" / "node_modules" / "axe.min.js"


class Watch:
    """What the pages of a context did that they should not, and what they asked the server for."""

    def __init__(self, context: BrowserContext, base: str, expected: tuple[str, ...] = ()) -> None:
        self.heard: list[str] = []
        self.asked: list[str] = []
        self._base, self._expected = base, expected
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("dialog", self._on_dialog)
        context.on("request", lambda request: self._on_request(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(words in text for words in self._expected):
            self.heard.append(f"{kind}: {text}")

    def _on_dialog(self, dialog: Any) -> None:
        self.heard.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, url: str) -> None:
        self.asked.append(url.removeprefix(self._base))
        if not url.startswith((f"{self._base}/", "data:", "blob:")):
            self.heard.append(f"asked another host: {url}")


@contextmanager
def visit(
    browser: Browser, base: str, *, expected: tuple[str, ...] = (), **look: Any
) -> Iterator[Page]:
    """A page in a context of its own.

    Leaving it fails where anything was heard but the *expected*.
    """
    context = browser.new_context(
        base_url=base, **{"viewport": WIDE, "timezone_id": ZONE, "locale": "en-GB"} | look
    )
    context.set_default_timeout(PATIENCE_MS)
    watch = Watch(context, base, expected)
    page = context.new_page()
    _asked[page] = watch.asked
    try:
        yield page
    finally:
        context.close()
    if watch.heard:
        pytest.fail("the page did what no page may do:\n" + "\n".join(watch.heard), pytrace=False)


def asked(page: Page) -> list[str]:
    """What a page and its context asked for so far: paths, or whole addresses of other hosts."""
    return _asked[page]


def signed_in(browser: Browser, server: Server) -> Any:
    """The cookies of somebody who has signed in, for `visit(…, storage_state=…)`."""
    with visit(browser, server.url) as page:
        page.goto("/login")
        page.fill("#password", PASSWORD)
        page.click("main button.main")
        page.wait_for_selector("nav[aria-label=Main]")
        return page.context.storage_state()


def show_charts(page: Page) -> None:
    """Bring the history into view and wait until it is drawn."""
    page.evaluate("document.getElementById('history').scrollIntoView()")
    settled(page)


def settled(page: Page) -> None:
    """Wait until the charts show what was asked for last."""
    page.wait_for_function(
        "() => document.getElementById('history').dataset.charts === 'drawn' && "
        "!document.querySelector('.plot.busy')"
    )


def overflows(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def flask_quota(server: Server, *arguments: str, check: bool = True) -> str:
    """`flask quota …` on the folders of a service; what it printed."""
    command = [sys.executable, "-m", "flask", "quota", *arguments]
    ran = subprocess.run(
        command,
        cwd=PROJECT,
        env=server.env,
        check=check,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ran.stdout
