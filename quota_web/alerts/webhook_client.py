"""Sends webhooks: one POST to an address that was looked up and judged a moment before."""

from urllib.parse import urlsplit

import requests

from quota_web.alerts import destinations, webhook_signature
from quota_web.alerts.destinations import Lookup, TargetForbidden, TargetUnknown
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.alerts.webhook_signature import WebhookSecrets
from quota_web.codex.classify import retry_after_seconds
from quota_web.codex.transport import Exchange, PinnedRequest, Transport
from quota_web.core import clock, urls
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.language import mark
from quota_web.core.secret import Secret

BAD_URL = mark("the address must be https://HOST/PATH, without user name and fragment")
#: One try, from the look-up of the name to the last byte, in seconds.
DEADLINE_S = 10.0
#: What is read of an answer, and thrown away.
MOST_ANSWER = 64 * 1024
#: The largest body, in bytes.
MOST_BODY = 20_000
#: Addresses of one host that are tried.
MOST_ADDRESSES = 3
#: Receivers whose connections are kept.
HOSTS = 16


class WebhookClient:
    """Sends to any number of receivers; safe to use from many threads."""

    def __init__(
        self,
        targets: AlertTargets,
        user_agent: str,
        *,
        https_proxy: str | None = None,
        no_proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = DEADLINE_S,
        lookup: Lookup | None = None,
    ) -> None:
        """Raises BadSetting for a bad CA bundle."""
        self._targets, self._user_agent = targets, user_agent
        self._no_proxy, self._deadline_s, self._lookup = no_proxy, deadline_s, lookup
        proxy = urls.with_scheme(https_proxy) if https_proxy else None

        def transport(proxy: str | None) -> Transport:
            return Transport(
                proxy=proxy,
                tls=True,
                ca_bundle=ca_bundle,
                pool_size=4,
                hosts=HOSTS,
                most=MOST_ANSWER,
            )

        self._direct = transport(None)
        self._proxied = transport(proxy) if proxy else self._direct

    def check(self, url: Secret) -> None:
        """Raise TargetForbidden where nothing may be sent to *url*, TargetUnknown where its name is
        not found.
        """
        self._addresses(url.reveal(), self._deadline_s)

    def send(
        self, url: Secret, keys: WebhookSecrets, message_id: str, body: bytes, now: int
    ) -> SendResult:
        """Send one message; *now* is the wall time of this try."""
        started = clock.monotonic()
        try:
            addresses = self._addresses(url.reveal(), self._deadline_s)
        except TargetForbidden as error:
            return SendResult(SendCode.FORBIDDEN, reason=str(error))
        except TargetUnknown as error:
            return SendResult(SendCode.NO_ANSWER, reason=str(error), duration_ms=_since(started))
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": self._user_agent,
            **webhook_signature.headers(keys, message_id, now, body),
        }
        request = requests.Request("POST", url.reveal(), headers=headers, data=body).prepare()
        exchange = self._first_reached(request, addresses, started + self._deadline_s)
        return _result(exchange, now, _since(started))

    def close(self) -> None:
        """Cut what is under way; nothing can be sent any more."""
        for transport in {self._direct, self._proxied}:
            transport.close()

    def _addresses(self, url: str, seconds: float) -> tuple[str, ...]:
        if urls.check_webhook_url(url) is not None:
            raise TargetForbidden(BAD_URL)
        parts = urlsplit(url)
        host, is_plain = parts.hostname or "", parts.scheme == "http"
        port = parts.port or (80 if is_plain else 443)
        found = destinations.allowed_addresses(host, port, self._targets, seconds, self._lookup)
        if is_plain:
            destinations.require_named(host, found, self._targets)
        return found

    def _first_reached(
        self, request: requests.PreparedRequest, addresses: tuple[str, ...], until: float
    ) -> Exchange:
        """Send to the first address that takes a connection: some machines have no way to those
        of one kind.
        """
        past = urls.goes_past_proxy(request.url or "", self._no_proxy)
        transport = self._direct if past else self._proxied
        exchange = Exchange(failure="timed out")
        for address in addresses[:MOST_ADDRESSES]:
            left = until - clock.monotonic()
            if left <= 0:
                break
            exchange = transport.send(PinnedRequest.of(request, address), left)
            if not exchange.is_unreached:
                break
        if clock.monotonic() >= until and exchange.status is None:
            # All of it was used up, not only what the last address was given.
            return Exchange(failure=f"timed out after {self._deadline_s:g} s")
        return exchange


def _result(exchange: Exchange, now: int, duration_ms: int) -> SendResult:
    status = exchange.status
    if status is None:
        reason = exchange.failure or "no answer"
        return SendResult(SendCode.NO_ANSWER, reason=reason, duration_ms=duration_ms)
    if 200 <= status < 300:
        return SendResult(SendCode.SENT, status, duration_ms=duration_ms)
    wait = retry_after_seconds(exchange.lower_headers.get("retry-after"), now)
    code = SendCode.GONE if status == 410 else SendCode.REFUSED
    reason = f"HTTP {status}" + (" (a redirect, not followed)" if 300 <= status < 400 else "")
    return SendResult(code, status, reason, wait, duration_ms)


def _since(started: float) -> int:
    return round((clock.monotonic() - started) * 1000)
