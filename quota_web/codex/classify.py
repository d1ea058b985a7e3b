"""What an answer means: status code, headers and body → a fault, or the document to read the quota
from.

Pure. The body is read before the status code is believed: a deactivated account answers with
several codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.codex.sanitize import scrub
from quota_web.core.faults import Fault
from quota_web.core.limits import MAX_RESPONSE

MIN_RETRY_AFTER = 60
#: A longer wait than a week is a mistake of whoever asks for it.
MAX_RETRY_AFTER = 7 * 86_400

#: Answers that may be different a moment later.
RETRYABLE = frozenset({408, 429, *range(500, 600)})

_SUBJECT = r"\b(account|user|workspace|organi[sz]ation)\b"
_DEACTIVATED = re.compile(
    rf"{_SUBJECT}[^.!?]{{0,80}}\bdeactivated\b|\bdeactivated\b[^.!?]{{0,20}}{_SUBJECT}",
    re.IGNORECASE,
)
_NOT_NOW = re.compile(
    r"\b(?:not|never)(?:\s+\w+)?\s+deactivated\b"
    r"|\b(?:will|may|might|can|could)\s+(?:\w+\s+)?be\s+deactivated\b"
    r"|\b(?:if|whether|unless)\b[^.!?,;]{0,40}\bdeactivated\b",
    re.IGNORECASE,
)
_DEACTIVATED_CODE = re.compile(r"(?:\w{1,40}_)?deactivated(?:_\w{1,40})?")
_COUNTRY = re.compile(
    r"unsupported_country|country, region, or territory not supported", re.IGNORECASE
)
_CHALLENGE = re.compile(
    r"cloudflare|just a moment|attention required|enable javascript and cookies|checking your "
    r"browser|cf[-_]chl|challenge-platform"
    r"|sorry, you have been blocked",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^>]*>")
#: How much of a page or a plain text is looked at.
_READ_OF_TEXT = 20_000
_CLOUDFLARE_TEXT = re.compile(r"\s*error code: 1\d{3}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Classification:
    """Either a fault or a document that may hold quota."""

    fault: Fault | None
    document: dict[str, object] | None = None
    #: Seconds that the answer asks to wait; None where it does not.
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class _Error:
    """What an error body says, in whichever of its shapes."""

    codes: tuple[str, ...] = ()
    message: str = ""


def classify(
    http_status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: int,
    *,
    problem: str | None = None,
    hide: tuple[str, ...] = (),
) -> Classification:
    """Judge one answer that arrived at *now* (epoch seconds).

    *headers* has lower-case names. *body* is decoded; *problem* says why there is none, such as
    `the answer is larger than 1 MiB`. The strings of *hide* appear in no reason, whatever the body
    says.
    """
    document, unreadable = _document(body)
    html = document is None and _is_html(headers, body)
    error = _error(document, body[:_READ_OF_TEXT].decode("utf-8", "replace"))
    if html:
        error = _Error(
            (), "" if http_status == 200 else " ".join(_TAG.sub(" ", error.message).split())
        )
    fault = _deactivated(http_status, error)
    if fault is None and http_status == 200:
        fault = _unusable(
            document, problem or ("the answer is an HTML page" if html else unreadable)
        )
        return Classification(
            fault, document if fault is None and isinstance(document, dict) else None
        )
    retry_after = retry_after_seconds(headers.get("retry-after"), now)
    return Classification(
        fault or _by_status(http_status, headers, body, error, html, now, retry_after, hide),
        None,
        retry_after,
    )


def retry_after_seconds(value: str | None, now: int) -> int | None:
    """The wait that a `Retry-After` header asks for, given as seconds or as an HTTP date; None
    where it says nothing usable.
    """
    text = (value or "").strip()[:64]
    if re.fullmatch(r"\d{1,12}", text, re.ASCII):
        return min(int(text), MAX_RETRY_AFTER)
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
        seconds = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) - now
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0, min(seconds, MAX_RETRY_AFTER))


def bad_response(reason: str) -> Fault:
    """The fault of a 200 that cannot be used."""
    return Fault("bad_response", {"reason": reason, "http_status": 200})


def _document(body: bytes) -> tuple[object, str | None]:
    try:
        return load_json(body, MAX_RESPONSE, lenient=True), None
    except JsonRefused as error:
        return None, f"the answer is {error}"


def _unusable(document: object, problem: str | None) -> Fault | None:
    if problem is not None:
        return bad_response(problem)
    if isinstance(document, dict):
        return None
    return bad_response("the answer is not a JSON object")


def _by_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    error: _Error,
    html: bool,
    now: int,
    retry_after: int | None,
    hide: tuple[str, ...],
) -> Fault:
    reason = _reason(error, html, hide)
    if status == 401:
        return Fault("unauthorized", {"http_status": 401, "reason": reason or "unauthorized"})
    if status == 403:
        return _forbidden(headers, body, error, html, reason)
    if status == 429:
        return Fault(
            "rate_limited", {"http_status": 429, "at": now + max(retry_after or 0, MIN_RETRY_AFTER)}
        )
    if 300 <= status < 400:
        return Fault("http", {"http_status": status, "reason": " (a redirect, not followed)"})
    return Fault("http", {"http_status": status, "reason": f": {reason}" if reason else ""})


def _forbidden(
    headers: Mapping[str, str], body: bytes, error: _Error, html: bool, reason: str
) -> Fault:
    """A 403 is Cloudflare's where it shows a challenge.

    That `server: cloudflare` stands in it says nothing: it does in every answer.
    """
    if any(_COUNTRY.search(text) for text in (*error.codes, error.message)):
        return Fault("country", {"http_status": 403})
    text = body[:_READ_OF_TEXT].decode("utf-8", "replace")
    own_page = html and (
        headers.get("server", "").lower() == "cloudflare" or _CHALLENGE.search(text) is not None
    )
    if own_page or "cf-mitigated" in headers or _CLOUDFLARE_TEXT.match(text):
        return Fault("cloudflare", {"http_status": 403})
    return Fault("forbidden", {"http_status": 403, "reason": reason or "no reason given"})


def names_country(body: bytes) -> bool:
    """Whether a 403 says that the country of this machine's address is not served."""
    return _COUNTRY.search(body[:_READ_OF_TEXT].decode("utf-8", "replace")) is not None


