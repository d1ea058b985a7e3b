"""Signing in and out, and the first start: whoever holds the set-up link chooses the password."""

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.auth import login
from quota_web.auth.login import NOT_THE_PASSWORD, NewPassword
from quota_web.core import clock
from quota_web.core.errors import BadInput, TooManyTries
from quota_web.core.language import gettext as _
from quota_web.services import services
from quota_web.web import origins, security
from quota_web.web.errors import Refusal

Answer = BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]]
blueprint = Blueprint("sign_in", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.route("/login", endpoint="login", methods=["GET", "POST"])
def login_page() -> Answer:
    """The sign-in form, or the set-up form while there is no password; and what they send."""
    if services().settings.auth != "password":
        return _elsewhere()
    has_password = login.has_password(security.gate())
    if request.method == "POST":
        return _enter() if has_password else _set_up()
    if security.signed_in():
        return redirect(origins.safe_next(request.args.get("next")), 303)
    return _form(request.args.get("next")) if has_password else _setup_form()


def _elsewhere() -> BaseResponse:
    """There is no sign-in here: it is off, or a proxy does it."""
    if security.signed_in():
        return redirect(origins.safe_next(request.args.get("next")), 303)
    header = services().settings.proxy_user_header
    raise Refusal(
        401,
        _("The reverse proxy named no user"),
        _(
            "It signs people in here (QUOTA_AUTH=proxy) and must send their name as %(header)s.",
            header=header,
        ),
    )


@blueprint.post("/logout")
def logout() -> BaseResponse:
    """End every session of this dashboard, not only this browser's."""
    if services().settings.auth == "password":
        login.sign_out(clock.now(), security.actor())
        security.end_session()
    return redirect(url_for("sign_in.login"), 303)


def _enter() -> Answer:
    target = request.form.get("next")
    try:
        epoch = login.sign_in(
            security.gate(),
            request.form.get("password", ""),
            request.remote_addr,
            clock.now(),
            security.own_pot(),
        )
    except TooManyTries as error:
        return _too_many(_form(target, retry_after=error.retry_after), error)
    if epoch is None:
        return _form(target, error=_(NOT_THE_PASSWORD))
    security.start_session(epoch)
    return redirect(origins.safe_next(target), 303)


def _set_up() -> Answer:
    form = request.form
    new = NewPassword(form.get("password", ""), form.get("password_again", ""))
    try:
        epoch = login.choose_first(
            security.gate(),
            form.get("code", ""),
            new,
            request.remote_addr,
            clock.now(),
            security.own_pot(),
        )
    except BadInput as error:
        return _setup_form(errors={error.field: error.said})
    except TooManyTries as error:
        return _too_many(_setup_form(retry_after=error.retry_after), error)
    security.start_session(epoch)
    return redirect(url_for("dashboard.index"), 303)


def _form(
    target: str | None, error: str | None = None, retry_after: int | None = None
) -> tuple[str, int]:
    shown = origins.safe_next(target) if target else ""
    return render_template(
        "sign_in/login.html", next=shown, error=error, retry_after=retry_after
    ), 401 if error else 200


def _setup_form(
    errors: dict[str, str] | None = None, retry_after: int | None = None
) -> tuple[str, int]:
    return render_template(
        "sign_in/setup.html", errors=errors or {}, retry_after=retry_after
    ), 422 if errors else 200


def _too_many(form: tuple[str, int], error: TooManyTries) -> Answer:
    return form[0], 429, {"Retry-After": str(error.retry_after)}
