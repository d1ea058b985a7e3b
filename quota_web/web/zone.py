"""The zone in which pages show times: the viewer's, once its browser has named it in a cookie,
else the server's.

The cookie is set by page.js. Times are then written in their final form, so nothing moves when the
script runs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import Flask, current_app, request

from quota_web.web import sessions

COOKIE = "codex_quota_zone"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,63}")
_TOKEN = "quota.zone_token"
_viewer: ContextVar[ZoneInfo | None] = ContextVar("viewer_zone", default=None)


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.teardown_request(_end)
    app.jinja_env.globals.update(viewer_zone=viewer_zone)


def viewer_zone() -> str | None:
    """The name of the viewer's zone; None while it is not known."""
    found = _viewer.get()
    return found.key if found else None


def shown() -> tzinfo | None:
    """The zone that times are written in; None is the machine's own."""
    found: tzinfo | None = _viewer.get() or current_app.config["SETTINGS"].timezone
    return found


@lru_cache(maxsize=64)
def named(name: str) -> ZoneInfo | None:
    """The zone of that name, as browsers call it; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError):
        return None


@contextmanager
def use_zone(found: ZoneInfo | None) -> Iterator[None]:
    """Write times in that zone inside the block; None changes nothing."""
    if found is None:
        yield
        return
    token = _viewer.set(found)
    try:
        yield
    finally:
        _viewer.reset(token)


def _begin() -> None:
    # A share link knows no cookies.
    name = None if sessions.is_shared() else request.cookies.get(COOKIE)
    request.environ[_TOKEN] = _viewer.set(named(name[:80]) if name else None)


def _end(_error: BaseException | None) -> None:
    token: Token[ZoneInfo | None] | None = request.environ.pop(_TOKEN, None)
    if token is not None:
        _viewer.reset(token)
