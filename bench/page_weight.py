"""What the first load of the dashboard fetches, with 8, 50 and 60 accounts, and what follows when
somebody scrolls down to its charts.

With so many accounts the charts lie below what a window shows, and wait for it;
tests/in_browser/test_dashboard.py sees to that in a browser.
"""

import gzip
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urljoin

from bench.harness import Report, Result, main
from bench.place import place
from bench.web import PASSWORD, Browser
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.services import services

#: What a browser fetches by itself: style sheets, scripts, the icon, and modules that are named to
#: be loaded soon.
_LINKS = re.compile(
    r'<link rel="(?:stylesheet|icon|modulepreload)"[^>]*?href="([^"]+)"|<script[^>]*? src="([^"]+)"'
)
_IMPORTS = re.compile(r'from "(\./[^"]+)"')
#: What the charts fetch once they are in view: modules that are imported then, the library, data.
_LATER = re.compile(r'import\("(\./[^"]+)"\)')
_EITHER = re.compile(r'(?:from |import\()"(\./[^"]+)"')
_LIBRARY = re.compile(r'data-library="([^"]+)"')
_LANES = re.compile(r'data-lanes="([^"]+)" data-from="(\d+)" data-to="(\d+)" data-step="(\d+)"')
_DRAWN = re.compile(r'class="lane" data-account="([^"]+)"')


def run(report: Report) -> None:
    # The 16th goal was set for 50 accounts, the 20th for 8 and 60.
    sizes = ((50, "16", 90), (8, "20", 24), (60, "20", 34))
    for accounts, goal, most in report.size.pick(((3, "16", 90),), sizes, sizes):
        _weigh(report, accounts, goal, most)


def _weigh(report: Report, accounts: int, goal: str, most: int) -> None:
    with place(QUOTA_PASSWORD=PASSWORD) as here:
        app = here.app()
        with app.app_context():
            services().ready()
            fill.fill(accounts, report.size.pick(1, 30, 30), clock.now())
        browser = Browser(app)
        page, weight = _fetch(browser, "/")
        first = {"/": weight} | dict(_files(browser, page.decode()))
        later = dict(_charts(browser, page.decode(), set(first)))
    for when, fetched in (("at first", first), ("charts", later)):
        for path, (size, small) in fetched.items():
            print(f"      {when:<8} {size:>8,} sent {small:>8,} gzip  {path[:100]}")
    packed = sum(small for _, small in first.values()) / 1024
    whole = packed + sum(small for _, small in later.values()) / 1024
    what = f"first load of the dashboard, {accounts} accounts, gzip"
    report.add(Result(goal, what, "KiB", [packed], unit="KiB", wanted=f"<= {most}"))
    what = f"requests of the first load, {accounts} accounts"
    counts = [float(len(first))]
    report.add(Result("16", what, "count", counts, unit="requests", wanted="<= 8"))
    what = f"with the charts, when they come into view, {accounts} accounts, gzip"
    report.add(Result("16", what, "KiB", [whole], unit="KiB", wanted="<= 90"))
    what = f"requests with the charts, {accounts} accounts"
    report.add(Result("16", what, "count", [counts[0] + len(later)], unit="requests"))


#: The bytes sent for an address, and the bytes it takes as gzip; bodies only.
Weight = tuple[int, int]


def _files(browser: Browser, text: str) -> Iterator[tuple[str, Weight]]:
    """Every file that the page names, and every module that one of them needs, once."""
    named = [next(filter(None, found)).replace("&amp;", "&") for found in _LINKS.findall(text)]
    yield from _with_imports(browser, named, set())


def _with_imports(
    browser: Browser, waiting: list[str], seen: set[str], pattern: re.Pattern[str] = _IMPORTS
) -> Iterator[tuple[str, Weight]]:
    while waiting:
        path = waiting.pop(0)
        name = path.partition("?")[0]
        if name in seen:
            continue
        seen.add(name)
        body, weight = _fetch(browser, path)
        yield path, weight
        if name.endswith(".js"):
            waiting += [urljoin(name, found) for found in pattern.findall(body.decode())]


def _charts(browser: Browser, text: str, first: set[str]) -> Iterator[tuple[str, Weight]]:
    """The lanes' modules and library, and the data of the accounts that are drawn."""
    seen = {path.partition("?")[0] for path in first}
    page_script = next(path for path in first if "/js/dashboard.js" in path)
    imported = _LATER.findall(_fetch(browser, page_script)[0].decode())
    waiting = [urljoin(page_script, one) for one in imported]
    yield from _with_imports(browser, waiting, seen, _EITHER)
    [(data, start, end, step)] = _LANES.findall(text)
    asked = [("from", start), ("to", end), ("step", step)]
    query = urlencode(asked + [("account", name) for name in _DRAWN.findall(text)])
    for path in (*_LIBRARY.findall(text), f"{data}?{query}"):
        yield path, _fetch(browser, path)[1]


def _fetch(browser: Browser, path: str) -> tuple[bytes, Weight]:
    body = browser.get(path, HTTP_ACCEPT_ENCODING="gzip")
    assert browser.status.startswith("200"), (path, browser.status)
    if browser.headers.get("Content-Encoding") == "gzip":
        return gzip.decompress(body), (len(body), len(body))
    return body, (len(body), len(gzip.compress(body, 6)))


if __name__ == "__main__":
    main("page_weight", run)
