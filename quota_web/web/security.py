"""Who may do what: one check before every request, which lets nothing through that is not declared
here.

1. The peer's headers were in order (proxy.py), and the host is one under which we may be opened.
2. The principal is found: a session, an API token, a user named by a trusted proxy, or a
   stranger.
3. The endpoint's scope, from the one table in scopes.py, says whether that is enough.
4. What changes something must come from our own pages, with their CSRF token; API tokens need
   neither, since no browser adds them by itself.
"""

from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask_wtf import CSRFProtect
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response as BaseResponse

from quota_web.auth import login, tokens
from quota_web.auth.login import LoginContext
from quota_web.auth.passwords import COST
from quota_web.core import clock
from quota_web.core.errors import QuotaError
from quota_web.core.language import gettext as _
from quota_web.core.limits import MAX_CREDENTIALS
from quota_web.reports import overview
from quota_web.services import services
from quota_web.web import hosts, known_browsers, origins, proxy, scopes, sessions
from quota_web.web.errors import Refusal, wants_json

csrf = CSRFProtect()

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
#: The blueprint of what other sites may show, and its one page.
EMBEDS = "embeds"
BOARD = f"{EMBEDS}.board"
#: Embeds alone may stand in a frame of any site. They send no Referer: their
#: address is a secret.
EMBED_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors *",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
BOARD_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors *"
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a form adds around a file of the full size: boundaries, names, the other fields.
FORM_MARGIN = 64 * 1024
#: Which endpoints are sent files; all other forms are a few words, and reading a large one would be
#: work for strangers.
TAKES_FILES = {"auth.save", "auth.preview"}
MAX_FORM = 64 * 1024
#: How exactly a session knows its last use.
SEEN_EVERY_S = 3600
_SIGNED_IN, _EPOCH, _SEEN = "signed_in", "epoch", "seen"


def init_app(app: Flask) -> None:
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_CREDENTIALS + FORM_MARGIN,
        MAX_FORM_MEMORY_SIZE=MAX_CREDENTIALS,
        MAX_FORM_PARTS=50,
        # The guard below demands the token once the principal is known; it holds as long as its
        # session.
        # The Origin is checked here, too.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.config.setdefault("PASSWORD_COST", COST)
    sessions.init_app(app)
    csrf.init_app(app)
    app.before_request(_check)
    app.after_request(_add_headers)
    app.context_processor(_for_templates)


def gate() -> LoginContext:
    """What signing in depends on, of the present app."""
    return LoginContext(services().settings, current_app.config["PASSWORD_COST"])


def principal() -> scopes.Principal:
    """Who sent the request, as far as that is known."""
    found: scopes.Principal = g.get("principal", scopes.STRANGER)
    return found


def actor() -> str:
    """Who acts, for the audit: `password session`, `token NAME`, or the user named by the proxy."""
    return principal().actor


def signed_in() -> bool:
    """Whether the principal may look: signed in, or the sign-in is off."""
    return principal().may(scopes.READ)


def may_see_credentials() -> bool:
    """Whether the principal may see the state of credentials: where they lie, until when they
    hold. A token is never shown.
    """
    return principal().may(scopes.SESSION)


def may_see_audit() -> bool:
    """Whether the principal may see what was done to this dashboard, and which actor did what."""
    return principal().may(scopes.SESSION)


def is_known() -> bool:
    """Whether a request to an endpoint that answers without a sign-in carries a session or a token,
    as far as the database can tell. A visitor does not count.
    """
    try:
        return _find_principal().kind not in ("stranger", "visitor")
    except QuotaError:
        return False


def data_version() -> tuple[str, int]:
    """The data's version when the request came in; read together with what says whether its session
    counts.
    """
    return overview.version(g.get("site"))


def start_session(epoch: int) -> None:
    """Begin a session of its own: nothing of what the cookie held before the sign-in stays."""
    browser = known_browsers.browser_name()
    session.clear()
    session.permanent = True
    session.update(
        {_SIGNED_IN: True, _EPOCH: epoch, _SEEN: clock.now(), known_browsers.NAME: browser}
    )
    g.pop("csrf_token", None)


def own_pot() -> str | None:
    """The pot in which a known browser's guesses at the password count; others cannot use it up."""
    return "session" if principal().kind == "session" else known_browsers.own_pot()


def end_session() -> None:
    known_browsers.remember_browser()
    session.clear()
    g.pop("csrf_token", None)


def _check() -> BaseResponse | None:
    """The one check before every request; an answer from here is the request's answer."""
    _check_ways()
    endpoint = request.endpoint
    if endpoint not in TAKES_FILES:
        request.max_content_length = request.max_form_memory_size = MAX_FORM
    scope = scopes.SCOPES.get(endpoint) if endpoint is not None else scopes.PUBLIC
    if scope is None:
        raise RuntimeError(f"no scope declared in scopes.SCOPES for {endpoint}")
    if endpoint in scopes.PLAIN:
        return None
    if (fault := request.environ.get(sessions.FAULT)) is not None:
        raise fault
    g.principal = scopes.STRANGER if sessions.is_shared() else _find_principal()
    if not g.principal.may(scope):
        return _deny(g.principal)
    if request.method not in SAFE_METHODS and sessions.bearer() is None and endpoint is not None:
        origins.check()
        csrf.protect()
    return None


