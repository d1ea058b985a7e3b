"""What tests of pages share: an app on a fresh database, a browser that behaves as browsers do, and
a script with a token.

app = make_app(instance_dir)
browser = Browser(app).signed_in()
browser.post("/auth/pause", name="alice")
"""

import re
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from quota_web import config, store
from quota_web.auth import login, tokens
from quota_web.auth.login import LoginContext, NewPassword
from quota_web.auth.passwords import Cost
from quota_web.core import clock
from quota_web.factory import create_app
from quota_web.services import services
from quota_web.web.sessions import COOKIE
from tests.schema_file import put_schema

PASSWORD = "correct horse battery"
#: A real password hash takes a good part of a second; tests have many.
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)


def first_start(instance_dir: Path, **settings: str) -> Flask:
    """An app on a fresh database, without a password unless the settings bring one."""
    folder = instance_dir / "account"
    folder.mkdir(exist_ok=True)
    if "QUOTA_DATABASE_URL" not in settings:
        put_schema(instance_dir)
    app = create_app(
        config.load(
            {"QUOTA_INSTANCE_DIR": str(instance_dir), "QUOTA_ACCOUNT_DIR": str(folder), **settings}
        )
    )
    app.config["PASSWORD_COST"] = CHEAP
    with app.app_context():
        services().ready()
    return app


def make_app(instance_dir: Path, **settings: str) -> Flask:
    """An app that has its password."""
    app = first_start(instance_dir, **settings)
    with app.app_context():
        if gate_of(app).fixed_password is None:
            login.set_password(gate_of(app), NewPassword(PASSWORD), clock.now(), "test")
    return app


def make_token(app: Flask, name: str = "script", write: bool = False) -> dict[str, str]:
    """The header of a script that has an API token."""
    with app.app_context():
        return {
            "Authorization": f"Bearer {tokens.create(name, write, clock.now(), 'test')[1].reveal()}"
        }


def gate_of(app: Flask) -> LoginContext:
    """What the acts of signing in are given."""
    return LoginContext(app.config["SETTINGS"], CHEAP)


def audit() -> list[str]:
    """The kinds of what happened, the newest first."""
    with store.database.reading() as conn:
        return [event.kind for event in store.audit_log.newest(conn)]


def failures() -> int:
    """How many failed sign-ins are remembered."""
    with store.database.reading() as conn:
        return len(store.auth.all_failures(conn, 0, 1000))


class Browser:
    """Keeps cookies, says where its forms come from, and sends their CSRF token along."""

    def __init__(self, app: Flask, base: str = "http://localhost", **environ: Any) -> None:
        self.client = app.test_client()
        self.base, self.environ = base, environ

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(
            path,
            base_url=self.base,
            headers=_spelled(headers),
            environ_base=self.environ,
            buffered=True,
        )

    def post(
        self, path: str, /, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> TestResponse:
        # Buffered, here and above: an answer that is a file is read and closed.
        data = {"csrf_token": self.csrf_token(), **fields}
        sent = {"Origin": self.base, **(headers or {})}
        return self.client.post(
            path,
            base_url=self.base,
            data=data,
            headers=sent,
            environ_base=self.environ,
            buffered=True,
        )

    def cookie(self) -> str:
        """The session cookie's value."""
        found = self.client.get_cookie(COOKIE)
        assert found is not None
        return found.value

    def take(self, cookie: str) -> None:
        """Use somebody's session cookie."""
        self.client.set_cookie(COOKIE, cookie, domain="localhost")

    def csrf_token(self) -> str:
        """The token of any page's form: signed in the sign-out's, otherwise the sign-in's."""
        for path in ("/settings", "/login", "/auth"):
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
            if found:
                return found.group(1)
        return ""

    def sign_in(self, password: str = PASSWORD, **fields: Any) -> TestResponse:
        return self.post("/login", password=password, **fields)

    def signed_in(self) -> "Browser":
        assert self.sign_in().status_code == 303
        return self

    def may_look(self) -> bool:
        return self.get("/settings").status_code == 200


def _spelled(headers: dict[str, str]) -> dict[str, str]:
    """`Sec_Fetch_Site` → `Sec-Fetch-Site`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
