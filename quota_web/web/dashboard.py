"""The dashboard and its refresh button."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web.core import clock, labels, lookalikes
from quota_web.core.language import ENGLISH, ngettext, use_language
from quota_web.core.language import gettext as _
from quota_web.core.times import iso
from quota_web.refresh import context, refresh_service
from quota_web.reports import (
    history,
    next_words,
    outlook,
    outlook_words,
    refresh_counts,
    results_json,
    state_file,
)
from quota_web.reports.history import Spark, SparkScale
from quota_web.reports.overview import AccountView, Overview
from quota_web.reports.refresh_counts import RefreshCounts
from quota_web.services import services
from quota_web.web import (
    api,
    dashboard_table,
    formats,
    language,
    origins,
    security,
    sessions,
    versioned_cache,
)

blueprint = Blueprint("dashboard", __name__)
#: The header that tells what a refresh came to, beside the results in the body.
SUMMARY = "X-Quota-Refresh"
#: The same in the language of the browser, where that is not English; percent-encoded UTF-8.
SUMMARY_IN_WORDS = "X-Quota-Refresh-Words"
#: For so long after the first account came, charts say why there is so little on them.
YOUNG_S = 3_600
#: A browser that fetches ahead of a click says so in one of these.
AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/")
def index() -> str:
    present, now = services(), clock.now()
    current = api.current_results(security.data_version())
    # Nothing in the table changes but with the data and, for the countdowns, with the minute.
    shown = versioned_cache.parts().get(
        ("dashboard", dashboard_table.parse_query(request.args)),
        (current.etag, now // 60),
        lambda: _shown(current.overview, now),
    )
    return render_template(
        "dashboard/index.html",
        **shown,
        results_etag=current.etag,
        account_folder=present.settings.account_dir,
    )


def _shown(seen: Overview, now: int) -> dict[str, Any]:
    rows = _rows(seen, now, 2 * services().settings.refresh_interval)
    began_at = min((r.account.created_at for r in seen.accounts), default=now)
    return dashboard_table.table(rows, request.args, now) | {
        "next_refresh_at": iso(seen.next_refresh_at),
        "is_young": now - began_at < YOUNG_S,
        "has_lasts": any(row["lasts"] for row in rows),
        "next_reason": _next_reason(seen),
    }


def _next_reason(seen: Overview) -> str | None:
    """Why the account that is named first is to be used; None before that was worked out."""
    found = outlook.next_of(seen)
    if found.account is None or not found.reasons:
        return None
    return next_words.short_reason(found)


def _rows(seen: Overview, now: int, carry_s: int) -> list[dict[str, Any]]:
    """What the table shows of each account; `version` names the state of all of it."""
    scale = history.spark_scale([r.account.id for r in seen.accounts], now)
    sparks = _sparks(seen, scale, carry_s)
    marks = lookalikes.marks(r.account.name for r in seen.accounts)
    return [
        results_json.result(r)
        | {
            "rank": seen.ranks[r.account.id],
            "id": r.account.id,
            "spark": sparks[r.account.id],
            "origin": r.account.origin,
            "looks_like": marks.get(r.account.name),
            "lasts": _lasts(r),
            "version": (
                *_version(seen, r), scale, marks.get(r.account.name), now // 60
            ),
        }
        for r in seen.accounts
    ]  # fmt: skip


def _lasts(view: AccountView) -> dict[str, str] | None:
    """Whether the window lasts that most likely runs out; None where nothing is said."""
    found = outlook.foreseen(view)
    if found is None:
        return None
    key, said = found
    text, chance = outlook_words.in_short(key, said)
    return {"text": text, "about": f"{labels.window_short(key)} {chance or ''}".strip()}


def _version(seen: Overview, report: AccountView) -> tuple[object, ...]:
    """Names the state of one account: its row's version, and what time and the other accounts make
    of it.
    """
    return (
        seen.site.nonce,
        report.account.version,
        report.group,
        report.stale,
        report.block,
        report.failing_since,
        report.same_login_as,
    )


def _sparks(seen: Overview, scale: SparkScale, carry_s: int) -> dict[int, Spark]:
    """The sparkline of each account, by its id; only those that changed are read."""
    versions = {
        ("spark", r.account.id): (seen.site.nonce, r.account.version, scale, carry_s)
        for r in seen.accounts
    }

    def read(missing: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Spark]:
        found = history.sparks([account_id for _, account_id in missing], scale, carry_s)
        return {key: found.get(key[1], {}) for key in missing}

    found = versioned_cache.per_account().get_many(versions, read)
    return {account_id: spark for (_, account_id), spark in found.items()}


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
