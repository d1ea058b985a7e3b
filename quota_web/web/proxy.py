"""What stands between the server and the app: whose forwarded headers count, and the path that the
app lives under.

Any client can send `X-Forwarded-For` or name a user. Such headers count only where the peer, the
other end of the connection, is one of QUOTA_TRUSTED_PROXIES; from all others they are dropped. A
malformed or doubled one from a trusted proxy is refused rather than guessed at. What is refused is
marked here and answered by `security`, in the app's own style.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from quota_web.config import Settings
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.setting_values import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Where the RefusedRequest of a refused request stands in its environment.
REFUSED = "quota.refused"
HEADER_ADVICE = mark(
    "The reverse proxy must replace this header, not hand on or add to the visitor's."
)
#: What to do where a path comes without its prefix: at the address itself, if a proxy cut it off on
#: the way.
CUT_ADVICE = mark(
    "Codex Quota lives under %(prefix)s/ (QUOTA_URL_PREFIX). If that is where the browser is, its "
    "reverse proxy cuts %(prefix)s off the path: it must hand the path on whole, or send "
    "%(header)s: %(prefix)s."
)
CUT_BY_A_STRANGER_ADVICE = mark(
    "Codex Quota lives under %(prefix)s/ (QUOTA_URL_PREFIX). If that is where the browser is, its "
    "reverse proxy cuts %(prefix)s off the path: it must hand the path on whole, or send "
    "%(header)s: %(prefix)s from an address in QUOTA_TRUSTED_PROXIES."
)
#: These lie at the root whatever the prefix is.
HEALTH = frozenset({"/healthz", "/readyz"})
#: Whether a request came from this machine itself, or through a proxy here; absent from elsewhere.
FROM_HERE, ALONE, PROXIED = "quota.from_here", "alone", "proxied"
#: A peer on a Unix socket has no address; whoever may open the socket is on this machine.
LOCAL = "127.0.0.1"

_FOR, _PROTO, _HOST, _PREFIX = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PREFIX",
)
_USED = frozenset({_FOR, _PROTO, _HOST, _PREFIX})
#: Other spellings of the same; nothing here reads them, and nothing below should be tempted to.
_ALSO_FORWARDED = frozenset(
    {
        "HTTP_FORWARDED",
        "HTTP_X_REAL_IP",
        "HTTP_X_CLIENT_IP",
        "HTTP_TRUE_CLIENT_IP",
        "HTTP_CF_CONNECTING_IP",
        "HTTP_X_SCRIPT_NAME",
        "HTTP_VIA",
    }
)
_SHAPES = {
    _PROTO: re.compile(r"https?", re.IGNORECASE),
    _HOST: re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"),
    _PREFIX: re.compile(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?"),
}


def init_app(app: Flask) -> None:
    app.wsgi_app = Door(app.wsgi_app, app.config["SETTINGS"])  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """Why a request is refused, before its language is known: messages and their data."""

    status: int
    message: str
    advice: str
    data: Mapping[str, str]

    def said(self) -> tuple[int, str, str]:
        """Status, what happened and what to do, in the current language."""
        return self.status, _(self.message, **self.data), _(self.advice, **self.data)


class Door:
    """The middleware: cleans the headers, lets Werkzeug apply those that count, and cuts the prefix
    off the path.
    """

    def __init__(self, app: "WSGIApplication", settings: Settings) -> None:
        self._app = app
        self._fixed = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._trusted, self._prefix = settings.trusted_proxies, settings.url_prefix
        self._has_proxy_here = False
        self._user_header = "HTTP_" + settings.proxy_user_header.upper().replace("-", "_")

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        self._note_where_from(environ)
        believed = is_trusted(environ.get("REMOTE_ADDR"), self._trusted)
        keep = _USED | {self._user_header} if believed else frozenset()
        drop(environ, keep, also=self._user_header)
        refused = _malformed(environ)
        if refused is not None:
            drop(environ, keep - _USED)
            environ[REFUSED] = refused
        self._enter_prefix(environ, believed)
        return self._fixed(environ, start_response)

    def _note_where_from(self, environ: "WSGIEnvironment") -> None:
        """Mark what comes from this machine.

        Once a proxy here was seen, nothing from here is known to be the owner's: it may add no
        header.
        """
        if not _is_loopback(environ.get("REMOTE_ADDR", "")):
            return
        self._has_proxy_here = self._has_proxy_here or any(_is_forwarded(name) for name in environ)
        environ[FROM_HERE] = PROXIED if self._has_proxy_here else ALONE

    def _enter_prefix(self, environ: "WSGIEnvironment", believed: bool) -> None:
        """Split the path into where the app lives and what is asked of it."""
        forwarded = environ.pop(_PREFIX, "").strip().rstrip("/")
        prefix, path = forwarded or self._prefix, environ.get("PATH_INFO", "")
        if not prefix or path in HEALTH or environ.get("SCRIPT_NAME") == prefix:
            environ["SCRIPT_NAME"] = prefix or environ.get("SCRIPT_NAME", "")
            return
        environ["SCRIPT_NAME"] = prefix
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        elif not forwarded:
            # A proxy that names the prefix has cut it off; without one, the path must have it.
            advice = CUT_ADVICE if believed else CUT_BY_A_STRANGER_ADVICE
            data = {"prefix": prefix, "header": _spelled(_PREFIX)}
            environ.setdefault(
                REFUSED, RefusedRequest(404, mark("There is nothing here"), advice, data)
            )


def is_trusted(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Whether the other end of the connection is one of the trusted proxies.

    On a Unix socket it counts as 127.0.0.1.
    """
    try:
        address = ipaddress.ip_address((peer or LOCAL).partition("%")[0])
    except ValueError:
        # Servers call a Unix socket's peer `localhost`, or by the socket's path.
        address = ipaddress.ip_address(LOCAL)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_forwarded(name: str) -> bool:
    return name.startswith("HTTP_X_FORWARDED_") or name in _ALSO_FORWARDED


