"""The language of each answer: of a page, its reader's; of what programs read, English.

A reader's choice is a cookie that only the switch on *Settings* sets.
"""

from contextvars import Token

from flask import Flask, Response, current_app, request
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as BaseResponse

from quota_web.core import language
from quota_web.core.language import ENGLISH, LANGUAGES, current_language
from quota_web.language import choice
from quota_web.web import sessions
from quota_web.web.errors import wants_json
from quota_web.web.script_words import script_words

COOKIE = "codex_quota_language"
KEPT_FOR_S = 365 * 86_400
#: What the page calls its language: the script says which Chinese, and picks the font.
TAGS = {"zh": "zh-Hans"}
_TOKEN = "quota.language_token"


def init_app(app: Flask) -> None:
    """Before any other check of a request: what that refuses is said in the language, too."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        language.lookup, language.nlookup, newstyle=True
    )
    app.jinja_env.globals.update(
        current_language=current_language, page_language=page_language, script_words=script_words
    )
    app.before_request(_begin)
    app.after_request(_add_header)
    app.teardown_request(_end)


def page_language() -> str:
    """The value of `<html lang>`."""
    return TAGS.get(current_language(), current_language())


def chosen() -> str:
    """What the switch was set to; empty for what the browser says."""
    found = request.cookies.get(COOKIE, "")
    return found if found in LANGUAGES else ""


def choose(response: BaseResponse, code: str) -> None:
    """Let the browser keep *code*, or forget what it kept where that is none of the languages."""
    interface = current_app.session_interface
    assert isinstance(interface, SecureCookieSessionInterface)  # noqa: S101 - ours is one
    path = interface.get_cookie_path(current_app)
    if code not in LANGUAGES:
        response.delete_cookie(COOKIE, path=path, samesite="Lax")
        return
    response.set_cookie(
        COOKIE,
        code,
        max_age=KEPT_FOR_S,
        path=path,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def _begin() -> None:
    request.environ[_TOKEN] = language.set_language(_of_request())


def _of_request() -> str:
    return ENGLISH if wants_json() else of_reader()


def of_reader() -> str:
    """The language of whoever sits before the browser, also where its script asks for JSON."""
    fallback = current_app.config["SETTINGS"].language
    # A share link knows no cookies.
    cookie = None if sessions.is_shared() else request.cookies.get(COOKIE)
    return choice.choose(cookie, request.headers.get("Accept-Language"), fallback)


def _add_header(response: Response) -> Response:
    if request.endpoint != "static" and not wants_json():
        response.vary.add("Accept-Language")
    return response


def _end(_error: BaseException | None) -> None:
    token: Token[str] | None = request.environ.pop(_TOKEN, None)
    if token is not None:
        language.reset_language(token)
