"""One question to the usage endpoint: one deadline, a cap on what is read, no redirects, no
cookies, retries.

urllib3 is used without requests' Session on top: that one would keep cookies, and it reads the
whole body of a redirect it does not follow. Nothing is taken from the environment or from `.netrc`,
and TLS is always verified. What the upstream does is a value, an `Answer`; only bugs are raised.
"""

import http.client
import os
import random
import re
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import certifi
import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from quota_web.codex import classify, payload, transport_errors
from quota_web.codex.classify import MAX_BODY, Classification
from quota_web.codex.fetch_result import FetchResult as Answer
from quota_web.codex.request_deadlines import CuttableConnection, RequestDeadline, RequestWatcher
from quota_web.core import clock, urls
from quota_web.core.errors import BadSetting
from quota_web.core.faults import Fault
from quota_web.core.quota import Snapshot, Status
from quota_web.core.secret import Secret

CONNECT_TIMEOUT_S = 5.0
#: All requests of one attempt together, waits included; claims on accounts are sized after it.
ATTEMPT_DEADLINE_S = 120.0
#: A longer `Retry-After` ends the attempt: the schedule waits better than a thread does.
LONGEST_WAIT_S = 30
#: How much longer than asked a wait may be, so that many accounts do not come back together.
JITTER = 0.25

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
_MASKED = ("set-cookie", "set-cookie2")


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request and its answer, as far as it came."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    #: Why the body cannot be used, although an answer came.
    problem: str | None = None
    #: Why no answer came.
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What a question without a token came to: whether there is a way to the other side, and
    whether it likes this machine's address.
    """

    status: int | None
    #: Why no answer came, or what the answer says about this machine.
    fault: Fault | None
    #: The other side's clock, epoch seconds; None where it does not tell.
    date: int | None
    duration_ms: int


class UsageClient:
    """Asks for the quota of any number of accounts over one pool of connections; safe to use from
    many threads.
    """

    def __init__(
        self,
        url: str,
        user_agent: str,
        *,
        https_proxy: str | None = None,
        no_proxy: str | None = None,
        ca_bundle: str | None = None,
        retries: int = 3,
        retry_delay: float = 2.0,
        timeout: float = 30.0,
        pool_size: int = 16,
        stop: threading.Event | None = None,
    ) -> None:
        """*timeout* is for one request, whole; *stop* ends waits and lets nothing more be sent.

        Raises BadSetting for a bad address or CA bundle.
        """
        _refuse("the address of the usage endpoint", urls.check_upstream_url(url))
        _refuse(
            "the address of the proxy", urls.check_proxy_url(https_proxy) if https_proxy else None
        )
        self._url, parts = url, urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Plain http goes to this machine or its neighbours only, never through a proxy that would
        # read the token.
        proxied = (
            https_proxy and parts.scheme == "https" and not urls.goes_past_proxy(url, no_proxy)
        )
        self._proxy = urls.with_scheme(https_proxy) if proxied and https_proxy else None
        self._tls = _tls_context(ca_bundle) if parts.scheme == "https" or self._proxy else None
        self._retries, self._retry_delay, self._timeout, self._pool_size = (
            retries,
            retry_delay,
            timeout,
            pool_size,
        )
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Origin": "https://chatgpt.com",
            "Referer": "https://chatgpt.com/",
            "User-Agent": user_agent,
        }
        self._stop = stop or threading.Event()
        self._pool, self._watch, self._pid = self._new_pool(), RequestWatcher(), os.getpid()

    def fetch(
        self,
        account_id: str,
        access_token: Secret,
        fedramp: bool = False,
        *,
        now: Callable[[], int],
        keep_raw: bool = False,
    ) -> Answer:
        """Ask for one account's quota, with retries; *now* tells the wall time at which an answer
        came.
        """
        headers = self._headers_for(account_id, access_token, fedramp)
        hide = (access_token.reveal(), account_id)
        started, sent = clock.monotonic(), 0
        give_up = started + ATTEMPT_DEADLINE_S
        while True:
            if self._stop.is_set():
                return self._dropped(started, sent)
            exchange = self._exchange(
                headers, max(0.1, min(self._timeout, give_up - clock.monotonic()))
            )
            sent += 1
            if self._stop.is_set() and exchange.failure is not None:
                return self._dropped(started, sent)
            judged = self._judged(exchange, now(), hide)
            wait = self._wait(exchange, judged, sent, give_up - clock.monotonic())
            if wait is None:
                return _answer(exchange, judged, now(), keep_raw, sent, started)
            self._stop.wait(wait)

    def probe(self, now: int) -> Probe:
        """Ask once, without any token: enough to see name, route, proxy and certificate."""
        started = clock.monotonic()
        exchange = self._exchange(dict(self._headers), self._timeout)
        judged, _ = self._judged(exchange, now, ())
        date = _epoch_of((exchange.headers or {}).get("date"))
        return Probe(exchange.status, judged.fault, date, _since(started))

    def cut(self) -> None:
        """Stop: nothing more is sent, waits end, and the sockets of all requests under way are shut
        down.
        """
        self._stop.set()
        self._watch.cut_all()

    def close(self) -> None:
        """RequestDeadline what is under way and give all connections back.

        The client cannot be used again.
        """
        self.cut()
        self._watch.close()
        self._pool.close()

    def _new_pool(self) -> HTTPConnectionPool:
        pool = _manager(self._proxy, self._pool_size, self._tls).connection_from_url(self._url)
        pool.ConnectionCls = type("Cuttable", (CuttableConnection, pool.ConnectionCls), {})
        return pool

    def _headers_for(self, account_id: str, access_token: Secret, fedramp: bool) -> dict[str, str]:
        token = access_token.reveal()
        if not _HEADER_SAFE.fullmatch(token) or not _HEADER_SAFE.fullmatch(account_id):
            raise ValueError("a token or account id that cannot stand in a header")
        headers = {
            **self._headers,
            "Authorization": f"Bearer {token}",
            "ChatGPT-Account-Id": account_id,
        }
        if fedramp:
            headers["X-OpenAI-Fedramp"] = "true"
        return headers

    def _exchange(self, headers: dict[str, str], seconds: float) -> _Exchange:
        """Send one request and read its answer, all within *seconds*."""
        if self._pid != os.getpid():
            # After a fork: two processes must not talk over the same sockets, and the watching
            # thread stayed behind.
            self._pool, self._watch, self._pid = self._new_pool(), RequestWatcher(), os.getpid()
        connect, said = min(CONNECT_TIMEOUT_S, seconds), round(seconds, 1)
        failure = None
        with self._watch.limit(seconds) as cut:
            try:
                found = self._send(headers, urllib3.Timeout(connect=connect, read=seconds + 1), cut)
            except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
                failure = transport_errors.in_words(error, connect, said)
        if cut.fired:
            return _Exchange(failure=f"timed out after {said:g} s")
        return found if failure is None else _Exchange(failure=failure)

    def _send(
        self, headers: dict[str, str], timeout: urllib3.Timeout, cut: RequestDeadline
    ) -> _Exchange:
        response = self._pool.urlopen(
            "GET", self._target, headers=headers, retries=False, redirect=False, assert_same_host=False,
            timeout=timeout, preload_content=False, decode_content=False,
        )  # fmt: skip
        whole = False
        try:
            raw, problem = _read(response)
            whole = problem is None
        finally:
            if not whole:
                response.close()
            response.release_conn()
        if not raw and problem is None and _is_cut_in_its_header(response):
            return _Exchange(failure="the answer was cut short")
        body, problem = (
            _decoded(raw, response.headers.get("content-encoding", ""))
            if problem is None
            else (b"", problem)
        )
        return _Exchange(response.status, response.headers, body, problem)

    def _judged(
        self, exchange: _Exchange, now: int, hide: tuple[str, ...]
    ) -> tuple[Classification, Snapshot | None]:
        if exchange.status is None or exchange.headers is None:
            return Classification(
                Fault("unreachable", {"reason": exchange.failure or "no answer"})
            ), None
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        judged = classify.classify(
            exchange.status, headers, exchange.body, now, problem=exchange.problem, hide=hide
        )
        if judged.fault is not None:
            return judged, None
        try:
            return judged, payload.parse(judged.document, now)
        except payload.BadPayload as bad:
            return Classification(classify.bad_response(str(bad))), None

    def _wait(
        self,
        exchange: _Exchange,
        judged: tuple[Classification, Snapshot | None],
        sent: int,
        left: float,
    ) -> float | None:
        """How long to wait before the next request; None if there is none."""
        fault, asked = judged[0].fault, judged[0].retry_after_s or 0
        passing = fault is not None and (
            fault.status is Status.UNREACHABLE
            or (
                exchange.status in classify.RETRYABLE
                and fault.status in (Status.RATE_LIMITED, Status.UPSTREAM_ERROR)
            )
        )
        if not passing or sent > self._retries or asked > LONGEST_WAIT_S:
            return None
        wait = max(self._retry_delay * 2.0 ** min(sent - 1, 20), asked)
        wait *= 1 + JITTER * random.random()  # noqa: S311 - no secret
        return wait if wait < left else None

    def _dropped(self, started: float, sent: int) -> Answer:
        fault = Fault("unreachable", {"reason": "stopped before an answer came"})
        return Answer(
            fault.status, fault=fault, requests_sent=sent, duration_ms=_since(started), dropped=True
        )


def _answer(
    exchange: _Exchange,
    judged: tuple[Classification, Snapshot | None],
    now: int,
    keep_raw: bool,
    sent: int,
    started: float,
) -> Answer:
    found, snapshot = judged
    headers = exchange.headers if keep_raw else None
    return Answer(
        status=found.fault.status if found.fault else Status.OK,
        http_status=exchange.status,
        snapshot=snapshot,
        fault=found.fault,
        retry_after_s=found.retry_after_s,
        headers={
            name: "***" if name.lower() in _MASKED else value for name, value in headers.items()
        }
        if headers is not None
        else None,
        body_bytes=exchange.body if keep_raw and exchange.status is not None else None,
        requests_sent=sent,
        duration_ms=_since(started),
    )


def _epoch_of(date: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(date or "").timestamp())
    except ValueError:
        return None


def _refuse(what: str, problem: str | None) -> None:
    if problem is not None:
        raise BadSetting(f"{what} {problem}")


def _since(started: float) -> int:
    return round((clock.monotonic() - started) * 1000)


def _read(response: urllib3.BaseHTTPResponse) -> tuple[bytes, str | None]:
    """The body as it came, or why it is not read.

    The last read is the one that notices an answer cut short.
    """
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:15]) > MAX_BODY:
        return b"", _TOO_LARGE
    raw = b""
    while chunk := response.read(MAX_BODY + 1 - len(raw), decode_content=False):
        raw += chunk
        if len(raw) > MAX_BODY:
            return b"", _TOO_LARGE
    return raw, None


def _is_cut_in_its_header(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether an answer without a body broke off in its header: http.client takes the end of the
    connection for the end of the header.
    """
    ends = ("content-length", "transfer-encoding")
    announced = (
        any(name in response.headers for name in ends)
        or response.headers.get("connection", "").lower() == "close"
    )
    return not announced and response.version == 11 and response.status not in (204, 304)