def is_challenge_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a 403 is a page that Cloudflare itself made: of its server, and a challenge by its
    words.
    """
    if not _is_html(headers, body) or headers.get("server", "").lower() != "cloudflare":
        return False
    return _CHALLENGE.search(body[:_READ_OF_TEXT].decode("utf-8", "replace")) is not None


def _deactivated(status: int, error: _Error) -> Fault | None:
    said = error.message
    by_code = next(
        (code for code in error.codes if _DEACTIVATED_CODE.fullmatch(code.lower())), None
    )
    if by_code is None and (not _DEACTIVATED.search(said) or _NOT_NOW.search(said)):
        return None
    about = f"{by_code or ''} {said}".lower()
    return Fault(
        "deactivated",
        {
            "http_status": status,
            "subject": "workspace" if re.search(r"workspace|organi[sz]ation", about) else "account",
        },
    )


def _reason(error: _Error, html: bool, hide: tuple[str, ...]) -> str:
    if html:
        return "an HTML page"
    return scrub(error.message, hide).rstrip(".") or (
        scrub(error.codes[0], hide) if error.codes else ""
    )


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    return "html" in headers.get("content-type", "").lower() or body[:200].lstrip().startswith(b"<")


def _error(document: object, text: str) -> _Error:
    """The codes and the message of an error body: nested or flat, object or string, JSON or plain
    text.
    """
    if isinstance(document, str):
        return _Error((), document)
    if not isinstance(document, dict):
        return _Error((), text if document is None else "")
    found: list[dict[str, object]] = [document]
    messages: list[object] = []
    for name in ("error", "detail"):
        part = document.get(name)
        part = part[0] if isinstance(part, list) and part else part
        if isinstance(part, dict):
            found.insert(0, part)
        else:
            messages.append(part)
    codes = [part.get(name) for part in found for name in ("code", "type")]
    messages = [
        *(part.get("message") or part.get("msg") for part in found),
        document.get("error_description"),
        *messages,
    ]
    words = [text for text in messages if isinstance(text, str) and text.strip()]
    return _Error(
        tuple(code for code in codes if isinstance(code, str) and code), words[0] if words else ""
    )
