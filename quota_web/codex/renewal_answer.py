"""What an answer of the token endpoint means for a refresh token that can be sent once. Pure.

What is doubtful is `unsure`: a token that was taken after all must not be sent again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from quota_web.codex import classify, jwt
from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.codex.sanitize import holds_token, scrub
from quota_web.codex.transport import Exchange
from quota_web.core.account_identity import Login
from quota_web.core.limits import MAX_RESPONSE
from quota_web.core.secret import Secret


class Verdict(StrEnum):
    """What became of a renewal."""

    RENEWED = "renewed"
    #: A new refresh token came without a usable access token.
    RENEWED_PARTLY = "renewed_partly"
    #: The tokens are of another login.
    OTHER_IDENTITY = "other_identity"
    #: The request did not arrive, or was turned away unread: the token is as good as before.
    NOT_TAKEN = "not_taken"
    DEAD = "dead"
    #: It is not known whether the token was taken.
    UNSURE = "unsure"
    #: The request is wrong, not the token.
    REFUSED_REQUEST = "refused_request"


@dataclass(frozen=True, slots=True)
class NewTokens:
    """What an answer brought; None where it did not, or where it cannot be used."""

    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None
    #: Of the access token, epoch seconds.
    expires_at: int | None = None
    issued_at: int | None = None


@dataclass(frozen=True, slots=True)
class RenewalAnswer:
    """A verdict with what belongs to it; nothing in it shows a token."""

    verdict: Verdict
    #: The error's code, or why there is none; a word for programs.
    code: str | None = None
    tokens: NewTokens | None = None
    #: Seconds that the other side asks to wait.
    retry_after_s: int | None = None
    #: In words, where no answer came.
    failure: str | None = None
    #: What the other side calls the request, for a question to it.
    request_id: str | None = None


#: At whatever status but 5xx.
_DEAD_CODES = frozenset(
    {"refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"}
)
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def judge(
    exchange: Exchange, sent: Secret, known: Sequence[Login], now: int, *, is_sent: bool
) -> RenewalAnswer:
    """Judge what came back for the refresh token *sent*, at *now*.

    *known* is whose the account's tokens are, by all that says so. *is_sent* says whether anything
    of the request may have arrived.
    """
    if exchange.status is None or exchange.headers is None:
        failure = exchange.failure or "no answer"
        if is_sent:
            return RenewalAnswer(Verdict.UNSURE, "no_answer", failure=failure)
        return RenewalAnswer(Verdict.NOT_TAKEN, "not_reached", failure=failure)
    headers = exchange.lower_headers
    request_id = _request_id(headers.get("x-request-id") or headers.get("cf-ray"), sent)
    if exchange.status == 200:
        return _of_tokens(exchange, sent, known, now, request_id)
    code = error_code(exchange.body, (sent.reveal(),))
    wait_s = classify.retry_after_seconds(headers.get("retry-after"), now)
    verdict, is_blocked = _by_status(exchange.status, headers, exchange.body, code)
    other_word = "address_blocked" if is_blocked else f"http_{exchange.status}"
    return RenewalAnswer(
        verdict,
        code or other_word,
        retry_after_s=wait_s,
        request_id=request_id,
    )


def _by_status(
    status: int, headers: Mapping[str, str], body: bytes, code: str | None
) -> tuple[Verdict, bool]:
    """The verdict of an answer that is not 200, and whether it is the address that is refused."""
    if is_challenge(status, headers, body):
        return Verdict.NOT_TAKEN, True
    if status < 400 or status >= 500:
        return Verdict.UNSURE, False
    if status == 401 or code in _DEAD_CODES or (status == 400 and code == "invalid_grant"):
        return Verdict.DEAD, False
    if status == 403:
        return Verdict.UNSURE, classify.names_country(body)
    return (Verdict.NOT_TAKEN if status == 429 else Verdict.REFUSED_REQUEST), False


def is_challenge(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is Cloudflare's, sent before the request reached the other side.

    *headers* has lower-case names.
    """
    if "challenge" in headers.get("cf-mitigated", "").lower():
        return True
    return status == 403 and classify.is_challenge_page(headers, body)


def error_code(body: bytes, hide: tuple[str, ...] = ()) -> str | None:
    """The code of an error body in lower case: `error.code`, `error` as text, or `code`; None where
    it has none that can be shown. *hide* is what was sent and must not be.
    """
    try:
        document = load_json(body, MAX_RESPONSE, lenient=True)
    except JsonRefused:
        return None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    inner = error.get("code") if isinstance(error, dict) else error
    found = inner or document.get("code")
    if not isinstance(found, str) or not _CODE.fullmatch(found):
        return None
    word = found.lower()
    return word if not holds_token(found, hide) and scrub(word) == word else None


def _of_tokens(
    exchange: Exchange, sent: Secret, known: Sequence[Login], now: int, request_id: str | None
) -> RenewalAnswer:
    found = None if exchange.problem is not None else read_tokens(exchange.body)
    if found is None or (found.access_token is None and found.refresh_token is None):
        return RenewalAnswer(Verdict.UNSURE, "unusable_answer", request_id=request_id)
    if found.refresh_token == sent:
        # Not a new one: the old one stays, and may be sent again.
        found = NewTokens(
            found.access_token, None, found.id_token, found.expires_at, found.issued_at
        )
    if _is_others(found, known):
        verdict = Verdict.OTHER_IDENTITY
        return RenewalAnswer(verdict, "other_identity", found, request_id=request_id)
    is_over = found.expires_at is not None and found.expires_at <= now
    if found.access_token is None or is_over:
        code = "access_token_expired" if is_over else "no_access_token"
        return RenewalAnswer(Verdict.RENEWED_PARTLY, code, found, request_id=request_id)
    return RenewalAnswer(Verdict.RENEWED, None, found, request_id=request_id)


def read_tokens(body: bytes) -> NewTokens | None:
    """The tokens of a 200; None where it holds something else, or a refresh token that cannot be
    stored.
    """
    try:
        document = load_json(body, MAX_RESPONSE, lenient=True)
    except JsonRefused:
        return None
    if not isinstance(document, dict):
        return None
    refresh = document.get("refresh_token")
    if refresh is not None and _token(refresh) is None:
        return None
    access = _token(document.get("access_token"))
    if access is not None and (access.startswith(("sess-", "sk-")) or access.count(".") == 4):
        access = None
    claims = jwt.read(access)
    return NewTokens(
        _secret(access),
        _secret(_token(refresh)),
        _secret(_token(document.get("id_token"))),
        claims.expires_at,
        claims.issued_at,
    )


def _token(value: object) -> str | None:
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _secret(token: str | None) -> Secret | None:
    return Secret(token) if token is not None else None


def _is_others(found: NewTokens, known: Sequence[Login]) -> bool:
    """Whether a new token names a workspace or a user that none of the known logins has."""
    workspaces = {login.account_id for login in known} - {None}
    users = {login.user_id for login in known} - {None}
    for token in (found.id_token, found.access_token):
        said = jwt.read(token.reveal() if token is not None else None)
        if workspaces and said.account_id is not None and said.account_id not in workspaces:
            return True
        if users and said.user_id is not None and said.user_id not in users:
            return True
    return False


def _request_id(value: str | None, sent: Secret) -> str | None:
    """A header's value, unless it is no single word or throws back a token."""
    if value is None or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        return None
    return None if holds_token(value, [sent.reveal()]) else value
