"""Watches what Apprise does in the program that runs it, and stops all that may not be.

Two nets. Audit hooks, which nothing in the process gets around, stop connections to addresses that
may not be reached, and other programs. Before that the requests that it makes are looked at: where
they go by name, that certificates are checked, and no redirect is followed.
"""

import ctypes  # noqa: F401 - loads a library when it is imported, which is refused later
import smtplib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.sessions
from requests.utils import select_proxy

from quota_web.alerts.destinations import NOT_OPEN, PLAIN_HTTP, look_up
from quota_web.codex import transport_errors
from quota_web.core import urls
from quota_web.core.alert_targets import AlertTargets, may_reach
from quota_web.core.language import mark

_REFUSED = frozenset(
    {
        "ctypes.dlopen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)
UNCHECKED = mark("certificates are always checked")
NO_WAY_FOR_MAIL = mark("mail does not go through a proxy; name its server in NO_PROXY")
_CONNECT_S, _TIMEOUT_S = 5.0, 20.0


class Refused(PermissionError):
    """Something that Apprise tried is not allowed."""


@dataclass(slots=True)
class Watched:
    """What is seen of one message."""

    #: Nothing is sent; it is only judged where it would go.
    is_dry: bool = False
    #: Whether it was about to be sent somewhere.
    is_judged: bool = False
    #: Why it was stopped.
    refusal: str | None = None
    #: Of the last answer.
    status: int | None = None
    retry_after: str | None = None
    #: Why there was no answer.
    failure: str | None = None
    is_connected: bool = False


@dataclass(slots=True)
class Guard:
    """*proxy* is the one way out, where there is one; hosts in *no_proxy* are reached past it."""

    targets: AlertTargets
    proxy: str | None = None
    no_proxy: str | None = None
    _current: ContextVar[Watched | None] = field(
        default_factory=lambda: ContextVar("watched", default=None)
    )
    #: Whether the request that is being made goes past the proxy.
    _is_direct: ContextVar[bool] = field(
        default_factory=lambda: ContextVar("direct", default=False)
    )
    _proxy_places: frozenset[tuple[str, int]] = frozenset()

    def install(self) -> None:
        """Watch from now on, for good. To be called before Apprise is imported."""
        if self.proxy is not None:
            parts = urlsplit(self.proxy)
            host, port = parts.hostname or "", parts.port or 80
            found = {(address, port) for address in look_up(host, port)}
            self._proxy_places = frozenset({(host, port), *found})
        sys.addaudithook(self._audit)
        _around(requests.adapters.HTTPAdapter, "send", self._send)
        _around(smtplib.SMTP, "connect", self._connect_mail)
        # The answer itself is then the result.
        requests.sessions.SessionRedirectMixin.resolve_redirects = (  # type: ignore[method-assign]
            lambda *_args, **_more: iter(())
        )

    @contextmanager
    def watching(self, is_dry: bool) -> Iterator[Watched]:
        """See what is done for one message."""
        watched = Watched(is_dry)
        token = self._current.set(watched)
        try:
            yield watched
        finally:
            self._current.reset(token)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            self._judge_connection(args[1])
        elif event in ("socket.sendto", "socket.sendmsg"):
            # Without an address it goes over a connection that was judged.
            if args[1] is not None:
                self._refuse(NOT_OPEN)
        elif event in _REFUSED:
            self._refuse(f"{event} is not allowed")

    def _judge_connection(self, place: Any) -> None:
        if not isinstance(place, tuple):
            self._refuse(NOT_OPEN)
        host, port = str(place[0]), int(place[1])
        if (host, port) in self._proxy_places:
            return
        if self._proxy_places and not self._is_direct.get():
            self._refuse("connections past the proxy are not allowed")
        if not self._may_connect(host):
            self._refuse(NOT_OPEN)
        watched = self._current.get()
        if watched is not None:
            if watched.is_dry:
                raise Refused("nothing is sent")
            watched.is_connected = True

    def _may_connect(self, address: str) -> bool:
        """By the address alone, or because it is one of a host that the owner named."""
        return may_reach(address, "", self.targets) or any(
            may_reach(address, host, self.targets) and address in look_up(host, 0)
            for host in self.targets.hosts
        )

    def _send(
        self, send: Callable[..., Any], adapter: Any, request: Any, *args: Any, **more: Any
    ) -> Any:
        parts = urlsplit(request.url)
        self._judge_host(parts.hostname or "", parts.port or 443, parts.scheme)
        if not more.get("verify", True):
            self._refuse(UNCHECKED)
        watched = self._current.get() or Watched()
        self._stop_if_dry(watched)
        token = self._is_direct.set(select_proxy(request.url, more.get("proxies")) is None)
        try:
            response = send(adapter, request, *args, **more)
        except requests.RequestException as error:
            words = transport_errors.in_words(error, _CONNECT_S, _TIMEOUT_S)
            watched.failure = watched.failure or words
            raise
        finally:
            self._is_direct.reset(token)
        watched.status = response.status_code
        watched.retry_after = response.headers.get("retry-after")
        return response

    def _connect_mail(
        self,
        connect: Callable[..., Any],
        client: smtplib.SMTP,
        host: str = "",
        port: int = 0,
        *args: Any,
        **more: Any,
    ) -> Any:
        self._judge_host(host, port or 25, "smtp")
        if self.proxy and not urls.goes_past_proxy(f"https://{host}:{port or 25}", self.no_proxy):
            self._refuse(NO_WAY_FOR_MAIL)
        watched = self._current.get() or Watched()
        self._stop_if_dry(watched)
        token = self._is_direct.set(True)
        try:
            return connect(client, host, port, *args, **more)
        except OSError as error:
            words = transport_errors.in_words(error, _CONNECT_S, _TIMEOUT_S)
            watched.failure = watched.failure or words
            raise
        finally:
            self._is_direct.reset(token)

    def _judge_host(self, host: str, port: int, scheme: str) -> None:
        """Judge a host by all addresses of its name: behind a proxy no connection shows where it
        leads.
        """
        addresses = look_up(host, port)
        watched = self._current.get() or Watched()
        watched.is_judged = True
        if not addresses:
            watched.failure = "name not found"
            raise requests.ConnectionError("name not found")
        if not all(may_reach(address, host, self.targets) for address in addresses):
            self._refuse(NOT_OPEN)
        if scheme == "http" and not all(self.targets.names(host, a) for a in addresses):
            self._refuse(PLAIN_HTTP)

    def _stop_if_dry(self, watched: Watched) -> None:
        if watched.is_dry:
            raise requests.ConnectionError("nothing is sent")

    def _refuse(self, why: str) -> NoReturn:
        watched = self._current.get()
        if watched is not None and watched.refusal is None:
            watched.refusal = why
        raise Refused(why)


def _around(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Let calls of a method go through *wrapper*, which is given the method first."""
    method = getattr(owner, name)

    def called(*args: Any, **more: Any) -> Any:
        return wrapper(method, *args, **more)

    setattr(owner, name, called)
