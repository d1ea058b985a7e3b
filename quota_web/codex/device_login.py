"""Signing in by a code that a person types on the other side's page: what the answers mean. Pure.

Three requests: ask for a code, ask again and again whether it was approved, exchange what then
comes for tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quota_web.codex import classify, renewal_answer
from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.codex.renewal_answer import NewTokens
from quota_web.codex.transport import Exchange
from quota_web.core.limits import MAX_RESPONSE
from quota_web.core.secret import Secret

CODE_PATH, POLL_PATH = "/api/accounts/deviceauth/usercode", "/api/accounts/deviceauth/token"
#: Where the person types the code, whatever address our requests go to.
PAGE = "https://auth.openai.com/codex/device"
REDIRECT = "https://auth.openai.com/deviceauth/callback"
#: Seconds that a code lasts, that lie between two polls unless the answer says more, by which
#: `slow_down` stretches that, and that a throttled first request waits for unless it says how long.
LASTS_S, INTERVAL_S, SLOWER_S, WAIT_S = 900, 5, 5, 60
MOST_INTERVAL_S = 120
MOST_CODE = 32
_DECLINED = frozenset({"authorization_declined", "access_denied"})


class LoginVerdict(StrEnum):
    """What an answer means for the sign-in."""

    SHOW = "show"
    WAIT = "wait"
    UNAVAILABLE = "unavailable"
    ADDRESS_BLOCKED = "address_blocked"
    PENDING = "pending"
    EXCHANGE = "exchange"
    DECLINED = "declined"
    EXPIRED = "expired"
    SIGNED_IN = "signed_in"
    START_AGAIN = "start_again"
    NOT_REACHED = "not_reached"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """The code to show, and what is sent to ask whether it was approved."""

    device_id: Secret
    user_code: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What is exchanged for tokens, once."""

    code: Secret
    verifier: Secret


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """A verdict with what belongs to it; nothing in it shows a token."""

    verdict: LoginVerdict
    device: DeviceCode | None = None
    grant: Grant | None = None
    tokens: NewTokens | None = None
    #: Seconds to wait, or by which the pause between polls grows.
    wait_s: int = 0
    #: The error's code, for a person who asks; never anything of the body else.
    code: str | None = None


def of_code(exchange: Exchange, now: int) -> LoginAnswer:
    """What the answer to the request for a code means."""
    if (early := _early(exchange, LoginVerdict.NOT_REACHED)) is not None:
        return early
    code = renewal_answer.error_code(exchange.body)
    if exchange.status == 404:
        return LoginAnswer(LoginVerdict.UNAVAILABLE, code=code)
    if exchange.status == 429:
        return LoginAnswer(
            LoginVerdict.WAIT, wait_s=_asked_wait(exchange, now) or WAIT_S, code=code
        )
    document = _object(exchange) if exchange.status == 200 else {}
    device_id = document.get("device_auth_id")
    shown = document.get("user_code") or document.get("usercode")
    if not _is_word(device_id) or not _is_code(shown):
        return LoginAnswer(LoginVerdict.FAILED, code=code or f"http_{exchange.status}")
    interval_s = _interval(document.get("interval"))
    return LoginAnswer(
        LoginVerdict.SHOW, DeviceCode(Secret(str(device_id)), str(shown), interval_s)
    )


def of_poll(exchange: Exchange, now: int, sent: tuple[Secret, ...] = ()) -> LoginAnswer:
    """What the answer to the question whether the code was approved means. Nothing of what was
    *sent* is in it.
    """
    if (early := _early(exchange, LoginVerdict.PENDING)) is not None:
        return early
    status, code = exchange.status or 0, _error_code(exchange, sent)
    if status == 200:
        return _granted(exchange)
    if code in _DECLINED:
        return LoginAnswer(LoginVerdict.DECLINED, code=code)
    if code == "expired_token":
        return LoginAnswer(LoginVerdict.EXPIRED, code=code)
    if code == "slow_down":
        return LoginAnswer(LoginVerdict.PENDING, wait_s=SLOWER_S, code=code)
    if status in (403, 404, 408, 429) or status >= 500 or code == "authorization_pending":
        wait_s = (_asked_wait(exchange, now) or 0) if status == 429 else 0
        return LoginAnswer(LoginVerdict.PENDING, wait_s=min(wait_s, MOST_INTERVAL_S), code=code)
    return LoginAnswer(LoginVerdict.DECLINED, code=code or f"http_{status}")


def of_exchange(exchange: Exchange, sent: tuple[Secret, ...] = ()) -> LoginAnswer:
    """What the answer to the exchange means: a code works once, so all but tokens means to start
    again. Nothing of what was *sent* is in it.
    """
    if (
        exchange.status is not None
        and (early := _early(exchange, LoginVerdict.START_AGAIN)) is not None
    ):
        return early
    if exchange.status == 200 and exchange.problem is None:
        tokens = renewal_answer.read_tokens(exchange.body)
        if tokens is not None and tokens.access_token is not None:
            return LoginAnswer(LoginVerdict.SIGNED_IN, tokens=tokens)
    code = _error_code(exchange, sent) or (
        "no_answer" if exchange.status is None else f"http_{exchange.status}"
    )
    return LoginAnswer(LoginVerdict.START_AGAIN, code=code)


def _error_code(exchange: Exchange, sent: tuple[Secret, ...]) -> str | None:
    return renewal_answer.error_code(exchange.body, tuple(one.reveal() for one in sent))


def _early(exchange: Exchange, unanswered: LoginVerdict) -> LoginAnswer | None:
    """The verdict where the other side did not answer, or another one did in its place."""
    if exchange.status is None or exchange.headers is None:
        return LoginAnswer(unanswered, code="no_answer")
    headers = exchange.lower_headers
    if renewal_answer.is_challenge(exchange.status, headers, exchange.body) or _is_page(headers):
        return LoginAnswer(LoginVerdict.ADDRESS_BLOCKED, code="address_blocked")
    return None


def _is_page(headers: Mapping[str, str]) -> bool:
    """Whether a 403 or such comes as a page: the other side itself answers in JSON."""
    return "text/html" in headers.get("content-type", "").lower()


def _granted(exchange: Exchange) -> LoginAnswer:
    document = _object(exchange)
    code, verifier = document.get("authorization_code"), document.get("code_verifier")
    if not _is_word(code) or not _is_word(verifier):
        return LoginAnswer(LoginVerdict.FAILED, code="unusable_answer")
    return LoginAnswer(LoginVerdict.EXCHANGE, grant=Grant(Secret(str(code)), Secret(str(verifier))))


def _object(exchange: Exchange) -> dict[str, object]:
    if exchange.problem is not None:
        return {}
    try:
        document = load_json(exchange.body, MAX_RESPONSE, lenient=True)
    except JsonRefused:
        return {}
    return document if isinstance(document, dict) else {}


def _asked_wait(exchange: Exchange, now: int) -> int | None:
    return classify.retry_after_seconds(exchange.lower_headers.get("retry-after"), now)


def _interval(value: object) -> int:
    """Seconds between polls: a whole number from 1, as a number or as text; else the usual."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 6) or int(text) < 1:
        return INTERVAL_S
    return min(int(text), MOST_INTERVAL_S)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isascii()


def _is_code(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CODE and value.isprintable()
