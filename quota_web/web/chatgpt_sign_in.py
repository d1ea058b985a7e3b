"""Signing in to ChatGPT from a page: by a code, or by a link whose last address is pasted back.

Only the browser session that began a sign-in sees it and can go on with it.
"""

import secrets
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from quota_web.core import clock, labels, names
from quota_web.core.errors import AccountNotFound, BadInput
from quota_web.core.language import mark
from quota_web.core.times import iso
from quota_web.reports import account_detail, overview
from quota_web.services import services
from quota_web.sign_ins import exchange, outcomes, signing_in
from quota_web.sign_ins.outcomes import SignInRefused, SignInState
from quota_web.sign_ins.signing_in import DEVICE, SignIn, Wanted
from quota_web.web import formats, security

blueprint = Blueprint("chatgpt", __name__)
#: Where the browser session holds its random id.
_ID = "sign_in_id"


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/auth/sign-in")
def new() -> str:
    return _form(request.args.get("account", ""), request.args.get("account", ""), {})


def _form(account: str, name: str, errors: dict[str, str]) -> str:
    return render_template(
        "chatgpt/new.html", account=_known(account), values={"name": name}, errors=errors
    )


def _known(name: str) -> str | None:
    """The account that is signed in anew, by its name; None for a new one."""
    return signing_in.account_to_sign_in(services(), name)[1] if name else None


@blueprint.post("/auth/sign-in")
def begin() -> BaseResponse:
    form, present = request.form, services()
    account, name = form.get("account", ""), form.get("name", "").strip()
    account_id = signing_in.account_to_sign_in(present, account)[0] if account else None
    try:
        if account_id is None:
            _require_free(name)
        wanted = Wanted(account or name, account_id, form.get("method", DEVICE), _session_hash())
        sign_in_id = signing_in.begin(present, wanted, clock.now())
    except BadInput as error:
        return Response(_form(account, name, {error.field: error.said}), 422)
    except SignInRefused as refused:
        return Response(_form(account, name, {"": refused.said}), 422)
    _wake()
    return redirect(url_for("chatgpt.show", sign_in_id=sign_in_id), 303)


def _require_free(name: str) -> None:
    """A new account wants a name that none has; where the login is here already, that is found
    out once it has signed in.
    """
    if not name:
        raise BadInput("name", mark("give the account a name"))
    if names.fold(name) in (names.fold(n) for n in overview.account_names(services().scope)):
        raise BadInput(
            "name",
            mark("%(name)s is here already: sign it in on its page, or give another name"),
            name=name,
        )


@blueprint.get("/auth/sign-in/<int:sign_in_id>")
def show(sign_in_id: int) -> str:
    return _page(_mine(sign_in_id), {})


def _page(row: SignIn, errors: dict[str, str]) -> str:
    state = _state(row)
    is_open = state is SignInState.WAITING
    return render_template(
        "chatgpt/show.html",
        row=row,
        state=state,
        words=outcomes.words(state, row.code),
        address=signing_in.address_of(services(), row) if is_open else None,
        can_add=state is SignInState.OTHER_IDENTITY and row.tokens_sealed is not None,
        expires_at=iso(row.expires_at),
        told=_told(row.name) if state is SignInState.DONE else [],
        errors=errors,
    )


@blueprint.get("/api/sign-in/<int:sign_in_id>")
def state(sign_in_id: int) -> Response:
    row = _mine(sign_in_id)
    return jsonify(_document(row))


def _document(row: SignIn) -> dict[str, Any]:
    state = _state(row)
    is_open = state is SignInState.WAITING
    return {
        "state": state,
        "user_code": row.user_code if is_open else None,
        "url": signing_in.address_of(services(), row) if is_open else None,
        "expires_at": iso(row.expires_at),
        "account": row.name if state is SignInState.DONE else None,
        "code": row.code,
    }


@blueprint.post("/auth/sign-in/<int:sign_in_id>/callback")
def callback(sign_in_id: int) -> BaseResponse:
    row = _mine(sign_in_id)
    try:
        signing_in.paste(services(), row, request.form.get("url", ""), clock.now())
    except BadInput as error:
        return Response(_page(_mine(sign_in_id), {error.field: error.said}), 422)
    _wake()
    return redirect(url_for("chatgpt.show", sign_in_id=sign_in_id), 303)


@blueprint.post("/auth/sign-in/<int:sign_in_id>/cancel")
def cancel(sign_in_id: int) -> BaseResponse:
    signing_in.cancel(_mine(sign_in_id).id)
    return redirect(url_for("auth.index"), 303)


@blueprint.post("/auth/sign-in/<int:sign_in_id>/add")
def add(sign_in_id: int) -> BaseResponse:
    """Add the login that signed in instead of the account's own as an account of its own."""
    row, name = _mine(sign_in_id), request.form.get("name", "").strip()
    try:
        exchange.add_as_new(services(), row, name, clock.now())
    except BadInput as error:
        return Response(_page(_mine(sign_in_id), {error.field: error.said}), 422)
    return redirect(url_for("chatgpt.show", sign_in_id=sign_in_id), 303)


def _told(name: str) -> list[str]:
    """Whose account it became and what it has left, as far as it was read; nothing where it was
    renamed or removed since.
    """
    present, now = services(), clock.now()
    interval_s = present.settings.refresh_interval
    try:
        found = account_detail.load_details(present.scope, name, now, interval_s).report
    except AccountNotFound:
        return []
    plan = labels.plan(found.facts.plan) if found.facts else None
    windows = (found.five_hour, found.weekly)
    left = " / ".join(formats.percent(w.remaining_percent) for w in windows if w is not None)
    return [part for part in (found.account.email, plan, left) if part]


def _state(row: SignIn) -> SignInState:
    if row.outcome is not None:
        return SignInState(row.outcome)
    return SignInState.WAITING if row.is_open(clock.now()) or row.claim else SignInState.EXPIRED


def _mine(sign_in_id: int) -> SignIn:
    """The sign-in, if this browser session began it; others learn nothing of it."""
    row = signing_in.find(sign_in_id, _session_hash())
    if row is None:
        raise NotFound
    return row


def _session_hash() -> str:
    if _ID not in session:
        session[_ID] = secrets.token_hex(16)
    return signing_in.session_hash(session[_ID], security.principal().user)


def _wake() -> None:
    if (wake := services().wake) is not None:
        wake()