_TOO_LARGE = "the answer is larger than 1 MiB"


def _decoded(raw: bytes, encoding: str) -> tuple[bytes, str | None]:
    """The body unpacked, no further than it may be large, or why it cannot be."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not raw:
        return raw, None
    if encoding not in ("gzip", "x-gzip"):
        return b"", "the answer is packed in a way that was not asked for"
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(raw, MAX_BODY + 1)
    except zlib.error:
        return b"", "the answer cannot be unpacked"
    if len(body) > MAX_BODY:
        return b"", _TOO_LARGE
    return (body, None) if unpacker.eof else (b"", "the answer cannot be unpacked")


def _tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """One context for all connections: reading the certificates takes longer than asking for a
    quota.
    """
    path = ca_bundle or certifi.where()
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        words = (
            "is not a file of certificates" if isinstance(error, ssl.SSLError) else "cannot be read"
        )
    raise BadSetting(f"the CA bundle {path} {words}")


def _manager(proxy: str | None, pool_size: int, tls: ssl.SSLContext | None) -> urllib3.PoolManager:
    """What makes pools: straight to the host, or through a proxy."""
    if proxy is None:
        return urllib3.PoolManager(num_pools=1, maxsize=pool_size, block=False, ssl_context=tls)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import (
            SOCKSProxyManager,
        )  # needs PySocks, which few installations use

        return SOCKSProxyManager(
            proxy, num_pools=1, maxsize=pool_size, block=False, ssl_context=tls
        )
    parts = urlsplit(proxy)
    login = (
        urllib3.make_headers(proxy_basic_auth=_login(parts.username, parts.password))
        if parts.username
        else None
    )
    return urllib3.ProxyManager(
        proxy,
        num_pools=1,
        maxsize=pool_size,
        block=False,
        ssl_context=tls,
        proxy_ssl_context=tls,
        proxy_headers=login,
    )


def _login(username: str | None, password: str | None) -> str:
    return f"{unquote(username or '')}:{unquote(password or '')}"
