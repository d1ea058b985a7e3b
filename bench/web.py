"""Requests a second against a "hello" JSON route of the same app behind the same sign-in, without a
server in between.

Seconds are those of the CPU: there is nothing to wait for, and what else the machine does stays out
of it.
"""

import gc
import io
import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Flask, jsonify
from sqlalchemy import func, select, update
from werkzeug.test import EnvironBuilder

from bench.harness import Curve, Report, Result, alternate, main
from bench.place import place
from quota_web import store
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.services import services
from quota_web.store.models import account
from quota_web.web import scopes

PASSWORD = "bench-password"
HELLO, BARE = "/bench/hello", "/bench/bare"
BARE_TABLE = (
    "<!doctype html><title>Accounts</title><table>{% for row in rows %}<tr>"
    "{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>"
)
#: Accounts: goals 10 to 12 were set for 50, the 18th for 12, 60 and 200.
SIZES = (1, 12, 50, 60, 200)


class Browser:
    """Calls the app as a server would, with a session's cookie."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._cookie = ""
        self.status = ""
        self.headers: dict[str, str] = {}
        self._sign_in()

    def _sign_in(self) -> None:
        page = self.get("/login")
        found = re.search(rb'name="csrf_token" value="([^"]+)"', page)
        assert found, page[:500]
        form = urlencode(
            {"password": PASSWORD, "csrf_token": found.group(1).decode(), "next": ""}
        ).encode()
        self.call(
            self.environ(
                "/login",
                method="POST",
                body=form,
                HTTP_ORIGIN="http://localhost",
                CONTENT_TYPE="application/x-www-form-urlencoded",
            )
        )
        assert self.status.startswith("303"), self.status

    def environ(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: Any
    ) -> dict[str, Any]:
        found = EnvironBuilder(
            path=path.partition("?")[0], query_string=path.partition("?")[2], method=method
        ).get_environ()
        return found | {
            "HTTP_COOKIE": self._cookie,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            **headers,
        }

    def get(self, path: str, **headers: Any) -> bytes:
        return self.call(self.environ(path, **headers))

    def call(self, environ: dict[str, Any]) -> bytes:
        answer: Iterable[bytes] = self._app.wsgi_app(environ, self._started)
        body = b"".join(answer)
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        return body

    def _started(
        self, status: str, headers: list[tuple[str, str]], _error: object = None
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, dict(headers)
        cookies = [value.partition(";")[0] for name, value in headers if name == "Set-Cookie"]
        self._cookie = "; ".join(cookies) or self._cookie
        return lambda _data: None


def run(report: Report) -> None:
    lines: dict[str, list[tuple[float, float]]] = {}
    for accounts in report.size.pick((2,), SIZES, SIZES):
        with place(QUOTA_PASSWORD=PASSWORD) as here:
            app = with_routes(here.app(), accounts)
            with app.app_context():
                services().ready()
                fill.fill(accounts, report.size.pick(1, 7, 7), clock.now())
            # As serving.start does: else a look through all modules for garbage falls now into this
            # sample, now into that.
            gc.freeze()
            rates = _measured(app, report)
        for name, samples in rates.items():
            lines.setdefault(name, []).append((accounts, sorted(samples)[len(samples) // 2]))
        if accounts in (2, 50):
            _add_results(report, accounts, rates)
        if accounts in (2, 12, 60, 200):
            _add_bare(report, accounts, rates)
    report.curves.append(
        Curve(
            "web",
            "Requests a second, one thread, without a server",
            "accounts",
            "requests/CPU s",
            lines,
        )
    )


def with_routes(app: Flask, accounts: int) -> Flask:
    """The app with two more routes behind the same sign-in: one does nothing, the other renders a
    table of as many rows and cells as the dashboard's from values that are ready.
    """
    scopes.SCOPES["bench.hello"] = scopes.SCOPES["bench.bare"] = scopes.READ
    app.add_url_rule(HELLO, "bench.hello", lambda: jsonify(hello="world"))
    table = app.jinja_env.from_string(BARE_TABLE)
    rows = [(f"account-{n}", 77.5, 66.0, "past the reset", 2, n, "Plus") for n in range(accounts)]
    app.add_url_rule(BARE, "bench.bare", lambda: table.render(rows=rows))
    return app


def _measured(app: Flask, report: Report) -> dict[str, list[float]]:
    browser = Browser(app)
    browser.get("/api/results")
    assert browser.status.startswith("200"), browser.status
    etag = browser.headers["ETag"]
    times = report.size.pick(5, 300, 600)
    few = report.size.pick(2, 20, 40)
    sides = {
        "hello": partial(_rate, browser, HELLO, "200", times),
        "results, unchanged": partial(_rate, browser, "/api/results", "200", times),
        "results, 304": partial(
            _rate, browser, "/api/results", "304", times, HTTP_IF_NONE_MATCH=etag
        ),
        "results, fresh": partial(_fresh_rate, browser, app, "/api/results", few),
        "dashboard": partial(_rate, browser, "/", "200", few),
        "dashboard, fresh": partial(_fresh_rate, browser, app, "/", few),
        "dashboard, fresh in one account": partial(_fresh_rate, browser, app, "/", few, True),
        "bare table": partial(_rate, browser, BARE, "200", few),
    }
    fresh_last = sorted(sides, key=lambda name: "fresh" in name)
    return alternate(
        {name: sides[name] for name in fresh_last if name != "results, 304"}, report.size.rounds
    ) | alternate({"results, 304": lambda: _conditional_rate(browser, times)}, report.size.rounds)


def _rate(browser: Browser, path: str, status: str, times: int, **headers: Any) -> float:
    environs = [browser.environ(path, **headers) for _ in range(times)]
    start = time.thread_time()
    for environ in environs:
        browser.call(environ)
    took = time.thread_time() - start
    assert browser.status.startswith(status), (path, browser.status)
    return times / took


def _conditional_rate(browser: Browser, times: int) -> float:
    browser.get("/api/results")
    return _rate(browser, "/api/results", "304", times, HTTP_IF_NONE_MATCH=browser.headers["ETag"])


def _fresh_rate(browser: Browser, app: Flask, path: str, times: int, in_one: bool = False) -> float:
    """With a change of the data, or of that *in_one* account, before each request: not timed."""
    took = 0.0
    for _ in range(times):
        with app.app_context(), store.database.transaction() as tx:
            store.site_state.bump_version(tx, clock.now())
            if in_one:
                first = select(func.min(account.c.id)).scalar_subquery()
                changed = {account.c.version: account.c.version + 1}
                tx.execute(update(account).where(account.c.id == first).values(changed))
        # What the disk's work of that write cooled down, an untimed request warms again: it is not
        # the answer's.
        browser.get(HELLO)
        environ = browser.environ(path)
        start = time.thread_time()
        browser.call(environ)
        took += time.thread_time() - start
    assert browser.status.startswith("200"), browser.status
    return times / took


def _add_bare(report: Report, accounts: int, rates: dict[str, list[float]]) -> None:
    bare = [1 / rate for rate in rates["bare table"]]
    for name, wanted in (("dashboard, fresh in one account", "<= 2"), ("dashboard", "<= 0.5")):
        what = f"GET /, {'one account changed' if 'one' in name else 'unchanged'}"
        report.add(
            Result(
                "18",
                f"{what}, {accounts} accounts",
                "times the cost",
                [1 / rate for rate in rates[name]],
                bare,
                "a bare table of as many rows and cells",
                "s",
                wanted,
            )
        )


def _add_results(report: Report, accounts: int, rates: dict[str, list[float]]) -> None:
    for goal, name, wanted in (
        ("10", "results, fresh", ">= 0.2"),
        ("10", "results, unchanged", ">= 0.85"),
        ("11", "results, 304", ">= 0.8"),
        ("12", "dashboard", ">= 0.12"),
        ("12", "dashboard, fresh", ""),
    ):
        what = (
            f"GET {'/' if name.startswith('dashboard') else '/api/results'}, "
            f"{name.partition(', ')[2] or 'unchanged'}, {accounts} accounts"
        )
        report.add(
            Result(
                goal,
                what,
                "of hello's rate",
                rates[name],
                rates["hello"],
                "a hello route",
                "requests/CPU s",
                wanted,
            )
        )


if __name__ == "__main__":
    main("web", run)
