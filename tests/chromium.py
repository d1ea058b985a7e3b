"""A real browser for tests of pages, which notes whatever no page may do: complain on the console,
ask another host, open a dialog.

def test_it_shows_the_account(chromium, server):
    with visit(chromium, server.url) as page:
        page.goto("/")

A browser's context of its own costs a test more CPU than most pages: a module whose `server` keeps
its data uses those of `tabs`, one test after the other.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from quota_web.core.checkout import PROJECT
from tests import parts
from tests.servers import Server

PASSWORD = "correct horse battery"
#: Of two such lists the last one counts, so Playwright's own features stand in it, too.
WITHOUT = (
    # Each window draws these two of the address bar and keeps a process for the next page: more CPU
    # than most pages of ours.
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess",
    "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades",
    "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding",
    "PreconnectToSearch", "ThirdPartyStoragePartitioning",
)  # fmt: skip
ARGUMENTS = (
    f"--disable-features={','.join(WITHOUT)}",
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


@contextmanager
def launched() -> Iterator[Browser]:
    path = parts.require("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@cache
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

    def __init__(self, context: BrowserContext, base: str) -> None:
        self._base = base
        self.begin(())
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("dialog", self._on_dialog)
        context.on("request", lambda request: self._on_request(request.url))

    def begin(self, expected: tuple[str, ...]) -> None:
        """Forget what was before; the *expected* is no complaint from now on."""
        self.heard: list[str] = []
        self.asked: list[str] = []
        self._expected = expected

    def judge(self) -> None:
        """Fail where anything was heard."""
        if self.heard:
            heard = "\n".join(self.heard)
            pytest.fail(f"the page did what no page may do:\n{heard}", pytrace=False)

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


_watches: WeakKeyDictionary[Page, Watch] = WeakKeyDictionary()


def opened(browser: Browser, base: str, **look: Any) -> tuple[Page, Watch]:
    """A page in a context of its own, and what is heard of it."""
    context = browser.new_context(
        base_url=base, **{"viewport": WIDE, "timezone_id": ZONE, "locale": "en-GB"} | look
    )
    context.set_default_timeout(PATIENCE_MS)
    watch = Watch(context, base)
    page = context.new_page()
    _watches[page] = watch
    return page, watch


@contextmanager
def visit(
    browser: Browser, base: str, *, expected: tuple[str, ...] = (), **look: Any
) -> Iterator[Page]:
    """A page in a context of its own.

    Leaving it fails where anything was heard but the *expected*.
    """
    page, watch = opened(browser, base, **look)
    watch.begin(expected)
    try:
        yield page
    finally:
        page.context.close()
    watch.judge()


def asked(page: Page) -> list[str]:
    """What a page and its context asked for so far: paths, or whole addresses of other hosts."""
    return _watches[page].asked


class Tabs:
    """Pages of somebody who has signed in to *server*, each kept for the next test that wants its
    kind.

    What cannot be taken back belongs into `visit`: listeners, a clock, scripts at the start.
    """

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser, self._base = browser, server.url
        self._kept: dict[str, tuple[Page, Watch]] = {}
        #: The cookies of somebody who has signed in, for `visit(…, storage_state=…)`.
        self.state: Any = None
        with self.visit() as page:
            page.goto("/login")
            page.fill("#password", PASSWORD)
            page.click("main button.main")
            page.wait_for_selector("nav[aria-label=Main]")
            self.state = page.context.storage_state()

    @contextmanager
    def visit(
        self,
        *,
        expected: tuple[str, ...] = (),
        viewport: Any = WIDE,
        color_scheme: Literal["light", "dark"] = "light",
        **look: Any,
    ) -> Iterator[Page]:
        """An empty page of that *look*, signed in; as with the function `visit`, leaving it fails
        where anything was heard but the *expected*.
        """
        kind = repr(sorted(look.items()))
        page, watch = self._kept.pop(kind) if kind in self._kept else self._opened(look)
        watch.begin(expected)
        page.set_viewport_size(viewport)
        page.emulate_media(media="null", color_scheme=color_scheme)
        try:
            yield page
            self._clear(page)
            watch.judge()
        except BaseException:
            page.context.close()
            raise
        self._kept[kind] = page, watch

    def _opened(self, look: dict[str, Any]) -> tuple[Page, Watch]:
        return opened(self._browser, self._base, storage_state=self.state, **look)

    def _clear(self, page: Page) -> None:
        """Leave nothing to the next test."""
        page.unroute_all()
        page.set_extra_http_headers({})
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.mouse.move(0, 0)
        page.goto("about:blank")
        page.context.clear_permissions()
        page.context.clear_cookies()
        page.context.add_cookies(self.state["cookies"])

    def close(self) -> None:
        for page, _ in self._kept.values():
            page.context.close()


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


def barriers(page: Page) -> list[str]:
    """What axe finds on a page that is serious or critical, in lines: which rule, where, why."""
    page.evaluate(f"() => {{ {library().read_text(encoding='utf-8')} }}")
    # Named results are worked out for violations alone: what passes is most of a page.
    found = page.evaluate(
        "async () => (await axe.run({ resultTypes: ['violations'] })).violations.flatMap("
        "({ impact, id, nodes }) => nodes.map((node) => ["
        "impact, `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`]))"
    )
    return [line for impact, line in found if impact in ("serious", "critical")]
