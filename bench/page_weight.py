"""What the first load of the dashboard with 50 accounts fetches, and what follows when somebody
scrolls down to its charts.

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
#: What the charts fetch once they are in view.
_LIBRARY = re.compile(r'data-library="([^"]+)"')
_CHARTS = "/static/js/charts.js"
_FIRST = re.compile(r'"first": (\[[^\]]*\])')


def run(report: Report) -> None:
    accounts = report.size.pick(3, 50, 50)
    with place(QUOTA_PASSWORD=PASSWORD) as here:
        app = here.app()
        with app.app_context():
            services().ready()
            fill.fill(accounts, report.size.pick(1, 30, 30), clock.now())
        browser = Browser(app)
        page, weight = _fetch(browser, "/")
        first = {"/": weight} | dict(_files(browser, page.decode()))
        later = dict(_charts(browser, page.decode()))
    for when, fetched in (("at first", first), ("charts", later)):
        for path, (size, small) in fetched.items():
            print(f"      {when:<8} {size:>8,} sent {small:>8,} gzip  {path[:100]}")
    sent, packed = (sum(weights) for weights in zip(*first.values(), strict=True))
    report.add(
        Result(
            "16",
            f"first load of the dashboard, {accounts} accounts, as sent",
            "KiB",
            [sent / 1024],
            unit="KiB",
            wanted="<= 90",
        )
    )
    report.add(Result("16", "the same, gzip", "KiB", [packed / 1024], unit="KiB", wanted="<= 90"))
    report.add(
        Result(
            "16",
            "requests of the first load",
            "count",
            [float(len(first))],
            unit="requests",
            wanted="<= 8",
        )
    )
    whole = packed + sum(small for _, small in later.values())
    report.add(
        Result(
            "16",
            "with the charts, when they come into view, gzip",
            "KiB",
            [whole / 1024],
            unit="KiB",
            wanted="<= 90",
        )
    )
    report.add(
        Result(
            "16",
            "requests with the charts",
            "count",
            [float(len(first) + len(later))],
            unit="requests",
        )
    )


#: The bytes sent for an address, and the bytes it takes as gzip; bodies only.
Weight = tuple[int, int]


def _files(browser: Browser, text: str) -> Iterator[tuple[str, Weight]]:
    """Every file that the page names, and every module that one of them needs, once."""
    waiting = [next(filter(None, found)).replace("&amp;", "&") for found in _LINKS.findall(text)]
    seen = set()
    while waiting:
        path = waiting.pop(0)
        name = path.partition("?")[0]
        if name in seen:
            continue
        seen.add(name)
        body, weight = _fetch(browser, path)
        yield path, weight
        if name.endswith(".js"):
            waiting += [urljoin(name, found) for found in _IMPORTS.findall(body.decode())]


def _charts(browser: Browser, text: str) -> Iterator[tuple[str, Weight]]:
    """The charts' library, their module, and the data of the accounts that are drawn at first."""
    first = _FIRST.search(text)
    names = re.findall(r'"([^"]+)"', first.group(1))[:8] if first else []
    data = "/api/history?" + urlencode([("range", "24h"), *(("account", name) for name in names)])
    for path in (*_LIBRARY.findall(text), _CHARTS, data):
        yield path, _fetch(browser, path)[1]


def _fetch(browser: Browser, path: str) -> tuple[bytes, Weight]:
    body = browser.get(path, HTTP_ACCEPT_ENCODING="gzip")
    assert browser.status.startswith("200"), (path, browser.status)
    if browser.headers.get("Content-Encoding") == "gzip":
        return gzip.decompress(body), (len(body), len(body))
    return body, (len(body), len(gzip.compress(body, 6)))


if __name__ == "__main__":
    main("page_weight", run)
