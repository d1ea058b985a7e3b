"""Fetches the quota of one account from the usage endpoint, with retries.

What the upstream does is a value, a `FetchResult`; only bugs are raised.
"""

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests

from quota_web.codex import classify, payload
from quota_web.codex.classify import Classification
from quota_web.codex.fetch_result import FetchResult
from quota_web.codex.transport import Exchange, Transport
from quota_web.core import clock, urls
from quota_web.core.errors import BadSetting
from quota_web.core.faults import Fault
from quota_web.core.quota import Snapshot, Status
from quota_web.core.secret import Secret

#: All requests of one attempt together, waits included; claims on accounts are sized after it.
ATTEMPT_DEADLINE_S = 120.0
#: A longer `Retry-After` ends the attempt: the schedule waits better than a thread does.
LONGEST_WAIT_S = 30
#: What is asked beside the quota holds nothing up for longer.
ASK_TIMEOUT_S = 10.0
#: How much longer than asked a wait may be, so that many accounts do not come back together.
JITTER = 0.25

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
_MASKED = ("set-cookie", "set-cookie2")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a request without a token showed: whether there is a way to the other side, and
    whether it likes this machine's address.
    """

    status: int | None
    #: Why no answer came, or what the answer says about this machine.
    fault: Fault | None
    #: The other side's clock, epoch seconds; None where it does not tell.
    date: int | None
    duration_ms: int


class UsageClient:
    """Fetches the quota of any number of accounts over one pool of connections; safe to use from
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
        self._retries, self._retry_delay, self._timeout = retries, retry_delay, timeout
        tls = urlsplit(url).scheme == "https"
        # Plain http goes to this machine or its neighbours only, never through a proxy that would
        # read the token.
        proxied = https_proxy and tls and not urls.goes_past_proxy(url, no_proxy)
        self._transport = Transport(
            proxy=urls.with_scheme(https_proxy) if proxied and https_proxy else None,
            tls=tls,
            ca_bundle=ca_bundle,
            pool_size=pool_size,
        )
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Origin": "https://chatgpt.com",
            "Referer": "https://chatgpt.com/",
            "User-Agent": user_agent,
        }
        self._request = requests.Request("GET", url, headers=headers).prepare()
        self._stop = stop or threading.Event()

    def fetch(
        self,
        account_id: str,
        access_token: Secret,
        fedramp: bool = False,
        *,
        now: Callable[[], int],
        keep_raw: bool = False,
    ) -> FetchResult:
        """Fetch one account's quota, with retries; *now* returns the wall time at which a response
        came.
        """
        headers = self._headers_for(account_id, access_token, fedramp)
        hide = (access_token.reveal(), account_id)
        started, sent = clock.monotonic(), 0
        give_up = started + ATTEMPT_DEADLINE_S
        while True:
            if self._stop.is_set():
                return self._dropped(started, sent)
            seconds = max(0.1, min(self._timeout, give_up - clock.monotonic()))
            exchange = self._send(headers, seconds)
            sent += 1
            if self._stop.is_set() and exchange.failure is not None:
                return self._dropped(started, sent)
            judged = self._judged(exchange, now(), hide)
            wait = self._wait(exchange, judged, sent, give_up - clock.monotonic())
            if wait is None:
                return _answer(exchange, judged, now(), keep_raw, sent, started)
            self._stop.wait(wait)

    def ask(
        self, beside: str, account_id: str, access_token: Secret, fedramp: bool, now: int
    ) -> Classification:
        """Ask once for one account at an address *beside* the usage endpoint, such as a list; it
        says nothing about the account's status.
        """
        if self._stop.is_set():
            return Classification(Fault("unreachable", {"reason": "stopped"}))
        headers = self._headers_for(account_id, access_token, fedramp)
        url = urljoin(self._request.url or "", beside)
        exchange = self._send(headers, min(self._timeout, ASK_TIMEOUT_S), url)
        return self._classified(exchange, now, (access_token.reveal(), account_id))

    def probe(self, now: int) -> Probe:
        """Send one request without a token: enough to see name, route, proxy and certificate."""
        started = clock.monotonic()
        exchange = self._send({}, self._timeout)
        judged, _ = self._judged(exchange, now, ())
        date = _epoch_of((exchange.headers or {}).get("date"))
        return Probe(exchange.status, judged.fault, date, _since(started))

    def cut(self) -> None:
        """Stop: nothing more is sent, waits end, and the sockets of all requests under way are shut
        down.
        """
        self._stop.set()
        self._transport.cut_all()

    def close(self) -> None:
        """Cut what is under way and close all connections; the client cannot be used again."""
        self.cut()
        self._transport.close()

    def _send(self, headers: Mapping[str, str], seconds: float, url: str | None = None) -> Exchange:
        request = self._request.copy()
        request.url = url or request.url
        request.headers.update(headers)
        return self._transport.send(request, seconds)

    def _headers_for(self, account_id: str, access_token: Secret, fedramp: bool) -> dict[str, str]:
        token = access_token.reveal()
        if not _HEADER_SAFE.fullmatch(token) or not _HEADER_SAFE.fullmatch(account_id):
            raise ValueError("a token or account id that cannot stand in a header")
        headers = {"Authorization": f"Bearer {token}", "ChatGPT-Account-Id": account_id}
        if fedramp:
            headers["X-OpenAI-Fedramp"] = "true"
        return headers

    def _classified(self, exchange: Exchange, now: int, hide: tuple[str, ...]) -> Classification:
        if exchange.status is None or exchange.headers is None:
            return Classification(Fault("unreachable", {"reason": exchange.failure or "no answer"}))
        return classify.classify(
            exchange.status,
            exchange.lower_headers,
            exchange.body,
            now,
            problem=exchange.problem,
            hide=hide,
        )

    def _judged(
        self, exchange: Exchange, now: int, hide: tuple[str, ...]
    ) -> tuple[Classification, Snapshot | None]:
        judged = self._classified(exchange, now, hide)
        if judged.fault is not None:
            return judged, None
        try:
            return judged, payload.parse(judged.document, now)
        except payload.BadPayload as bad:
            return Classification(classify.bad_response(str(bad))), None

    def _wait(
        self,
        exchange: Exchange,
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

    def _dropped(self, started: float, sent: int) -> FetchResult:
        fault = Fault("unreachable", {"reason": "stopped before an answer came"})
        return FetchResult(
            fault.status, fault=fault, requests_sent=sent, duration_ms=_since(started), dropped=True
        )


def _answer(
    exchange: Exchange,
    judged: tuple[Classification, Snapshot | None],
    now: int,
    keep_raw: bool,
    sent: int,
    started: float,
) -> FetchResult:
    found, snapshot = judged
    headers = exchange.headers if keep_raw else None
    return FetchResult(
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
