"""The client of the sign-in's side: the token endpoint, and whatever else is posted there.

One deadline for the whole, no retry, no redirect, no cookie. A request with a refresh token goes
over a connection of its own, and is claimed when that stands, right before it is sent.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import requests

from quota_web.codex import renewal_answer
from quota_web.codex.renewal_answer import RenewalAnswer
from quota_web.codex.request_deadlines import SendGate
from quota_web.codex.transport import Exchange, Transport
from quota_web.core import clock, urls
from quota_web.core.account_identity import Login
from quota_web.core.errors import BadSetting
from quota_web.core.secret import Secret

TOKEN_PATH = "/oauth/token"
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A request and how far it came."""

    exchange: Exchange
    #: Whether anything of it may have arrived.
    is_sent: bool
    #: Whether there was a connection and the claim said no.
    is_held_back: bool


class OAuthClient:
    """Posts to the sign-in's side; safe to use from many threads."""

    def __init__(
        self,
        url: str,
        client_id: str,
        user_agent: str,
        *,
        https_proxy: str | None = None,
        no_proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """*url* is what paths are put behind. Raises BadSetting for a bad address or CA bundle."""
        problem = urls.check_upstream_url(url)
        if problem is not None:
            raise BadSetting(f"the address of the sign-in {problem}")
        self.client_id, self._url, self._deadline_s = client_id, url, deadline_s
        tls = urlsplit(url).scheme == "https"
        proxied = https_proxy and tls and not urls.goes_past_proxy(url, no_proxy)
        self._transport = Transport(
            proxy=urls.with_scheme(https_proxy) if proxied and https_proxy else None,
            tls=tls,
            ca_bundle=ca_bundle,
            pool_size=1,
        )
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": user_agent,
            "Connection": "close",
        }
        #: A moment of the monotonic clock by which everything has to be over.
        self._ends_at = float("inf")

    def renew(
        self,
        refresh_token: Secret,
        known: tuple[Login, ...],
        claim: Callable[[], bool],
        now: Callable[[], int],
    ) -> RenewalAnswer | None:
        """Exchange a refresh token for new tokens, once; None where *claim* said no.

        *claim* is called when the connection stands; it must have written down that the token is
        sent when it returns. What it raises is raised, and nothing was sent. *known* is whose the
        tokens are.
        """
        fields = {
            "client_id": self.client_id,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token.reveal(),
        }
        sent = self.post(TOKEN_PATH, fields, claim)
        if sent.is_held_back:
            return None
        return renewal_answer.judge(
            sent.exchange, refresh_token, known, now(), is_sent=sent.is_sent
        )

    def post(
        self,
        path: str,
        fields: Mapping[str, str],
        claim: Callable[[], bool] = lambda: True,
        *,
        as_form: bool = False,
    ) -> Sent:
        """Post *fields* as JSON, or as a form, over a connection of its own, when *claim* said that
        it may be sent.
        """
        gate = SendGate(claim)
        body = urlencode(fields) if as_form else json.dumps(dict(fields))
        kind = "application/x-www-form-urlencoded" if as_form else "application/json"
        request = requests.Request(
            "POST", self._url + path, data=body, headers=self._headers | {"Content-Type": kind}
        )
        seconds = min(self._deadline_s, max(0.1, self._ends_at - clock.monotonic()))
        exchange = self._transport.send_once(request.prepare(), seconds, gate)
        return Sent(exchange, gate.is_passed, gate.is_refused)

    def hurry(self, seconds: float) -> None:
        """Let everything be over within *seconds*: the process ends. What is under way is not
        cut before that: its answer may be the only copy of a token.
        """
        self._ends_at = min(self._ends_at, clock.monotonic() + seconds)
        self._transport.shorten(seconds)

    def close(self) -> None:
        """Cut what is under way; the client cannot be used again."""
        self._transport.close()
