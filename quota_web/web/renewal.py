"""Buttons of an account's sign-in: renew it now, and whether it is renewed at all."""

from flask import Blueprint, Flask, flash, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.accounts import account_form
from quota_web.core import clock
from quota_web.core.errors import BadInput
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.times import iso_text
from quota_web.reports import renewal_words
from quota_web.services import services
from quota_web.sign_ins import renewal_service, renewal_switch
from quota_web.web import origins, security

blueprint = Blueprint("renewal", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/auth/renew")
def press() -> BaseResponse:
    """Renew a sign-in now, unless something is in the way."""
    name, present = account_form.named(request.form), services()
    renewals = renewal_service.make(present, security.actor())
    done = renewal_service.renew_now(renewals, name, account_form.shown_by(request.form))
    may_at = "" if done.may_at is None else iso_text(done.may_at)
    words = renewal_words.pressed(done.outcome, done.code, done.failure, may_at)
    flash(f"{done.name}: {words}.", "ok" if done.is_renewed else "error")
    if done.is_renewed and present.wake is not None:
        present.wake()
    return _back(done.name)


@blueprint.post("/auth/renewal")
def switch() -> BaseResponse:
    """Switch a sign-in's renewal on, with the person's word that nothing else uses it, or off."""
    form, now, present = request.form, clock.now(), services()
    name, shown = account_form.named(request.form), account_form.shown_by(form)
    if form.get("on") == "1":
        if "alone" not in form:
            raise BadInput("alone", mark("tick the box: nothing else may use this sign-in"))
        done = renewal_switch.switch_on(
            present.cipher,
            present.settings.oauth_client_id,
            name,
            now,
            security.actor(),
            present.scope,
            shown,
        )
        flash(_("%(name)s is renewed from now on.", name=done), "ok")
    else:
        done = renewal_switch.switch_off(name, now, security.actor(), present.scope, shown)
        flash(_("%(name)s is not renewed any more.", name=done), "ok")
    return _back(done)


def _back(name: str) -> BaseResponse:
    """To the page that the form stood on, if it was one of ours."""
    page = url_for("accounts.show", name=name, _anchor="credentials")
    return redirect(origins.safe_next(request.form.get("next"), page), 303)
