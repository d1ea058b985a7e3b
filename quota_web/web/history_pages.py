"""The history of all accounts: `/history`, and the pictures and numbers of lanes."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Flask, Response, render_template, request

from quota_web.core import clock, series
from quota_web.core.errors import BadQuery
from quota_web.core.series import Axis
from quota_web.reports import history, hours_of_week, lanes, overview
from quota_web.reports.lanes import Lane
from quota_web.services import services
from quota_web.web import (
    api,
    csv_answer,
    history_parts,
    hours_table,
    lane_svg,
    security,
    svg,
    zone,
)
from quota_web.web.compare_svg import MOST, document
from quota_web.web.lanes import TIME_ARGS, context, version

blueprint = Blueprint("history", __name__)
#: More slots than that are no lane.
MOST_SLOTS = 1_000
#: A picture's address changes with what it shows.
KEPT = "private, max-age=86400, immutable"


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/history")
def index() -> str:
    current, now = api.current_results(security.data_version()), clock.now()
    seen = current.overview
    drawn = context(seen, seen.accounts, now, None)
    return render_template(
        "history/index.html",
        lanes=drawn,
        results_etag=current.etag,
        strips=history_parts.strips(seen, drawn["axis"], current.etag, now),
        compare=history_parts.compare(seen, drawn["axis"]),
        **history_parts.hours(seen, now),
        **history_parts.cycles(seen, current.etag, now),
    )


@blueprint.get("/history/hours.csv")
def hours_csv() -> Response:
    """The hours of the week: of the accounts that are named, or of all."""
    present = services()
    seen = api.current_results(security.data_version()).overview
    chosen, missing = overview.pick(seen.accounts, request.args.getlist("account"))
    for fault in missing:
        raise fault
    found = hours_of_week.load(
        [view.account.id for view in chosen],
        2 * present.settings.refresh_interval,
        clock.now(),
        zone.shown(),
    )
    return csv_answer.stream("hours-of-week", hours_table.COLUMNS, hours_table.rows(found))


@blueprint.get("/history/compare.svg")
def compare_svg() -> Response:
    """The accounts that are named as `line`, in one chart, for pages without a script."""
    present = services()
    names = list(dict.fromkeys(request.args.getlist("line")))
    if not 1 <= len(names) <= MOST:
        raise BadQuery("line", f"line must name 1 to {MOST} accounts")
    asked = history.parse_query(_time_args(), names, (), clock.now())
    drawn = history.own_charts(present.scope, asked, 2 * present.settings.refresh_interval)
    width = svg.NARROW if request.args.get("size") == "narrow" else svg.WIDTH
    picture = document(
        api.document(drawn),
        names,
        request.args.get("theme", "light"),
        zone.shown(),
        width,
    )
    return Response(picture, mimetype="image/svg+xml")


def _time_args() -> dict[str, str]:
    return {k: v for k, v in request.args.items() if k in TIME_ARGS}


@blueprint.get("/accounts/<name>/lane.svg", endpoint="lane_svg")
def lane_picture(name: str) -> Response:
    """One account's lane; `from`, `to` and `step` say which slots, else `range`."""
    [lane], [state] = _load([name])
    theme = "dark" if request.args.get("theme") == "dark" else "light"
    response = Response(lane_svg.document(lane, theme), mimetype="image/svg+xml")
    if request.args.get("v") == version(*state):
        response.headers["Cache-Control"] = KEPT
    return response


@blueprint.get("/history/lanes.json")
def lanes_json() -> Response:
    """The columns that lanes are drawn from, of the accounts that are named."""
    axis = _axis()
    made, _ = _load(list(dict.fromkeys(request.args.getlist("account"))))
    shared = {"t": axis.times(), "from": axis.start, "to": axis.end, "step": axis.step}
    return api.json(shared | {"lanes": [_entry(lane) for lane in made]})


def _load(names: list[str]) -> tuple[list[Lane], list[tuple[str, int]]]:
    carry_s = 2 * services().settings.refresh_interval
    return lanes.load_named(services().scope, names, _axis(), carry_s, clock.now())


def _entry(lane: Lane) -> dict[str, Any]:
    shown = asdict(lane)
    del shown["axis"]
    return shown | {
        "gist": lane_svg.gist(lane),
        "holes": [asdict(one) | {"words": lane_svg.hole_words(one.why)} for one in lane.holes],
    }


def _axis() -> Axis:
    """The slots that an address names; raises BadQuery."""
    asked = history.parse_query(_time_args(), (), (), clock.now())
    if not request.args.get("step"):
        # The last slot holds the end itself: a reading of this moment is shown.
        return lanes.axis_over(asked.start, asked.end + 1)
    text = request.args["step"]
    step = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if step not in series.STEPS and (not step or step % series.DAY):
        raise BadQuery("step", "step must be one of the steps of a chart, in seconds")
    axis = Axis(asked.start - asked.start % step, -(-asked.end // step) * step, step)
    if len(axis) > MOST_SLOTS:
        raise BadQuery("step", f"step makes more than {MOST_SLOTS} slots")
    return axis
