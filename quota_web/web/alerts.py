"""The page of alerts: channels and their rules, what is open, what was sent.

Channels are changed by a person in a browser session alone, and no address is ever shown.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.alerts import (
    channel_form,
    channel_service,
    channel_values,
    report,
    rule_words,
    samples,
    service_forms,
)
from quota_web.alerts.channel_form import RulesInput
from quota_web.alerts.channel_service import ChannelDraft
from quota_web.alerts.channel_values import ChannelValues
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.digests import DAYS
from quota_web.alerts.kinds import DEFAULT
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.alerts.senders import Senders
from quota_web.core import clock
from quota_web.core.errors import BadInput, Outdated
from quota_web.core.language import LANGUAGES, lookup
from quota_web.core.language import gettext as _
from quota_web.core.secret import Secret
from quota_web.reports import overview
from quota_web.services import services
from quota_web.web import hours_table, security, zone

blueprint = Blueprint("alerts", __name__, url_prefix="/alerts")

Answer = BaseResponse | str | tuple[str, int]


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("")
def index() -> str:
    """The page; with `add` or `edit` the form of a channel."""
    if (key := request.args.get("add")) is not None:
        if key not in service_forms.SERVICES:
            abort(404)
        taken = [one.channel.name for one in _seen().channels]
        return _form(channel_values.new(service_forms.SERVICES[key], taken))
    if (channel_id := request.args.get("edit", type=int)) is not None:
        try:
            return _form(channel_values.stored(services().cipher, channel_id))
        except Outdated:
            abort(404)
    return _page()


@blueprint.post("/save")
def save() -> Answer:
    """Add or change a channel; a new webhook's secret is shown in the answer, this once."""
    values = _typed()
    errors: dict[str, str] = {}
    secret: Secret | None = None
    senders = Senders(services().settings)
    try:
        draft = _draft(values)
        if values.id is None:
            made = channel_service.create(
                services().cipher, senders, draft, clock.now(), security.actor()
            )
            values, secret = replace(values, id=made[0]), made[1]
        else:
            channel_service.edit(
                services().cipher, senders, values.id, draft, clock.now(), security.actor()
            )
    except BadInput as error:
        errors = {error.field: error.said}
    finally:
        senders.close()
    if errors:
        return _form(values, errors=errors), 422
    if request.form.get("then") == "test" and values.id is not None:
        _say(values.name, _test(values.id))
    else:
        flash(_("%(name)s is saved.", name=values.name), "ok")
    if secret is not None:
        return _page(new_secret=secret.reveal(), new_name=values.name)
    return redirect(url_for("alerts.index"), 303)


@blueprint.post("/delete")
def delete() -> BaseResponse:
    name = channel_service.remove(_id(), clock.now(), security.actor())
    flash(_("%(name)s is deleted.", name=name), "ok")
    return redirect(url_for("alerts.index"), 303)


@blueprint.post("/test")
def test() -> BaseResponse:
    """Send one message through a channel, and say what came: never the receiver's answer."""
    _say(request.form.get("name", "")[:80], _test(_id()))
    return redirect(url_for("alerts.index"), 303)


@blueprint.post("/rotate")
def rotate() -> Answer:
    """Give a webhook another secret, and show it, this once."""
    try:
        secret = channel_service.rotate(services().cipher, _id(), clock.now(), security.actor())
    except BadInput as error:
        flash(error.said, "error")
        return redirect(url_for("alerts.index"), 303)
    return _page(new_secret=secret.reveal(), new_name=request.form.get("name", "")[:80])


def _id() -> int:
    found = request.form.get("id", type=int)
    return -1 if found is None else found


def _seen() -> report.AlertsReport:
    return report.load(services().cipher, zone.shown())


def _page(**more: Any) -> str:
    seen = _seen()
    return render_template(
        "alerts/index.html", seen=seen, services=service_forms.SERVICES, lookup=lookup, **more
    )


def _form(values: ChannelValues, errors: dict[str, str] | None = None) -> str:
    service = values.service
    fields = {one.name for one in service.fields}
    given = {
        one.name: request.form.get(one.name, one.value)
        for one in service.fields
        if not one.is_secret
    }
    return render_template(
        "alerts/form.html",
        values=values,
        given=given,
        errors=errors or {},
        has_address_error=any(name in fields or name == "url" for name in errors or {}),
        groups=rule_words.GROUPS,
        sentences=rule_words.SENTENCES,
        accounts=overview.account_names(services().scope),
        languages=LANGUAGES,
        days=DAYS,
        weekday=hours_table.weekday,
        sample=samples.sample(service, services().settings.public_url, zone.shown(), clock.now()),
    )


def _typed() -> ChannelValues:
    """What was typed, as the form shows it again."""
    form = request.form
    service = service_forms.SERVICES.get(form.get("service", ""))
    if service is None:
        abort(400)
    channel_id = form.get("id", type=int)
    return ChannelValues(
        service,
        channel_id,
        form.get("name", ""),
        frozenset(form.getlist("kinds")),
        frozenset(form.getlist("accounts")),
        form.get("below", ""),
        form.get("quiet_from", ""),
        form.get("quiet_to", ""),
        bool(form.get("quiet_urgent")),
        form.get("digest", "off"),
        form.get("digest_at", ""),
        form.get("language", ""),
        bool(form.get("on")) or channel_id is None,
    )


def _draft(values: ChannelValues) -> ChannelDraft:
    """Raises BadInput that names the field."""
    is_default = values.kinds == frozenset(map(str, DEFAULT))
    rules = channel_form.parse_rules(
        RulesInput(
            values.name,
            None if is_default else sorted(values.kinds),
            sorted(values.accounts),
            values.below,
            _quiet(values),
            _digest(values),
            values.language,
            values.is_on,
        ),
        services().scope,
    )
    url = service_forms.address_of(values.service, request.form, is_new=values.id is None)
    return ChannelDraft(rules, values.service.channel_kind, url)


def _quiet(values: ChannelValues) -> str:
    if not values.quiet_from and not values.quiet_to:
        return ""
    urgent = " urgent" if values.quiet_urgent else ""
    return f"{values.quiet_from}-{values.quiet_to}{urgent}"


def _digest(values: ChannelValues) -> str:
    if values.digest == "off":
        return ""
    often = "daily" if values.digest == "daily" else f"weekly {values.digest}"
    return f"{often} {values.digest_at}"


def _test(channel_id: int) -> SendResult:
    present = services()
    settings, senders = present.settings, Senders(present.settings)
    saying = Saying(settings.timezone, settings.public_url, settings.language)
    try:
        return channel_service.test(present.cipher, senders, channel_id, saying, clock.now())
    finally:
        senders.close()


def _say(name: str, result: SendResult) -> None:
    seconds = f"{result.duration_ms / 1000:.1f}"
    if result.code is SendCode.SENT:
        flash(_("The test was taken by %(name)s after %(seconds)s s.", name=name, seconds=seconds))
        return
    flash(
        _(
            "The test was not taken by %(name)s: %(why)s (after %(seconds)s s).",
            name=name,
            why=lookup(result.text or ""),
            seconds=seconds,
        ),
        "error",
    )
