"""One account's page, and its chart drawn on the server."""

from typing import Any

from flask import Blueprint, Flask, Response, render_template, request

from quota_web.core import clock, labels
from quota_web.core.display_order import NEEDS_A_PERSON
from quota_web.core.faults import Fault
from quota_web.core.language import gettext as _
from quota_web.core.quota import Status
from quota_web.core.times import iso, iso_text
from quota_web.reports import (
    account_detail,
    history,
    hours_of_week,
    renewal_words,
    results_json,
)
from quota_web.reports.account_detail import Attempt, CredentialState, Details
from quota_web.reports.history import DEFAULT_RANGE, RANGES
from quota_web.reports.hours_of_week import HoursOfWeek
from quota_web.reports.renewal_state import RenewalState
from quota_web.services import services
from quota_web.web import (
    account_page,
    account_state,
    api,
    extras,
    hours_table,
    lanes,
    latest_events,
    security,
    svg,
    zone,
)

blueprint = Blueprint("accounts", __name__)
#: For so long after an account came, its charts say why there is so little on them.
YOUNG_S = 3_600


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/accounts/<name>")
def show(name: str) -> str:
    present, now = services(), clock.now()
    settings = present.settings
    found = account_detail.load_details(
        present.scope, name, now, settings.refresh_interval, renews=present.renews
    )
    chosen = request.args["range"] if request.args.get("range") in RANGES else DEFAULT_RANGE
    age_s = now - (found.size.since or now)
    row = results_json.result(found.report) | {
        "id": found.report.account.id,
        "origin": found.report.account.origin,
        "message": found.report.fault.said(iso_text) if found.report.fault else None,
    }
    titles = {w.key: labels.window_title(w.key, w.upstream_name) for w in found.report.windows}
    return render_template(
        "accounts/show.html",
        row=row,
        range=chosen,
        ranges=[name for name in RANGES if name == chosen or name in lanes.ranges_of(age_s)],
        attempts=[_attempt(run) for run in found.attempts],
        credentials=credentials(found.credentials, found.report.status, found.report.fault)
        if security.may_see_credentials()
        else None,
        history_size=history_size(found),
        twins=found.twins,
        looks_like=found.looks_like,
        titles=titles,
        cards=account_page.cards(found),
        outlook=account_page.prospects(found, zone.shown()),
        sessions_left=account_page.sessions_left(found),
        present=account_page.present_cycles(found, zone.shown(), now),
        cycles=account_page.cycles(found, now, zone.shown()),
        hours=hours_table.table(_hours(found, now), now, zone.shown()),
        events=latest_events.of_account(found),
        banked=account_page.banked(found),
        extras=extras.rows(found.report),
        is_young=now - found.report.account.created_at < YOUNG_S,
        results_etag=api.current_results().etag,
    )


def _hours(found: Details, now: int) -> HoursOfWeek | None:
    settings = services().settings
    return hours_of_week.load(
        [found.report.account.id], 2 * settings.refresh_interval, now, zone.shown()
    )


def _attempt(run: Attempt) -> dict[str, Any]:
    return {
        "first_at": iso(run.first_at),
        "last_at": iso(run.last_at),
        "status": run.status,
        "http_status": run.http_status,
        "message": run.fault.said(iso_text) if run.fault else None,
        "count": run.count,
        "ms_mean": run.ms_mean,
        "ms_max": run.ms_max,
    }


def credentials(found: CredentialState, status: Status, fault: Fault | None) -> dict[str, Any]:
    """What pages say of an account's credentials; no token is part of it."""
    return {
        "origin": found.origin,
        "source_path": found.source_path,
        "file_read_only": found.file_read_only,
        "expires_at": iso(found.expires_at),
        "updated_at": iso(found.updated_at),
        "has_refresh_token": found.has_refresh_token,
        "state": _state(found, status, fault),
        "renewal": renewal(found.renewal),
    }


def renewal(found: RenewalState | None) -> dict[str, Any] | None:
    """What pages say of a sign-in's renewal."""
    if found is None:
        return None
    return {
        "kind": found.kind,
        "state": found.state,
        "short": renewal_words.short(found),
        "sentences": renewal_words.sentences(found),
        "last_at": iso(found.last_at),
        "is_renewing": found.is_renewing,
        "may_press": found.may_press,
        "may_switch": found.may_switch,
        "is_from_backup": found.code == "restored",
    }


def _state(found: CredentialState, status: Status, fault: Fault | None) -> str:
    if not found.is_stored:
        return _("none stored")
    if found.renewal is not None and found.renewal.is_renewing:
        return _("renewing")
    if fault is not None and status in NEEDS_A_PERSON:
        return labels.status_short(status)
    if status is Status.PENDING:
        return _("not tried yet")
    return _("works") if status is Status.OK else _("as far as known they work")


def history_size(found: Details) -> dict[str, Any]:
    return {
        "readings": found.size.readings,
        "snapshots": found.size.snapshots,
        "since": iso(found.size.since),
    }


@blueprint.get("/accounts/<name>/chart.svg")
def chart_svg(name: str) -> Response:
    """The account's own windows over `range`, for pages without JavaScript."""
    present, now = services(), clock.now()
    interval_s = present.settings.refresh_interval
    asked = history.parse_query(
        {"range": request.args.get("range", DEFAULT_RANGE)}, [name], [], now
    )
    drawn = history.own_chart(present.scope, asked, 2 * interval_s)
    nothing = ""
    if not drawn.lines and account_state.is_unlimited(
        results_json.result(
            account_detail.load_details(present.scope, name, now, interval_s).report
        )
    ):
        nothing = _("No limit, so there is nothing to draw.")
    theme = "dark" if request.args.get("theme") == "dark" else "light"
    width = svg.NARROW if request.args.get("size") == "narrow" else svg.WIDTH
    picture = svg.chart(
        api.document(drawn),
        _("Quota left of %(account)s", account=name),
        theme,
        zone.shown(),
        width,
        nothing,
    )
    return Response(picture, mimetype="image/svg+xml")
