"""The facts beside quota on an account's page, and the button that has one asked for again."""

from typing import Any

from flask import Blueprint, Flask, flash, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.accounts import account_form
from quota_web.core import clock, extra_facts
from quota_web.core.errors import BadInput
from quota_web.core.extra_facts import NOT_ASKED, Extra
from quota_web.core.faults import Fault
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.times import iso, iso_text
from quota_web.extras import wanting
from quota_web.reports import beside_quota
from quota_web.reports.overview import AccountView
from quota_web.services import services
from quota_web.web import security

blueprint = Blueprint("extras", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/auth/extras")
def press() -> BaseResponse:
    """Have a fact asked for again."""
    form, present = request.form, services()
    kind = form.get("kind", "")
    if kind not in present.settings.extras:
        raise BadInput("kind", mark("this is not asked for here: QUOTA_EXTRAS does not name it"))
    shown = account_form.shown_by(form)
    name = wanting.want(form.get("name", ""), kind, clock.now(), present.scope, shown)
    flash(_("It is asked for within a minute or two."), "ok")
    return redirect(url_for("accounts.show", name=name, _anchor="plan"), 303)


def rows(report: AccountView) -> list[dict[str, Any]]:
    """What the page says of each kind that is wanted, in the order of the settings."""
    told = beside_quota.fields(report.extras)
    return [
        _row(report, kind, report.extras.get(kind, NOT_ASKED), told[kind])
        for kind in services().settings.extras
    ]


def _row(report: AccountView, kind: str, extra: Extra, told: Any) -> dict[str, Any]:
    is_sent_for = report.account.paused_at is None and report.account.chatgpt_account_id is not None
    if kind == extra_facts.WORKSPACE and told == extra_facts.PERSONAL:
        told = _("Personal")
    return {
        "kind": kind,
        "title": _("Subscription") if kind == extra_facts.SUBSCRIPTION else _("Workspace"),
        "told": told,
        "taken_at": iso(extra.taken_at),
        "asked_at": iso(extra.asked_at),
        "reason": _reason(extra.fault) if extra.fault else None,
        "is_wanted": extra.wanted_at is not None,
        "may_press": is_sent_for and extra.wanted_at is None and security.may_see_credentials(),
    }


def _reason(fault: Fault) -> str:
    """Why an answer told nothing; of the account's sign-in and quota that says nothing."""
    if fault.code == "cloudflare":
        return _("Cloudflare answers with a challenge for browsers")
    if fault.code == "unauthorized":
        return "HTTP 401"
    return fault.said(iso_text)
