"""The dashboard and its refresh button."""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.core import clock
from quota_web.core.language import ENGLISH, ngettext, use_language
from quota_web.core.language import gettext as _
from quota_web.refresh import context, refresh_service
from quota_web.reports import refresh_counts, state_file
from quota_web.reports.refresh_counts import RefreshCounts
from quota_web.services import services
from quota_web.web import (
    api,
    cached_page,
    dashboard_table,
    formats,
    language,
    now_page,
    origins,
    security,
    sessions,
)

blueprint = Blueprint("dashboard", __name__)
#: The header that tells what a refresh came to, beside the results in the body.
SUMMARY = "X-Quota-Refresh"
#: The same in the language of the browser, where that is not English; percent-encoded UTF-8.
SUMMARY_IN_WORDS = "X-Quota-Refresh-Words"
MINUTE = 60
#: A browser that fetches ahead of a click says so in one of these.
AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/")
def index() -> bytes:
    # The page is cached for a minute, so all of it is of the minute's beginning.
    present, now = services(), clock.now() // MINUTE * MINUTE
    current = api.current_results(security.data_version())

    def render(**given: Any) -> str:
        asked = dashboard_table.parse_query(request.args)
        return render_template(
            "dashboard/index.html",
            **now_page.shown(current.overview, asked, now),
            now=now,
            results_etag=current.etag,
            account_folder=present.settings.account_dir,
            **given,
        )

    # Nothing of it changes but with the data and, for the countdowns, with the minute.
    return cached_page.page("now", (current.etag, now), render)


@blueprint.route("/refresh", methods=["GET", "POST"], endpoint="refresh")
def start_refresh() -> BaseResponse | str:
    """Refresh all accounts, or the one that is named, and go back; or wait and answer the results
    where JSON is asked for.

    A link on another site, a HEAD and a prefetch start nothing.
    """
    name = request.values.get("account", "")
    if request.method != "POST" and (
        request.method == "HEAD"
        or any(header in request.headers for header in AHEAD)
        or origins.is_cross_site()
    ):
        chosen, missing = refresh_service.select(services().scope, [name] if name else [])
        return render_template(
            "refresh/confirm.html", count=len(chosen), account="" if missing else name
        )
    if (
        request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
        == "application/json"
    ):
        counts = _refresh_now(name)
        return Response(
            api.current_results().body, mimetype="application/json", headers=_told(counts)
        )
    said = _refresh_soon(name)
    if sessions.bearer() is None:
        flash(said, "ok")
    return redirect(
        url_for("accounts.show", name=name) if name else url_for("dashboard.index"), 303
    )


def _told(counts: RefreshCounts) -> dict[str, str]:
    """What a refresh came to, for programs in English, and for a page's script in its language."""
    told = {SUMMARY: counts.text}
    if (code := language.of_reader()) != ENGLISH:
        with use_language(code):
            told[SUMMARY_IN_WORDS] = quote(counts.text)
    return told


def _refresh_now(name: str) -> RefreshCounts:
    """Refresh before answering, and count what came of it."""
    present = services()
    context.sync_folders(present)
    refresh_context = context.make_context(present, by_button=True)
    names = [name] if name else []
    before = {a.id: a.attempted_at for a in refresh_service.select(present.scope, names)[0]}
    for _result in refresh_service.refresh(
        refresh_context, refresh_service.not_joined(present.scope, name, clock.now())
    ):
        pass
    state_file.write_or_log(present)
    return refresh_counts.count(before, refresh_service.select(present.scope, names)[0])


def _refresh_soon(name: str) -> str:
    """Leave it to the schedule where one runs in this process; without one, do it before answering.

    Returns what to say.
    """
    present = services()
    if present.wake is None:
        return _("%(sentence)s.", sentence=_refresh_now(name).text)
    chosen = refresh_service.not_joined(present.scope, name, clock.now())
    refresh_service.request(chosen, clock.now())
    present.wake()
    if not chosen:
        return _("Nothing to ask: all were asked a moment ago, or are demo data.")
    return ngettext(
        "Refreshing %(num)s account; the answers appear here as they come.",
        "Refreshing %(num)s accounts; the answers appear here as they come.",
        len(chosen),
        num=formats.number(len(chosen)),
    )
