"""Where a request comes from and where its answer leads: other sites can neither send with our
user's cookie nor be led to.
"""

from urllib.parse import urlsplit

from flask import request, url_for

from quota_web.core.errors import shortened
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.web import sessions
from quota_web.web.errors import Refusal

_CROSS_SITE_ADVICE = mark("Open the dashboard itself and do it there; scripts use an API token.")
#: An address to go back to that is longer is none of ours that a person was at.
MAX_TARGET = 2000


def is_cross_site() -> bool:
    """Whether another site led the browser here. A program with a token is never led."""
    return sessions.bearer() is None and request.headers.get("Sec-Fetch-Site", "") in (
        "cross-site",
        "same-site",
    )


def check() -> None:
    """Refuse what another site's page sends with our user's cookie.

    What says nothing about where it came from is left to the CSRF token.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "null")
    if site in ("same-origin", "none"):
        return
    if site is not None:
        raise Refusal(403, _("This came from another site"), _(_CROSS_SITE_ADVICE))
    # Browsers leave Sec-Fetch-Site out on plain http; under a strict Referrer-Policy, such as
    # proxies like to set, their Origin is null there.
    if origin != "null" and not _origin_is_ours(origin):
        raise Refusal(403, _("This came from another site"), _other_origin_advice(origin))


def _other_origin_advice(origin: str) -> str:
    return _(
        "The browser was at %(origin)s, and this was sent to %(host)s. Open the dashboard itself "
        "and do it there; scripts use an API token. If that was the dashboard, its reverse proxy "
        "must hand on the Host header that the browser sends.",
        origin=shortened(origin),
        host=request.headers.get("Host", ""),
    )


def _origin_is_ours(origin: str) -> bool:
    """Whether an Origin names the host that was asked.

    Its scheme may differ: a proxy may have ended https.
    """
    scheme, separator, host = origin.partition("://")
    if not separator or scheme not in ("http", "https") or not host:
        return False
    default = ":443" if scheme == "https" else ":80"
    return host.lower().removesuffix(default) == request.headers.get(
        "Host", ""
    ).lower().removesuffix(default)


def safe_next(target: str | None, otherwise: str | None = None) -> str:
    """Where to go next: *target* if it is a path of ours, else *otherwise* (the dashboard).

    Never another site, however it is spelled.
    """
    home = url_for("dashboard.index")
    return target if target and _is_ours(target, home) else otherwise or home


def _is_ours(target: str, home: str) -> bool:
    """Whether browsers read *target* as a path below *home*: they drop control characters, and take
    \\ for /.
    """
    if len(target) > MAX_TARGET or any(not " " < c < "\x7f" for c in target) or "\\" in target:
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    steps = parts.path.lower().replace("%2e", ".").split("/")
    is_plain = "//" not in target.partition("?")[0] and "." not in steps and ".." not in steps
    return is_plain and not parts.scheme and not parts.netloc and parts.path.startswith(home)