def _check_ways() -> None:
    """Refuse what came in a wrong way: malformed forwarded headers, outside the prefix, or under a
    foreign name.
    """
    if (refused := request.environ.get(proxy.REFUSED)) is not None:
        raise Refusal(*refused.said())
    header = request.environ.get("HTTP_HOST")
    if header is None:
        # No browser leaves it out, so no other site caused this request.
        return
    trusted = services().settings.trusted_hosts
    host = hosts.hostname(header)
    if host is None:
        raise Refusal(400, _("The Host header is malformed"))
    if not hosts.is_trusted(host, trusted):
        # A request under an unknown name does not learn the known ones.
        advice = _(
            "If %(host)s is yours, start the service with QUOTA_TRUSTED_HOSTS=%(host)s; beside "
            "other names, after a comma.",
            host=host,
        )
        raise Refusal(400, _("This name is not one of QUOTA_TRUSTED_HOSTS"), advice)


def _find_principal() -> scopes.Principal:
    """Who sent the request; only this much of the database is read before the sign-in is known."""
    present = services()
    present.ready()
    token = sessions.bearer()
    if token is not None:
        return _token(token)
    if present.settings.auth == "off":
        return scopes.VISITOR
    if present.settings.auth == "proxy":
        return _proxy_user(present.settings.proxy_user_header)
    return (
        scopes.Principal("session", login.SESSION_ACTOR) if _session_counts() else scopes.STRANGER
    )


def _token(token: str) -> scopes.Principal:
    found = tokens.known(token, clock.now())
    if found is None:
        return scopes.STRANGER
    # With the sign-in off, credentials cannot be changed, by no token either.
    is_writing = found.can_write and services().settings.auth != "off"
    return scopes.Principal("writing token" if is_writing else "token", f"token {found.name}")


def _proxy_user(header: str) -> scopes.Principal:
    """The user named by a trusted proxy; proxy.py has dropped the header of any other peer."""
    name = request.headers.get(header, "").strip()
    try:
        # Servers hand headers on as Latin-1, proxies send names as UTF-8.
        name = name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return scopes.STRANGER
    if not name or not name.isprintable():
        return scopes.STRANGER
    return scopes.Principal("proxy", f"user {name[:80]}", name[:80])


def _session_counts() -> bool:
    """Whether the cookie's session is signed in, of the present epoch, and was used within its
    lifetime; notes the use.
    """
    if not session.get(_SIGNED_IN):
        return False
    now, seen = clock.now(), session.get(_SEEN)
    if not isinstance(seen, int) or now - seen > sessions.LIFETIME_S:
        return False
    g.site = overview.site_state()
    if session.get(_EPOCH) != g.site.session_epoch:
        return False
    if now - seen >= SEEN_EVERY_S:
        session[_SEEN] = now
        known_browsers.remember_browser()
    return True


def _deny(found: scopes.Principal) -> BaseResponse:
    """Redirect an anonymous browser to the sign-in and answer an anonymous program with 401; a
    known principal that may not do this gets 403.
    """
    if found.kind != "stranger":
        raise Refusal(403, _("That is not allowed here"), _forbidden_advice(found))
    if wants_json():
        raise Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "Codex Quota"}))
    here = request.script_root + quote(request.path)
    here += f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    is_worth_it = (
        request.method == "GET"
        and len(here) <= origins.MAX_TARGET
        and here != url_for("dashboard.index")
    )
    return redirect(url_for("sign_in.login", next=here if is_worth_it else None), 303)


def _forbidden_advice(found: scopes.Principal) -> str:
    if found.kind == "visitor":
        return _("The sign-in is off (QUOTA_AUTH=off), so nobody may see or change credentials.")
    if found.kind == "token":
        return _("This API token only reads and refreshes.")
    return _("This is for people who sign in, not for API tokens.")


def _add_headers(response: Response) -> Response:
    response.headers.update(_headers())
    if request.endpoint == "static" and response.status_code in (200, 304):
        if "v" in request.args:
            # The address changes with the content, so what it says holds for good.
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    # A picture whose address changes with what it shows says so itself.
    response.headers.setdefault("Cache-Control", "no-store")
    if sessions.is_shared():
        response.headers["X-Robots-Tag"] = "noindex"
    else:
        response.vary.add("Cookie")
    return response


def _headers() -> dict[str, str]:
    if request.blueprint != EMBEDS:
        return HEADERS
    if request.endpoint != BOARD:
        return EMBED_HEADERS
    return EMBED_HEADERS | {"Content-Security-Policy": BOARD_POLICY}


def _for_templates() -> dict[str, object]:
    viewer = principal()
    return {
        "signed_in": viewer.may(scopes.READ),
        "may_change": viewer.may(scopes.SESSION),
        "can_sign_out": viewer.kind == "session",
        "user": viewer.user,
    }
