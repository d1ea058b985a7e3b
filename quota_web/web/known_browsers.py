"""Browsers that are known before they sign in: those that were signed in before, and those on this
machine itself.

Being known opens nothing. It gives a pot of its own to guess the password out of, which strangers
cannot use up.

A session has the browser's name, and says it as long as its cookie lasts, also when it no longer
counts. The cookie of its own, which lasts longer, comes with a later answer than the sign-in's:
what reads a single cookie there must find the session's.
"""

import hashlib
import re
import secrets
from contextlib import suppress

from flask import Flask, Response, current_app, g, request, session
from itsdangerous import BadSignature, Signer

from quota_web.auth import login
from quota_web.core import clock
from quota_web.core.errors import QuotaError
from quota_web.web import proxy

COOKIE = "codex_quota_known"
#: Where a session holds it.
NAME = "browser"
KEPT_FOR_S = 365 * 86_400
MAX_COOKIE = 200
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
#: Where the id that the answer is to give to the browser waits.
_GIVEN = "known_browser"


def own_pot() -> str | None:
    """The pot of a known browser or of this machine; None for all others."""
    found = _browser()
    if found is not None:
        return f"browser {found}"
    return "this machine" if _is_alone_here() else None


def browser_name() -> str:
    """What this browser is called here, or from now on."""
    return _browser() or secrets.token_urlsafe(16)


def remember_browser() -> None:
    """Let the answer set the cookie that says that this browser was signed in."""
    session.setdefault(NAME, browser_name())
    setattr(g, _GIVEN, session[NAME])


def save(app: Flask, response: Response, path: str, secure: bool) -> None:
    """Give the browser its cookie, if this request said so."""
    given = g.get(_GIVEN)
    if given is not None:
        value = _signer(app).sign(given).decode("ascii")
        response.set_cookie(
            COOKIE,
            value,
            max_age=KEPT_FOR_S,
            path=path,
            secure=secure,
            httponly=True,
            samesite="Lax",
        )


def _browser() -> str | None:
    return session.get(NAME) or _from_cookie()


def _from_cookie() -> str | None:
    cookie = request.cookies.get(COOKIE, "")
    if len(cookie) > MAX_COOKIE:
        return None
    try:
        found = _signer(current_app).unsign(cookie).decode("ascii")
    except (BadSignature, UnicodeError):
        return None
    return found if _ID.fullmatch(found) else None


def _signer(app: Flask) -> Signer:
    """Of the keys of the session's cookie, so that it is worthless as soon as those are."""
    keys = [*app.config["SECRET_KEY_FALLBACKS"], app.config["SECRET_KEY"]]
    return Signer(keys, salt="known browser", key_derivation="hmac", digest_method=hashlib.sha256)


def _is_alone_here() -> bool:
    """Whether the request comes from this machine itself, which no stranger reaches through a
    proxy.
    """
    where_from = request.environ.get(proxy.FROM_HERE)
    if where_from == proxy.PROXIED:
        # Also for the other processes, and for this one when it starts again.
        with suppress(QuotaError):
            login.remember_local_proxy(clock.now())
    return where_from == proxy.ALONE and not login.has_local_proxy(clock.now())
