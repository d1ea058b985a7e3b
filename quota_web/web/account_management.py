"""The accounts and their credentials: list, add, edit, delete, pause. No token is ever shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from quota_web.accounts import account_form, account_service, folder_sync, importing, stash
from quota_web.accounts.account_form import AccountForm, ChosenEntry, FormInvalid
from quota_web.accounts.account_service import Saved
from quota_web.accounts.importing import Planned
from quota_web.core import clock, names
from quota_web.core.errors import BadInput
from quota_web.core.language import gettext as _
from quota_web.core.limits import MAX_CREDENTIALS
from quota_web.core.times import iso, iso_text
from quota_web.reports import account_detail, results_json
from quota_web.reports.account_detail import Listed
from quota_web.services import services
from quota_web.web import origins, security
from quota_web.web.accounts import credentials, history_size
from quota_web.web.errors import answer, wants_json

blueprint = Blueprint("auth", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/auth")
def index() -> str:
    present, now = services(), clock.now()
    settings = present.settings
    listed = account_detail.listing(
        present.scope, now, settings.refresh_interval, renews=present.renews
    )
    apart = account_detail.told_apart(one.report.account for one in listed)
    report = folder_sync.look(settings.account_dir)
    fault = report.folder_fault
    skipped = [
        {"file": p.name + names.FILE_SUFFIX, "reason": p.fault.said(iso_text)}
        for p in report.problems
    ]
    return render_template(
        "auth/index.html",
        accounts=[_row(one) | {"apart": apart.get(one.report.account.id)} for one in listed],
        account_folder=settings.account_dir,
        folder_fault=fault.said if fault and settings.account_dir_named else None,
        skipped=skipped,
    )


def _row(one: Listed) -> dict[str, Any]:
    told = credentials(one.credentials, one.report.status, one.report.fault)
    words = told.pop("state")
    told["credentials_state"] = words[:1].upper() + words[1:]
    return (
        results_json.result(one.report)
        | told
        | {"id": one.report.account.id, "identity_twin": one.twin, "looks_like": one.looks_like}
    )


@blueprint.get("/auth/new")
def new() -> str:
    return _form(None, {}, {})


@blueprint.get("/auth/edit")
def edit() -> str:
    found = _details(request.args.get("name", ""))
    return _form(
        found,
        {
            "name": found.report.account.name,
            "account_id": found.credentials.chatgpt_account_id or "",
        },
        {},
    )


def _details(name: str) -> account_detail.Details:
    present = services()
    return account_detail.load_details(
        present.scope, name, clock.now(), present.settings.refresh_interval
    )


def _form(
    found: account_detail.Details | None, values: dict[str, str], errors: dict[str, str]
) -> str:
    editing = None
    if found is not None:
        told = found.credentials
        editing = {
            "account": found.report.account.name,
            "id": found.report.account.id,
            "version": told.version,
            "origin": told.origin,
            "source_path": told.source_path,
            "file_read_only": told.file_read_only,
            "expires_at": iso(told.expires_at),
            "account_id": told.chatgpt_account_id,
            "is_own": told.renewal is not None
            and (told.renewal.kind, told.renewal.state) == ("own", "on"),
        }
    return render_template(
        "auth/form.html",
        editing=editing,
        values=values,
        errors=errors,
        max_bytes=MAX_CREDENTIALS,
        account_folder=services().settings.account_dir,
    )


@blueprint.post("/auth/preview")
def preview() -> BaseResponse:
    """What saving the form would do, before it is done."""
    typed = _typed()
    try:
        planned = account_form.preview(typed)
        return _preview(planned)
    except FormInvalid as refused:
        return _refused(typed, refused)
    except BadInput as error:
        return _refused(typed, FormInvalid({error.field: error.said}))


def _preview(
    planned: Sequence[Planned], errors: Mapping[int, str] | None = None, told: str = ""
) -> Response:
    """The page that shows what was found; tokens go into its form encrypted."""
    taken = [one for one in planned if one.left_out is None]
    kept = stash.seal(services().cipher, _owner(), [one.entry for one in taken], clock.now())
    page = render_template(
        "auth/preview.html",
        rows=[_found(one) for one in taken],
        left_out=[
            {"name": one.entry.name or one.name, "reason": one.left_out, "fine": one.is_fine}
            for one in planned
            if one.left_out
        ],
        kept=kept,
        errors=errors or {},
        told=told,
    )
    return Response(page, 422 if told else 200)


def _found(one: Planned) -> dict[str, Any]:
    found, here = one.entry.credentials, one.here
    return {
        "name": one.name,
        "email": found.email if found else None,
        "plan_type": found.plan if found else None,
        "account_id": one.short_id,
        "expires_at": iso(found.expires_at) if found else None,
        "here": here.name if here else None,
        "is_own": one.is_own_here,
        "source_path": here.source_path if here else None,
    }


def _owner() -> str:
    """Names the browser session, which the forms of its pages are signed for."""
    return str(session.get("csrf_token", ""))


@blueprint.post("/auth/save")
def save() -> BaseResponse:
    if "kept" in request.form:
        return _save_kept()
    present, typed = services(), _typed()
    try:
        saved = account_form.save(
            present.cipher, present.scope, typed, clock.now(), security.actor()
        )
    except FormInvalid as refused:
        if refused.saved:
            _wake()
        return _refused(typed, refused)
    return _done(saved)


def _save_kept() -> BaseResponse:
    """Save what a preview showed, as far as it was chosen there."""
    form, now = request.form, clock.now()
    try:
        entries = stash.opened(services().cipher, _owner(), form["kept"], now)
    except BadInput as error:
        return _refused(AccountForm(), FormInvalid({error.field: error.said}))
    places = [n for n in range(len(entries)) if str(n) in form.getlist("take")]
    chosen = [ChosenEntry(entries[n], form.get(f"name-{n}", "").strip()) for n in places]
    if not chosen:
        return _preview(importing.plan(entries), told=_("Nothing is ticked, so nothing was saved."))
    saved, errors = account_form.save_chosen(
        services().cipher, chosen, now, security.actor(), replace_own="replace" in form
    )
    if not errors:
        return _done(saved)
    if saved:
        _wake()
    rest = [
        replace(choice.entry, name=choice.name) for n, choice in enumerate(chosen) if n in errors
    ]
    told = _("Nothing was saved.")
    if saved:
        names_saved = _(", ").join(s.name for s in saved)
        told = _("Saved %(names)s; the rest needs another name.", names=names_saved)
    return _preview(
        [Planned(entry, entry.name or "") for entry in rest], dict(enumerate(errors.values())), told
    )


def _done(saved: Sequence[Saved]) -> BaseResponse:
    _wake()
    stored = [one.name for one in saved if not one.is_kept]
    if stored:
        told = _("Saved %(names)s.", names=_(", ").join(stored))
        if any(one.is_due for one in saved):
            told = _("Saved %(names)s. A refresh follows at once.", names=_(", ").join(stored))
        flash(told, "ok")
    for one in saved:
        if one.given_name:
            told = _(
                "%(given)s is the same login as %(name)s: %(done)s.",
                given=one.given_name,
                name=one.name,
                done=one.done,
            )
            flash(told, "ok")
        elif one.is_kept:
            flash(_("%(name)s: %(done)s.", name=one.name, done=one.done), "ok")
        if one.archived_as:
            told = _(
                "That was another login: the history of before is kept as %(name)s.",
                name=one.archived_as,
            )
            flash(told, "ok")
    return redirect(url_for("auth.index"), 303)


def _refused(typed: AccountForm, refused: FormInvalid) -> BaseResponse:
    """The form again with what is wrong, or that alone for a program."""
    if wants_json():
        return answer(422, "bad_input", str(refused))
    found = _details(typed.original_name) if typed.original_name else None
    return Response(
        _form(found, {"name": typed.name, "account_id": typed.account_id}, refused.errors), 422
    )


def _wake() -> None:
    """Let the schedule of this process look at once which accounts are due."""
    if (wake := services().wake) is not None:
        wake()


def _typed() -> AccountForm:
    form = request.form
    files = tuple(
        (f.filename or "", f.read(MAX_CREDENTIALS + 1))
        for f in request.files.getlist("auth_json")
        if f.filename
    )
    pasted = form.get("auth_json", "")
    if any(
        len(content) > MAX_CREDENTIALS for content in (pasted, *(content for _, content in files))
    ):
        raise RequestEntityTooLarge
    return AccountForm(
        name=form.get("name", "").strip(),
        original_name=form.get("original_name", ""),
        pasted=pasted,
        files=files,
        access_token=form.get("access_token", "").strip(),
        account_id=form.get("account_id", "").strip(),
        shown=account_form.shown_by(form),
        replace_own="replace" in form,
    )


@blueprint.get("/auth/delete")
def delete_confirm() -> str:
    found = _details(request.args.get("name", ""))
    told = found.credentials
    # What is not there needs no writing.
    stays = told.file_read_only and found.report.account.source_gone_at is None
    row = results_json.result(found.report) | {
        "id": found.report.account.id,
        "looks_like": found.looks_like,
        "origin": told.origin,
        "source_path": told.source_path,
        "file_read_only": stays,
    }
    return render_template("auth/delete.html", row=row, history_size=history_size(found))


@blueprint.post("/auth/delete")
def delete() -> BaseResponse:
    name = account_service.remove(
        account_form.named(request.form),
        clock.now(),
        security.actor(),
        services().scope,
        account_form.shown_by(request.form),
    )
    flash(_("Deleted %(name)s.", name=name), "ok")
    return redirect(url_for("auth.index"), 303)


@blueprint.post("/auth/pause")
def pause() -> BaseResponse:
    account_service.pause(
        account_form.named(request.form),
        clock.now(),
        security.actor(),
        services().scope,
        account_form.shown_by(request.form),
    )
    return _back()


@blueprint.post("/auth/resume")
def resume() -> BaseResponse:
    account_service.resume(
        account_form.named(request.form),
        clock.now(),
        security.actor(),
        services().scope,
        account_form.shown_by(request.form),
    )
    _wake()
    return _back()


def _back() -> BaseResponse:
    """To the page that the form stood on, if it was one of ours."""
    return redirect(origins.safe_next(request.form.get("next"), url_for("auth.index")), 303)
