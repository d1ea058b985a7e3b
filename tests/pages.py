"""What tests of views share: a browser on an app beside a house, a count of queries, and texts that
do harm where a page does not escape them.

with visiting(house, QUOTA_AUTH="off") as browser:
    browser.get("/")
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from flask import Flask, Response
from sqlalchemy import event
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from quota_web import store
from quota_web.auth import login
from quota_web.auth.login import NewPassword
from quota_web.core import clock
from quota_web.services import services
from quota_web.web import security
from quota_web.web.sessions import COOKIE
from tests.browser import CHEAP, PASSWORD, Browser, gate_of, make_token
from tests.fakes import NOW
from tests.installation import Installation

JSON = {"Accept": "application/json"}
HOSTILE = (
    "<script>alert(1)<script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 191 }}{% raw %}",
    "]]><!-- <svg onload=alert(1)>",
    "javascript:alert(1)",
)


@contextmanager
def visiting(installation: Installation, **settings: str) -> Iterator[Browser]:
    """A signed-in browser on an app of its own, as another process on the same folders would be.

    The clock stands at NOW.
    """
    app = installation.another(**settings)
    app.config["PASSWORD_COST"] = CHEAP
    with clock.frozen(NOW):
        with app.app_context():
            services().ready()
            if not login.has_password(gate_of(app)):
                login.set_password(gate_of(app), NewPassword(PASSWORD), NOW, "test")
        try:
            browser = Browser(app)
            if world_of(app).settings.auth == "password":
                browser.take(_session(app))
            yield browser
        finally:
            close(app)


def _session(app: Flask) -> str:
    """The cookie of a session as the sign-in begins it, without the form and the hash."""
    with app.test_request_context():
        security.start_session(login.epoch())
        response = app.process_response(Response())
    return parse_cookie(response.headers["Set-Cookie"])[COOKIE]


def close(app: Flask) -> None:
    """Close what an app has opened."""
    with app.app_context():
        services().close()
        store.database.bound().dispose()


def world_of(app: Flask) -> Any:
    return app.extensions["quota_services"]


class Script:
    """A program with an API token, on the app of *browser*."""

    def __init__(self, browser: Browser, write: bool = False) -> None:
        self._client = browser.client.application.test_client()
        self.headers = make_token(browser.client.application, f"script {write}", write)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._client.get(path, headers={**self.headers, **headers})

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
        return self._client.post(path, data=fields, headers={**self.headers, **(headers or {})})


@contextmanager
def counted(browser: Browser) -> Iterator[list[str]]:
    """The statements that the browser's app runs inside the block."""
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with browser.client.application.app_context():
        engine = store.database.bound()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


class _Reader(HTMLParser):
    """Collects what a page links to, and what in it could run or load something that it should
    not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.dangers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.links += [
            held[name]
            for name in ("href", "src", "action", "data-api", "data-results", "data-library")
            if name in held
        ]
        self.links += [
            part.split()[0] for part in held.get("srcset", "").split(",") if part.strip()
        ]
        is_ours = "src" in held or held.get("type") == "application/json"
        if tag in ("iframe", "object", "embed", "base", "style") or (
            tag == "script" and not is_ours
        ):
            self.dangers.append(tag)
        self.dangers += [
            f"{tag} {name}" for name in held if name.startswith("on") or name == "style"
        ]
        self.dangers += [
            link
            for link in self.links
            if link.lower().startswith(("javascript:", "data:")) or link == "x"
        ]


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def said(page: str) -> list[str]:
    """The messages at the top of a page."""
    return [
        re.sub(r"<[^>]+>", "", words)
        for words in re.findall(r'<(?:p|div) class="note[^>]*>(.*?)</(?:p|div)>', page, re.S)
    ]


def error_at(page: str, field: str) -> str | None:
    """What stands below a form's field."""
    found = re.search(rf'id="{field}-error">([^<]*)<', page)
    return found[1] if found else None


def value_of(page: str, field: str) -> str | None:
    """What a form's field holds."""
    found = re.search(rf'<input id="{field}"[^>]* value="([^"]*)"', page)
    return found[1] if found else None
