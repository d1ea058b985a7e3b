"""What the first load of the dashboard with 50 accounts fetches: every file its page names, and the data its charts ask for."""

import gzip
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urljoin

from bench.harness import Report, Result, main
from bench.place import place
from bench.web import PASSWORD, Browser
from quota_web import clock, demo
from quota_web.world import world

#: What a browser fetches by itself: style sheets, scripts, the icon, and modules that are named to be loaded soon.
_LINKS = re.compile(r'<link rel="(?:stylesheet|icon|modulepreload)"[^>]*?href="([^"]+)"|<script[^>]*? src="([^"]+)"|data-library="([^"]+)"')
_IMPORTS = re.compile(r'from "(\./[^"]+)"|= await import\("(\./charts\.js)"\)')
_FIRST = re.compile(r'"first": (\[[^\]]*\])')


def run(report: Report) -> None:
    accounts = report.size.pick(3, 50, 50)
    with place(QUOTA_PASSWORD=PASSWORD) as here:
        app = here.app()
        with app.app_context():
            world().ready()
            demo.fill(accounts, report.size.pick(1, 30, 30), clock.now())
        browser = Browser(app)
        fetched = dict(_load(browser))
    sent = sum(size for size, _ in fetched.values())
    packed = sum(size for _, size in fetched.values())
    for path, (size, small) in fetched.items():
        print(f"      {size:>8,} sent {small:>8,} gzip  {path[:100]}")
    report.add(Result("16", f"first load of the dashboard, {accounts} accounts, as sent", "KiB", [sent / 1024], unit="KiB", wanted="<= 90"))
    report.add(Result("16", "the same, gzip", "KiB", [packed / 1024], unit="KiB", wanted="<= 90"))
    report.add(Result("16", "requests of the first load", "count", [float(len(fetched))], unit="requests", wanted="<= 8"))


def _load(browser: Browser) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each address with the bytes sent for it, and the bytes it takes as gzip; bodies only."""
    page, weight = _fetch(browser, "/")
    yield "/", weight
    text = page.decode()
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
            waiting += [urljoin(name, next(filter(None, found))) for found in _IMPORTS.findall(body.decode())]
    if "data-api" in text:
        # The charts ask for the accounts that are drawn at first.
        first = _FIRST.search(text)
        names = re.findall(r'"([^"]+)"', first.group(1))[:8] if first else []
        path = "/api/history?" + urlencode([("range", "24h"), *(("account", name) for name in names)])
        yield path, _fetch(browser, path)[1]


def _fetch(browser: Browser, path: str) -> tuple[bytes, tuple[int, int]]:
    body = browser.get(path, HTTP_ACCEPT_ENCODING="gzip")
    assert browser.status.startswith("200"), (path, browser.status)
    if browser.headers.get("Content-Encoding") == "gzip":
        return gzip.decompress(body), (len(body), len(body))
    return body, (len(body), len(gzip.compress(body, 6)))


if __name__ == "__main__":
    main("page_weight", run)
