"""Errors as answers: a page in the app's own style, JSON for programs.

What went wrong inside is logged and never shown.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as BaseResponse

from quota_web.core.errors import (
    AccountExists,
    AccountNotFound,
    BadDatabase,
    BadInput,
    BadQuery,
    BadSetting,
    CredentialsRefused,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    Outdated,
    QuotaError,
    TooManyTries,
    shortened,
)
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.web import sessions, share_answers


@dataclass(frozen=True, slots=True)
class Words:
    """How one status code reads: a word for programs, what happened, and what to do.

    Both texts are messages, which `said` puts into the language of the request.
    """

    code: str
    sentence: str
    advice: str | None = None

    def said(self) -> tuple[str, str | None]:
        return _(self.sentence), _(self.advice) if self.advice else None


WORDS = {
    400: Words(
        "bad_request", mark("That request was not understood"), mark("Go back and try again.")
    ),
    401: Words(
        "unauthorized",
        mark("Not signed in"),
        mark("Sign in, or send an API token as Authorization: Bearer …"),
    ),
    403: Words("forbidden", mark("That is not allowed here")),
    404: Words(
        "not_found",
        mark("There is no such page"),
        mark("Check the address, or start at the dashboard."),
    ),
    405: Words(
        "method_not_allowed",
        mark("That cannot be done this way"),
        mark("The address is right, the request method is not."),
    ),
    409: Words(
        "changed",
        mark("That has changed meanwhile"),
        mark("Load the page again, look, and do it once more if it is still what you want."),
    ),
    413: Words(
        "too_large",
        mark("That is too large"),
        mark("Send at most 2 MiB; an auth.json has a few KiB."),
    ),
    415: Words("unsupported_media_type", mark("That kind of content is not understood here")),
    422: Words("bad_input", mark("That cannot be used")),
    429: Words("too_many_requests", mark("Too many tries"), mark("Wait a moment, then try again.")),
    500: Words(
        "internal",
        mark("Something broke here"),
        mark("It is our fault. Try again; if it stays, look into the log."),
    ),
    503: Words(
        "unavailable",
        mark("Not available at the moment"),
        mark("Try again in a moment; if it stays, look into the log."),
    ),
}

#: The app's own errors → status and word. Their texts are made for people; those of a 503 stay in
#: the log, since they name paths.
ANSWERS: dict[type[QuotaError], tuple[int, str]] = {
    AccountNotFound: (404, "unknown_account"),
    AccountExists: (422, "name_taken"),
    Outdated: (409, "changed"),
    BadInput: (422, "bad_input"),
    BadQuery: (400, "bad_request"),
    CredentialsRefused: (422, "credentials_refused"),
    TooManyTries: (429, "too_many_requests"),
    DatabaseBusy: (503, "busy"),
    BadDatabase: (503, "unavailable"),
    BadSetting: (503, "unavailable"),
}
#: What is said of a 503 beyond "not available": the errors' own texts may name paths.
UNAVAILABLE: dict[type[QuotaError], str] = {
    DatabaseBusy: mark("The database is busy"),
    DatabaseFull: mark("Nothing can be stored: the disk is full"),
    DatabaseReadOnly: mark("Nothing can be stored: the database is read-only"),
}
EXPIRED = (
    mark("The form has expired"),
    mark("Go back, load the page again and send the form once more."),
)
NO_COOKIE = (
    mark("The browser sent no cookie"),
    mark("Allow cookies for this address, load the page again and send the form once more."),
)
#: What to do about one of these in particular.
ADVICE = {"unknown_account": mark("Perhaps it was renamed or deleted.")}
BUSY_RETRY_S, BROKEN_RETRY_S = 2, 30


class Refusal(HTTPException):
    """An answer that says why in its own words, in the language of the request; *message* is what
    happened, *advice* what to do.
    """

    def __init__(self, code: int, message: str, advice: str | None = None) -> None:
        super().__init__(description=message)
        self.code, self.message, self.advice = code, message, advice


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(QuotaError, _on_ours)
    app.register_error_handler(Exception, _on_bug)


def wants_json() -> bool:
    """Whether a program asks: by address, by token, or by what it accepts."""
    if (
        request.path.startswith("/api/")
        or request.path == "/metrics"
        or sessions.bearer() is not None
    ):
        return True
    return (
        request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
        == "application/json"
    )


def _on_http(error: HTTPException) -> BaseResponse:
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        return _on_bug(error.original_exception)
    if error.response is not None or error.code is None or error.code < 400:
        # A redirect, or an answer that was made elsewhere.
        return error.get_response()
    words = WORDS.get(error.code, Words("error", error.name))
    sentence, advice = words.said()
    if isinstance(error, Refusal):
        sentence, advice = error.message, error.advice
    elif isinstance(error, CSRFError):
        pair = EXPIRED if sessions.COOKIE in request.cookies else NO_COOKIE
        sentence, advice = _(pair[0]), _(pair[1])
    response = answer(error.code, words.code, sentence, advice)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _on_ours(error: QuotaError) -> BaseResponse:
    kind = next((k for k in type(error).__mro__ if k in ANSWERS), None)
    if kind is None:
        return _on_bug(error)
    status, code = ANSWERS[kind]
    sentence, advice = WORDS[status].said()
    if status != 503:
        general = advice if status in (409, 429) else None
        special = ADVICE.get(code)
        response = answer(status, code, error.said, _(special) if special else general)
        if isinstance(error, TooManyTries):
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    busy = isinstance(error, DatabaseBusy)
    current_app.logger.error("%s: %s", _asked(), error)
    told = UNAVAILABLE.get(type(error))
    response = answer(status, code, _(told) if told else sentence, advice)
    response.headers["Retry-After"] = str(BUSY_RETRY_S if busy else BROKEN_RETRY_S)
    return response


def _on_bug(error: Exception) -> BaseResponse:
    if isinstance(error, QuotaError) and any(isinstance(error, kind) for kind in ANSWERS):
        return _on_ours(error)
    request_id = secrets.token_hex(4)
    current_app.logger.error("request %s failed: %s", request_id, _asked(), exc_info=error)
    return answer(500, WORDS[500].code, *WORDS[500].said(), request_id)


def _asked() -> str:
    """What was asked for, as a log line says it; neither part is longer than its sender needed
    it.
    """
    return (
        f"{shortened(request.method, 20)} "
        f"{shortened(request.path).encode('unicode_escape').decode()}"
    )


def answer(
    status: int, code: str, sentence: str, advice: str | None = None, request_id: str | None = None
) -> Response:
    """An error as JSON or as a page, whose links mean nothing to whoever has a share link: there
    it is a line of text. As plain text also where even the page cannot be drawn.
    """
    message = f"{sentence} (request {request_id})" if request_id else sentence
    if sessions.is_shared():
        return share_answers.line(message, status)
    if wants_json():
        response = jsonify(error={"code": code, "message": message})
    else:
        response = Response(
            _page(status, sentence=sentence, advice=advice, request_id=request_id),
            mimetype="text/html",
        )
    response.status_code = status
    return response


def _page(status: int, **words: Any) -> str:
    try:
        return render_template("error.html", code=status, **words)
    except Exception:
        current_app.logger.warning("the error page cannot be drawn", exc_info=True)
        return (
            f"<!doctype html><title>Codex "
            f"Quota</title><h1>{status}</h1><p>{escape(words['sentence'])}</p>"
        )
