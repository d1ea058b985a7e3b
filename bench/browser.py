"""In Chromium: how far the dashboard moves while it loads, its elements, and zooming
the charts of an account with the mouse: how long frames take, and how long a change of the range.

Needs the development requirements, Chromium and the chart library; without them it says so and
measures nothing.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.harness import PROJECT, Report, Result, main
from bench.place import place
from bench.served import p95, served
from bench.web import PASSWORD
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.demo.personas import PLAIN
from quota_web.services import services

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

ACCOUNTS = 10
WIDE: "ViewportSize" = {"width": 1280, "height": 900}
PHONE: "ViewportSize" = {"width": 390, "height": 844}
#: A zone far from the server's.
FAR = "Asia/Tokyo"
LIBRARY = PROJECT / "quota_web" / "web" / "static" / "vendor" / "uPlot.iife.min.js"
RANGES = ("7d", "30d", "90d", "1y", "24h")
#: First loads: the browser's zone, its window, and how many times slower the CPU is.
LOADS = (("UTC", WIDE, 1), (FAR, WIDE, 1), (FAR, PHONE, 1), (FAR, WIDE, 4))
Drags = Sequence[tuple[float, float]]
#: Parts of the width that are dragged over, one after the other: from 24 hours on, each leaves
#: stretches of about 500 points.
DRAGS = ((0.05, 0.7), (0.75, 0.2), (0.1, 0.95))
DRAWN = (
    "() => document.getElementById('history').dataset.charts === 'drawn' && "
    "!document.querySelector('.plot.busy')"
)

#: Notes when each frame begins; `bench.drawn` tells when the answer to a click was there, and when
#: its charts were on the screen.
NOTES = """() => {
  window.bench = {
    watch() {
      this.frames = [];
      const note = (at) => { if (this.frames.push(at)) this.next = requestAnimationFrame(note); };
      this.next = requestAnimationFrame(note);
    },
    watched() {
      cancelAnimationFrame(this.next);
      return this.frames;
    },
    drawn(selector) {
      const plot = document.querySelector('.plot');
      performance.clearResourceTimings();
      return new Promise((done) => {
        let began = 0;
        const note = (event) => { began = event.timeStamp; };
        const options = { capture: true, once: true };
        document.querySelector(selector).addEventListener('click', note, options);
        new MutationObserver((_, observer) => {
          if (!began || plot.classList.contains('busy')) return;
          observer.disconnect();
          const answer = this.lastHistory();
          // A message that is sent before a frame is painted comes when that is done.
          const channel = new MessageChannel();
          channel.port1.onmessage = () =>
            done([answer.responseEnd - began, performance.now() - began]);
          requestAnimationFrame(() => channel.port2.postMessage(0));
        }).observe(plot, { attributes: true, attributeFilter: ['class'] });
      });
    },
    lastHistory() {
      const resources = performance.getEntriesByType('resource');
      return resources.filter((entry) => entry.name.includes('/api/history')).at(-1);
    },
    async points() {
      return (await (await fetch(this.lastHistory().name)).json()).t.length;
    },
  };
}"""


#: Adds up how far the layout moves without anybody's doing.
SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
"""


