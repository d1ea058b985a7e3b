"""The session cookie: signed with keys derived from the instance's own, for its path alone, and
never beside a bearer token.
"""

import hashlib
import hmac
from datetime import timedelta

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from quota_web.auth import tokens
from quota_web.core.errors import QuotaError
from quota_web.services import services
from quota_web.web import known_browsers

COOKIE = "codex_quota_session"
LIFETIME_S = 30 * 86_400
#: Addresses below these have their secret in them: they are opened by that alone.
SHARED = ("/share/", "/embed/")
#: Where a fault that kept the cookie closed is left for `security`, which turns it into a page.
FAULT = "quota.session_fault"


def init_app(app: Flask) -> None:
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=LIFETIME_S),
        # Renewed by `security` once an hour instead: a cookie in every answer would be noise.
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.session_interface = KeySessions()


def bearer() -> str | None:
    """The token of an `Authorization: Bearer` header; a request that has one is a program's, and
    its cookies mean nothing.

    A proxy that signs people in may send a bearer token of its own along: beside it, only ours
    count.
    """
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or (
        services().settings.auth != "password" and not token.startswith(tokens.PREFIX)
    ):
        return None
    return token


def is_shared() -> bool:
    """Whether a share link is requested: no cookie and no token means anything there."""
    return request.path.startswith(SHARED)


class KeySessions(SecureCookieSessionInterface):
    """Flask's signed cookies, with keys that are first read when a request needs them: making an
    app touches no disk.
    """

    digest_method = staticmethod(hashlib.sha256)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path == "/healthz" or is_shared():
            return self.session_class()
        try:
            # Also for requests with a token instead of a cookie: pages print forms, and those are
            # signed.
            unlock(app)
        except QuotaError as error:
            request.environ[FAULT] = error
            return self.session_class()
        return self.session_class() if bearer() is not None else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if app.secret_key and bearer() is None and not is_shared():
            super().save_session(app, session, response)
            # After the session's own: a program that reads a single cookie must find that one.
            known_browsers.save(
                app, response, self.get_cookie_path(app), self.get_cookie_secure(app)
            )

    def get_cookie_path(self, app: Flask) -> str:
        # Another app on the same host must not see the cookie.
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def unlock(app: Flask) -> None:
    """Give Flask its keys, once. Raises BadSetting where the key file cannot be read."""
    if app.secret_key:
        return
    present = services()
    password = present.settings.password.reveal() if present.settings.password else ""
    # The fixed password is part of the key: when it changes, cookies from before fit no more, and
    # no cookie says anything about it.
    keys = [
        hmac.digest(key, b"password:" + password.encode("utf-8", "surrogatepass"), "sha256")
        for key in present.cipher.cookie_keys()
    ]
    # The main key last: another thread takes its presence as a sign that all is there.
    app.config["SECRET_KEY_FALLBACKS"] = keys[1:]
    app.config["SECRET_KEY"] = keys[0]
