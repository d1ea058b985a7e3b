"""Sends one HTTP request and reads its response, within a deadline and up to a size.

requests' adapter is used without a `Session`: that one keeps cookies, reads `.netrc` and the
environment, and reads the whole body of a redirect that it does not follow. TLS is always verified.
"""

import http.client
import os
import ssl
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests.adapters
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from quota_web.codex import transport_errors
from quota_web.codex.request_deadlines import (
    CuttableConnection,
    NotSent,
    RequestDeadline,
    RequestWatcher,
    SendGate,
)
from quota_web.core import clock
from quota_web.core.errors import BadSetting
from quota_web.core.limits import MAX_RESPONSE

CONNECT_TIMEOUT_S = 5.0


class PinnedRequest(requests.PreparedRequest):
    """A request that goes to one address, whatever its host's name resolves to by then.

    Certificates are still checked for the host, and a proxy is asked for the address.
    """

    #: IPv6 in brackets.
    address: str

    @classmethod
    def of(cls, request: requests.PreparedRequest, address: str) -> "PinnedRequest":
        pinned = cls()
        vars(pinned).update(vars(request.copy()))
        pinned.address = f"[{address}]" if ":" in address else address
        pinned.headers["Host"] = urlsplit(request.url or "").netloc
        return pinned


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, as far as it came."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    #: Unpacked.
    body: bytes = b""
    #: Why the body cannot be used, although a response came.
    problem: str | None = None
    #: Why no response came.
    failure: str | None = None
    #: Whether there was not even a connection, so that nothing was sent.
    is_unreached: bool = False

    @property
    def lower_headers(self) -> dict[str, str]:
        """The headers by their names in lower case; empty where no response came."""
        return {name.lower(): value for name, value in (self.headers or {}).items()}


class Transport:
    """Sends requests over one pool of connections; safe to use from many threads."""

    def __init__(
        self,
        *,
        proxy: str | None,
        tls: bool,
        ca_bundle: str | None,
        pool_size: int,
        hosts: int = 1,
        most: int = MAX_RESPONSE,
    ) -> None:
        """*proxy* is a URL with its scheme; without *tls* only plain http is sent; *ca_bundle* is
        a file or folder of certificates, by default those that come with requests. Connections to
        so many *hosts* are kept, and *most* bytes of a response are read.

        Raises BadSetting for a bad CA bundle.
        """
        self._proxies = {"https": proxy} if proxy else None
        self._tls = _tls_context(ca_bundle) if tls else None
        self._pools, self._most = (hosts, pool_size), most
        self._begins = threading.Lock()
        self._begin()

    def send(self, request: requests.PreparedRequest, seconds: float) -> Exchange:
        """Send *request* and read its response, all within *seconds*."""
        self._begin_after_fork()
        return self._send(self._adapter, request, seconds)

    def send_once(
        self, request: requests.PreparedRequest, seconds: float, gate: SendGate
    ) -> Exchange:
        """The same over a connection of its own, on which nothing is sent before *gate* was
        entered, and nothing twice.

        What the gate's claim raises is raised.
        """
        self._begin_after_fork()
        adapter = _Adapter(self._tls, 1, 1)
        try:
            return self._send(adapter, request, seconds, gate)
        except NotSent:
            return Exchange(failure="not sent", is_unreached=True)
        finally:
            adapter.close()

    def shorten(self, seconds: float) -> None:
        """Let all requests under way end within *seconds* from now."""
        self._watcher.shorten(clock.monotonic() + seconds)

    def _begin_after_fork(self) -> None:
        # Threads that send the first requests at once share one watcher: what another one had
        # would be cut by nothing.
        with self._begins:
            if self._pid != os.getpid():
                # Two processes must not talk over the same sockets, and the watching thread stayed
                # behind.
                self._begin()

    def _send(
        self,
        adapter: "_Adapter",
        request: requests.PreparedRequest,
        seconds: float,
        gate: SendGate | None = None,
    ) -> Exchange:
        connect, said = min(CONNECT_TIMEOUT_S, seconds), round(seconds, 1)
        failed = None
        with self._watcher.limit(seconds, gate) as deadline:
            try:
                exchange = self._exchange(adapter, request, (connect, seconds + 1), deadline)
            except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
                words = transport_errors.in_words(error, connect, said)
                failed = Exchange(failure=words, is_unreached=transport_errors.is_unreached(error))
        if failed is None and gate is not None and exchange.status == 200:
            # Read to its end, whatever fired since: what it holds comes a single time.
            return exchange
        if deadline.fired:
            return Exchange(failure=f"timed out after {said:g} s")
        return exchange if failed is None else failed

    def cut_all(self) -> None:
        """Shut the sockets of all requests under way down."""
        self._watcher.cut_all()

    def close(self) -> None:
        """Cut what is under way and close all connections; nothing can be sent any more."""
        self._watcher.close()
        self._adapter.close()

    def _begin(self) -> None:
        self._adapter = _Adapter(self._tls, *self._pools)
        self._watcher, self._pid = RequestWatcher(), os.getpid()

    def _exchange(
        self,
        adapter: "_Adapter",
        request: requests.PreparedRequest,
        timeout: tuple[float, float],
        deadline: RequestDeadline,
    ) -> Exchange:
        response = adapter.send(request, stream=True, timeout=timeout, proxies=self._proxies)
        body: bytes = b""
        problem: str | None = "not read"
        try:
            body, problem = _read(response.raw, self._most)
        finally:
            if problem is not None:
                response.raw.close()
            response.raw.release_conn()
        if not body and problem is None and _is_cut_in_its_header(response.raw):
            return Exchange(failure="the answer was cut short")
        if problem is None:
            encoding = response.headers.get("content-encoding", "")
            body, problem = _unpacked(body, encoding, self._most)
        return Exchange(response.status_code, response.headers, body, problem)


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with connections that a deadline can cut, and certificates read once.

    Left to itself, requests lets every new connection read the certificates again, which
    takes 13 ms of processor time: forty requests' worth.
    """

    def __init__(self, tls: ssl.SSLContext | None, hosts: int, pool_size: int) -> None:
        self._tls = tls
        super().__init__(pool_connections=hosts, pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        _make_cuttable(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(
            proxy, ssl_context=self._tls, **_proxy_tls(proxy, self._tls), **kwargs
        )
        if is_new:
            _make_cuttable(manager)
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host: Any
        pool: Any
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if isinstance(request, PinnedRequest):
            if host["scheme"] == "https":
                pool["server_hostname"] = str(host["host"]).strip("[]")
            host["host"] = request.address
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Always verify, with the certificates that the pool's context holds already."""
        conn.cert_reqs = "CERT_REQUIRED"