def missing() -> str:
    """What this group lacks on this machine; empty where it can run."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright is not installed (requirements-dev.txt has it)"
    if not chromium():
        return "Chromium is not installed: apt-get install chromium"
    return "" if LIBRARY.is_file() else "the chart library is not there: python scripts/assets.py"


def chromium() -> str | None:
    return next(
        (
            path
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (path := shutil.which(name))
        ),
        None,
    )


def run(report: Report) -> None:
    with _launched() as browser:
        _layout(report, browser)
        _account(report, browser)


def _account(report: Report, browser: "Browser") -> None:
    with place(QUOTA_PASSWORD=PASSWORD) as here:
        with here.app().app_context():
            services().ready()
            accounts, days = report.size.pick((1, 2), (ACCOUNTS, 30), (ACCOUNTS, 90))
            fill.fill(accounts, days, clock.now(), every_s=60, persona=PLAIN)
        with served(here) as base:
            page = _account_page(browser, base)
            drags = DRAGS[: report.size.pick(1, 3, 3)]
            points = [page.evaluate("bench.points()") for _ in _zoom_in_and_out(page, drags)]
            what = f"zooming a line of {min(points)} to {max(points)} points in each chart"
            _frames(report, page, what, drags)
            _tasks(report, page, what, drags)
            _ranges(report, page)
            page.close()


def _account_page(browser: "Browser", base: str) -> "Page":
    """The page of one account, its charts drawn."""
    page = browser.new_page(base_url=base, viewport=WIDE)
    _sign_in(page)
    page.goto("/accounts/alice")
    page.wait_for_selector("#history", state="attached")
    page.evaluate("document.getElementById('history').scrollIntoView()")
    page.wait_for_function(DRAWN)
    page.evaluate(NOTES)
    return page


@contextmanager
def _launched() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    arguments = [
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


def _sign_in(page: "Page") -> None:
    page.goto("/login")
    page.fill("#password", PASSWORD)
    page.click("main button.main")
    page.wait_for_selector("nav[aria-label=Main]")


def _layout(report: Report, browser: "Browser") -> None:
    """The dashboard as it loads for the first time, in the server's zone and far from it, once on a
    CPU that is four times slower.
    """
    for accounts in report.size.pick((2,), (8, 25, 60, 200), (8, 25, 60, 200)):
        with place(QUOTA_PASSWORD=PASSWORD, TZ="UTC") as here:
            here.invent(accounts, report.size.pick(1, 3, 30))
            with served(here) as base:
                loads = [
                    _load(browser, base, zone, viewport, slower)
                    for zone, viewport, slower in LOADS[: report.size.pick(1, 4, 4)]
                ]
        moved = [moved for moved, _ in loads]
        what = f"layout shift of /, {accounts} accounts, the most of {len(loads)} first loads"
        report.add(Result("19", what, "of the view", [max(moved)], unit="", wanted="<= 0.02"))
        nodes = [float(max(nodes for _, nodes in loads))]
        what = f"elements of /, {accounts} accounts"
        limit = "<= 3500" if accounts <= 60 else ""
        report.add(Result("19", what, "elements", nodes, unit="elements", wanted=limit))


def _load(
    browser: "Browser", base: str, zone: str, viewport: "ViewportSize", slower: int
) -> tuple[float, int]:
    """How far the layout moved, and how many elements there are."""
    context = browser.new_context(base_url=base, timezone_id=zone, viewport=viewport)
    page = context.new_page()
    _sign_in(page)
    # What was there says which zone the browser is in: a first visit does not.
    context.clear_cookies(name="codex_quota_zone")
    context.add_init_script(SHIFTS)
    throttle = context.new_cdp_session(page)
    throttle.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto("/", wait_until="networkidle", timeout=60_000)
    found = page.evaluate("() => [window.shifted, document.querySelectorAll('*').length]")
    context.close()
    return found[0], found[1]


def _zoom_in_and_out(page: "Page", drags: Drags) -> Iterator[None]:
    """Drag over a part of the first chart, each time deeper, look along the lines, and go back
    with a double click; stops at each depth.
    """
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    for start, end in drags:
        before = page.url
        page.mouse.move(box["x"] + box["width"] * start, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * end, box["y"] + 70, steps=30)
        page.mouse.up()
        page.wait_for_function("before => location.href !== before", arg=before)
        page.wait_for_function(DRAWN)
        page.mouse.move(box["x"] + box["width"] * start, box["y"] + 90, steps=30)
        yield
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + 60)
    page.wait_for_function("() => !location.search.includes('from=')")
    page.wait_for_function(DRAWN)


def _zoom(page: "Page", drags: Drags, times: int) -> None:
    for _ in range(times):
        for _ in _zoom_in_and_out(page, drags):
            pass


def _frames(report: Report, page: "Page", what: str, drags: Drags) -> None:
    rounds: list[list[float]] = []
    for _ in range(report.size.rounds):
        page.evaluate("bench.watch()")
        _zoom(page, drags, report.size.pick(1, 3, 5))
        began = page.evaluate("bench.watched()")
        rounds.append([b - a for a, b in pairwise(began)])
    frames = [took for one in rounds for took in one]
    report.add(
        Result(
            "19",
            f"longest frame, {what}",
            "ms",
            [max(one) for one in rounds],
            unit="ms",
            wanted="<= 50",
        )
    )
    report.add(Result("19", "p95 of these frames", "ms", [p95(one) for one in rounds], unit="ms"))
    over = [float(sum(took > 50 for took in one)) for one in rounds]
    report.add(
        Result(
            "19",
            f"frames over 50 ms a round, of {len(frames) // len(rounds)}",
            "frames",
            over,
            unit="frames",
        )
    )


def _tasks(report: Report, page: "Page", what: str, drags: Drags) -> None:
    """A frame waits for whatever else the machine does; the CPU time of the page's own tasks is
    what the page can be blamed for.
    """
    browser = page.context.browser
    assert browser is not None
    longest = []
    for _ in range(report.size.pick(1, 3, 5)):
        browser.start_tracing(page=page, categories=["toplevel"])
        _zoom(page, drags, 1)
        longest.append(_longest_task(json.loads(browser.stop_tracing())["traceEvents"]))
    report.add(
        Result(
            "19",
            f"longest task of the page's thread, CPU time, {what}",
            "ms",
            longest,
            unit="ms",
            wanted="<= 50",
        )
    )


def _longest_task(events: list[dict[str, Any]]) -> float:
    pages = {
        (e["pid"], e["tid"])
        for e in events
        if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    return (
        float(max(e["tdur"] for e in events if "tdur" in e and (e["pid"], e["tid"]) in pages))
        / 1000
    )


def _ranges(report: Report, page: "Page") -> None:
    answered, drawn = [], []
    # A short history has no long ranges.
    selectors = [f'#ranges a[data-range="{name}"]' for name in RANGES]
    there = [selector for selector in selectors if page.locator(selector).count()]
    for _ in range(report.size.rounds):
        took = []
        for selector in there * report.size.pick(1, 4, 20):
            page.evaluate("selector => { window.waited = bench.drawn(selector); }", selector)
            page.click(selector)
            took.append(page.evaluate("() => window.waited"))
        answered.append(p95([to_answer for to_answer, _ in took]))
        drawn.append(p95([to_chart for _, to_chart in took]))
    report.add(
        Result(
            "19",
            "p95 from a click on a range to its JSON",
            "ms",
            answered,
            unit="ms",
            wanted="<= 100",
        )
    )
    report.add(
        Result("19", "p95 from a click on a range to the drawn charts", "ms", drawn, unit="ms")
    )


if __name__ == "__main__":
    main("browser", run, missing)