def drop(environ: "WSGIEnvironment", keep: frozenset[str], also: str | None = None) -> None:
    """Take every forwarded header away but those to *keep*; *also* names one more."""
    for name in [key for key in environ if _is_forwarded(key) or key == also]:
        if name not in keep:
            del environ[name]


def _malformed(environ: "WSGIEnvironment") -> RefusedRequest | None:
    """What is wrong with the forwarded headers that count; brings the client's address into its
    plain form.
    """
    for name, shape in _SHAPES.items():
        value = environ.get(name)
        if value is not None and not shape.fullmatch(value.strip()):
            return _bad_header(mark("%(header)s is malformed or there twice"), name)
    if _PROTO in environ:
        environ[_PROTO] = environ[_PROTO].strip().lower()
    chain = environ.get(_FOR)
    if chain is not None:
        # Only the last entry is the proxy's own word; those before it are whatever the visitor
        # sent.
        client = client_address(chain.rpartition(",")[2].strip())
        if client is None:
            return _bad_header(mark("%(header)s does not end in an IP address"), _FOR)
        environ[_FOR] = client
    return None


def _bad_header(message: str, name: str) -> RefusedRequest:
    return RefusedRequest(400, message, HEADER_ADVICE, {"header": _spelled(name)})


def client_address(entry: str) -> str | None:
    """The IP address of an entry, which may have a port and brackets; None if it is none."""
    host = entry
    if entry.startswith("["):
        host, bracket, port = entry[1:].partition("]")
        if not bracket or (port and not re.fullmatch(r":[0-9]{1,5}", port)):
            return None
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
        if not re.fullmatch(r"[0-9]{1,5}", port):
            return None
    try:
        # A zone (`fe80::1%eth0`) says something on the proxy's machine only, and may hold anything.
        address = ipaddress.ip_address(host) if "%" not in host else None
    except ValueError:
        return None
    return None if address is None else str(getattr(address, "ipv4_mapped", None) or address)


def _spelled(name: str) -> str:
    return "-".join(word.capitalize() for word in name.removeprefix("HTTP_").split("_"))