def _proxy_tls(proxy: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    return {} if proxy.startswith("socks") else {"proxy_ssl_context": tls}


def _make_cuttable(manager: Any) -> None:
    """Let all pools that *manager* makes use connections that a deadline can cut."""
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _cuttable(pool.ConnectionCls)})
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _cuttable(connection: type) -> type:
    return type(f"Cuttable{connection.__name__}", (CuttableConnection, connection), {})


def _read(response: urllib3.BaseHTTPResponse, most: int) -> tuple[bytes, str | None]:
    """The body as it came, or why it is not read.

    The last read is the one that notices an answer cut short.
    """
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:15]) > most:
        return b"", _too_large(most)
    raw = b""
    while chunk := response.read(most + 1 - len(raw), decode_content=False):
        raw += chunk
        if len(raw) > most:
            return b"", _too_large(most)
    return raw, None


def _is_cut_in_its_header(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a response without a body broke off in its header: http.client takes the end of the
    connection for the end of the header.
    """
    ends = ("content-length", "transfer-encoding")
    announced = (
        any(name in response.headers for name in ends)
        or response.headers.get("connection", "").lower() == "close"
    )
    return not announced and response.version == 11 and response.status not in (204, 304)


def _too_large(most: int) -> str:
    size = f"{most // 1024**2} MiB" if most >= 1024**2 else f"{most // 1024} KiB"
    return f"the answer is larger than {size}"


def _unpacked(raw: bytes, encoding: str, most: int) -> tuple[bytes, str | None]:
    """The body unpacked, no further than it may be large, or why it cannot be."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not raw:
        return raw, None
    if encoding not in ("gzip", "x-gzip"):
        return b"", "the answer is packed in a way that was not asked for"
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(raw, most + 1)
    except zlib.error:
        return b"", "the answer cannot be unpacked"
    if len(body) > most:
        return b"", _too_large(most)
    return (body, None) if unpacker.eof else (b"", "the answer cannot be unpacked")


def _tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    path = ca_bundle or DEFAULT_CA_BUNDLE_PATH
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        words = (
            "is not a file of certificates" if isinstance(error, ssl.SSLError) else "cannot be read"
        )
    raise BadSetting(f"the CA bundle {path} {words}")
