"""The dashboard and its refresh button."""

from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quota_web import charts, clock, commands, refresh, reports, results
from quota_web.charts import Spark
from quota_web.reports import Overview
from quota_web.web import api, display, overview, security
from quota_web.world import world

blueprint = Blueprint("dashboard", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/")
def index() -> str:
    present, now = world(), clock.now()
    etag = api.current().etag
    # Nothing in the table changes but with the data and, for the countdowns, with the minute.
    shown = display.kept(("dashboard", etag, now // 60, overview.asked(request.args)), lambda: _shown(now))
    return render_template("dashboard/index.html", **shown, results_etag=etag, account_folder=present.settings.account_dir)


def _shown(now: int) -> dict[str, Any]:
    present = world()
    seen = reports.overview(present.scope, now, present.settings.refresh_interval)
    rows = _rows(seen, now, 2 * present.settings.refresh_interval)
    document = results.document(Overview(seen.site, (), seen.next_refresh_at, None))
    return overview.table(rows, request.args, now) | {"updated_at": document["updated_at"], "next_refresh_at": document["next_refresh_at"]}


def _rows(seen: Overview, now: int, carry_s: int) -> list[dict[str, Any]]:
    sparks: dict[int, Spark] = charts.sparks([r.account.id for r in seen.accounts], now, carry_s)
    return [results.result(r) | {"spark": sparks.get(r.account.id), "origin": r.account.origin} for r in seen.accounts]


@blueprint.route("/refresh", methods=["GET", "POST"], endpoint="refresh")
def start_refresh() -> BaseResponse | str:
    """Refresh and go back to the dashboard, or wait and answer the results where JSON is asked for.

    A link on another site, a HEAD and a prefetch start nothing.
    """
    if request.method != "POST" and (request.method == "HEAD" or "Sec-Purpose" in request.headers or security.is_cross_site()):
        return render_template("refresh/confirm.html", count=len(refresh.select(world().scope)[0]))
    name = request.form.get("account", "")
    if request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html") == "application/json":
        _refresh_now(name)
        kept = api.current()
        return Response(kept.body, mimetype="application/json")
    _refresh_soon(name)
    return redirect(url_for("accounts.show", name=name) if name else url_for("dashboard.index"), 303)


def _refresh_now(name: str) -> None:
    present = world()
    for _ in refresh.refresh(commands.crew(present), refresh.not_joined(present.scope, name, clock.now())):
        pass
    commands.write_state_file(present)


def _refresh_soon(name: str) -> None:
    """Leave it to the schedule where one runs in this process; without one, do it before answering."""
    present = world()
    if present.wake is None:
        _refresh_now(name)
        return
    refresh.request(refresh.not_joined(present.scope, name, clock.now()), clock.now())
    present.wake()
