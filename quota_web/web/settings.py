"""The settings page: the password, the API tokens and the share links."""

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.auth import login, share_links, tokens
from quota_web.auth.login import NewPassword
from quota_web.auth.share_links import LinkKind
from quota_web.core import clock
from quota_web.core.errors import BadInput, TooManyTries
from quota_web.core.language import LANGUAGES
from quota_web.core.language import gettext as _
from quota_web.reports import overview
from quota_web.services import services
from quota_web.web import formats, language, new_share_link, security

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("")
def index() -> str:
    return _page()


@blueprint.post("/password")
def password() -> BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Change the password, given the present one; all other sessions end."""
    form = request.form
    if (why := _password_fixed()) is not None:
        return _page(errors={"password": why}), 422
    new = NewPassword(form.get("password", ""), form.get("password_again", ""))
    try:
        present, origin = (
            form.get("current_password", ""),
            (request.remote_addr, clock.now(), security.actor(), security.own_pot()),
        )
        epoch = login.change_password(security.gate(), present, new, *origin)
    except BadInput as error:
        return _page(errors={error.field: error.said}), 422
    except TooManyTries as error:
        wait = _("Too many tries. Try again in %(span)s.", span=formats.span(error.retry_after))
        return (
            _page(errors={"current_password": wait}),
            429,
            {"Retry-After": str(error.retry_after)},
        )
    security.start_session(epoch)
    flash(_("The password is changed. All other sessions have ended."), "ok")
    return redirect(url_for("settings.index"), 303)


@blueprint.post("/language", endpoint="language")
def choose_language() -> BaseResponse:
    """Keep the language in which this browser is shown pages; none: what it asks for."""
    response = redirect(url_for("settings.index"), 303)
    language.choose(response, request.form.get("language", ""))
    return response


@blueprint.post("/tokens")
def token_create() -> str | tuple[str, int]:
    """Make an API token and show it, this once: a redirect would have to keep it somewhere."""
    name, can_write = request.form.get("name", ""), bool(request.form.get("write"))
    try:
        made, token = tokens.create(name, can_write, clock.now(), security.actor())
    except BadInput as error:
        return _page(
            errors={error.field: error.said},
            values={"token_name": name, "token_write": can_write},
        ), 422
    return _page(new_token={"name": made, "token": token.reveal()})


@blueprint.post("/tokens/revoke")
def token_revoke() -> BaseResponse | tuple[str, int]:
    try:
        name = tokens.revoke(
            request.form.get("name", ""),
            clock.now(),
            security.actor(),
            request.form.get("created_at", type=int),
        )
    except BadInput as error:
        return _page(errors={error.field: error.said}), 422
    flash(_("Token %(name)s is revoked.", name=name), "ok")
    return redirect(url_for("settings.index"), 303)


@blueprint.post("/share-links")
def share_create() -> str | tuple[str, int]:
    """Make a share link and show its address, this once."""
    form = request.form
    kind, account, days, with_names = (
        form.get("kind", ""),
        form.get("account", ""),
        form.get("days", ""),
        bool(form.get("with_names")),
    )
    scope = services().scope
    try:
        secret = share_links.create(
            scope, kind, account, with_names, days, clock.now(), security.actor()
        )
    except BadInput as error:
        values = {
            "share_kind": kind,
            "share_account": account,
            "share_days": days,
            "share_with_names": with_names,
        }
        return _page(errors={error.field: error.said}, values=values), 422
    return _page(new_link=new_share_link.shown(LinkKind(kind), secret))


@blueprint.post("/share-links/revoke")
def share_revoke() -> BaseResponse:
    link_id = request.form.get("id", type=int)
    share_links.revoke(-1 if link_id is None else link_id, clock.now(), security.actor())
    flash(_("The share link is revoked."), "ok")
    return redirect(url_for("settings.index"), 303)


def _page(**more: Any) -> str:
    listed = [
        {
            "name": t.name,
            "can_write": t.can_write,
            "created_at": t.created_at,
            "last_used_at": t.last_used_at,
        }
        for t in tokens.listed()
    ]
    shown = {
        "password_fixed": _password_fixed(),
        "tokens": listed,
        "languages": LANGUAGES,
        "language": language.chosen(),
        "links": share_links.listed(),
        "link_kinds": {kind: new_share_link.kind_name(kind) for kind in new_share_link.KINDS},
        "kind_name": new_share_link.kind_name,
        "accounts": overview.account_names(services().scope),
    }
    return render_template("settings/index.html", **(shown | more))


def _password_fixed() -> str | None:
    """Why the password cannot be changed here, if it cannot."""
    settings = services().settings
    if settings.auth == "proxy":
        return _("The reverse proxy signs people in.")
    return _("QUOTA_PASSWORD sets it.") if settings.password is not None else None
