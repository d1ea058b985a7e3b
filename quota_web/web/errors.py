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
from quota_web.web import sessions


@dataclass(frozen=True, slots=True)
class Words:
    """How one status code reads: a word for programs, what happened, and what to do."""

    code: str
    sentence: str
    advice: str | None = None


WORDS = {
    400: Words("bad_request", "That request was not understood", "Go back and try again."),
    401: Words(
        "unauthorized", "Not signed in", "Sign in, or send an API token as Authorization: Bearer …"
    ),
    403: Words("forbidden", "That is not allowed here"),
    404: Words(
        "not_found", "There is no such page", "Check the address, or start at the dashboard."
    ),
    405: Words(
        "method_not_allowed",
        "That cannot be done this way",
        "The address is right, the request method is not.",
    ),
    409: Words(
        "changed",
        "That has changed meanwhile",
        "Load the page again, look, and do it once more if it is still what you want.",
    ),
    413: Words("too_large", "That is too large", "Send at most 2 MiB; an auth.json has a few KiB."),
    415: Words("unsupported_media_type", "That kind of content is not understood here"),
    422: Words("bad_input", "That cannot be used"),
    429: Words("too_many_requests", "Too many tries", "Wait a moment, then try again."),
    500: Words(
        "internal",
        "Something broke here",
        "It is our fault. Try again; if it stays, look into the log.",
    ),
    503: Words(
        "unavailable",
        "Not available at the moment",
        "Try again in a moment; if it stays, look into the log.",
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
    DatabaseBusy: "The database is busy",
    DatabaseFull: "Nothing can be stored: the disk is full",
    DatabaseReadOnly: "Nothing can be stored: the database is read-only",
}
EXPIRED = ("The form has expired", "Go back, load the page again and send the form once more.")
NO_COOKIE = (
    "The browser sent no cookie",
    "Allow cookies for this address, load the page again and send the form once more.",
)
#: What to do about one of these in particular.
ADVICE = {"unknown_account": "Perhaps it was renamed or deleted."}
BUSY_RETRY_S, BROKEN_RETRY_S = 2, 30


class Refusal(HTTPException):
    """An answer that says why in its own words; *message* is what happened, *advice* what to do."""

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
    sentence, advice = words.sentence, words.advice
    if isinstance(error, Refusal):
        sentence, advice = error.message, error.advice
    elif isinstance(error, CSRFError):
        sentence, advice = EXPIRED if sessions.COOKIE in request.cookies else NO_COOKIE
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
    words = WORDS[status]
    if status != 503:
        response = answer(
            status,
            code,
            str(error),
            ADVICE.get(code, words.advice if status in (409, 429) else None),
        )
        if isinstance(error, TooManyTries):
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    busy = isinstance(error, DatabaseBusy)
    current_app.logger.error("%s: %s", _asked(), error)
    response = answer(status, code, UNAVAILABLE.get(type(error), words.sentence), words.advice)
    response.headers["Retry-After"] = str(BUSY_RETRY_S if busy else BROKEN_RETRY_S)
    return response


def _on_bug(error: Exception) -> BaseResponse:
    if isinstance(error, QuotaError) and any(isinstance(error, kind) for kind in ANSWERS):
        return _on_ours(error)
    request_id = secrets.token_hex(4)
    current_app.logger.error("request %s failed: %s", request_id, _asked(), exc_info=error)
    words = WORDS[500]
    return answer(500, words.code, words.sentence, words.advice, request_id)


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
    """An error as JSON or as a page; as plain text where even the page cannot be drawn."""
    if wants_json():
        message = f"{sentence} (request {request_id})" if request_id else sentence
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
