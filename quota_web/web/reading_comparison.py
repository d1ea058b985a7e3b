"""What happened between two readings: `/accounts/<name>/between`, as a page, text and CSV."""

from datetime import datetime

from flask import Blueprint, Flask, Response, render_template, request

from quota_web.core import clock
from quota_web.core.errors import BadQuery
from quota_web.core.language import mark
from quota_web.reports import reading_comparison
from quota_web.reports.reading_comparison import ComparisonQuery
from quota_web.services import services
from quota_web.web import csv_answer, formats, zone

blueprint = Blueprint("reading_comparison", __name__)
FORMATS = ("html", "text", "csv")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/accounts/<name>/between")
def show(name: str) -> Response | str:
    form = request.args.get("format", "html")
    if form not in FORMATS:
        raise BadQuery(
            "format", mark("format must be one of %(formats)s"), formats=", ".join(FORMATS)
        )
    present, asked = services(), _asked(name)
    carry_s = 2 * present.settings.refresh_interval
    made = reading_comparison.load(present.scope, asked, carry_s, zone.shown())
    if form == "text":
        return Response(reading_comparison.report(made), content_type="text/plain; charset=utf-8")
    if form == "csv":
        return csv_answer.stream("between", *reading_comparison.table(made))
    return render_template(
        "accounts/between.html",
        account=name,
        made=made,
        report=reading_comparison.report(made),
        start=_local(asked.start),
        end=_local(asked.end),
        zone=formats.in_zone(clock.now(), zone.shown()).strftime("%Z"),
        address={"name": name, "window": made.window, "from": asked.start, "to": asked.end},
    )


def _asked(name: str) -> ComparisonQuery:
    args = request.args.to_dict()
    if args.get("clock") == "viewer":
        args |= {word: _in_utc(args[word]) for word in ("from", "to") if args.get(word)}
    return reading_comparison.parse_query(name, args, clock.now())


def _in_utc(moment: str) -> str:
    """A moment without a zone as the viewer's clocks mean it; anything else as it is."""
    try:
        local = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if local.tzinfo is None:
        where = zone.shown()
        local = local.replace(tzinfo=where) if where else local.astimezone()
    return local.isoformat()


def _local(at: int) -> str:
    """A moment as a field for date and time takes it."""
    return formats.in_zone(at, zone.shown()).strftime("%Y-%m-%dT%H:%M:%S")
