"""What happened: `/events`, `/resets`, and events, cycles and readings for scripts as JSON and
CSV.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import groupby
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, render_template, request

from quota_web.alerts import event_texts
from quota_web.core import clock, event_visibility, times
from quota_web.core.errors import BadQuery
from quota_web.core.language import mark
from quota_web.reports import event_log, history, raw_history
from quota_web.reports.event_log import CYCLE_COLUMNS, EVENT_COLUMNS
from quota_web.services import services
from quota_web.web import csv_answer, zone

blueprint = Blueprint("event_log", __name__)
#: The longest list on a page.
MOST_SHOWN = 200
#: Cycles of so long are answered where no start is given.
CYCLES_S = 366 * 86_400


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


def _log() -> event_log.Log:
    args = request.args
    kinds, accounts = args.getlist("kind"), args.getlist("account")
    return event_log.parse_log(services().scope, args, kinds, accounts)


def _require_json() -> None:
    if request.args.get("format", "json") != "json":
        raise BadQuery("format", mark("format must be json; for CSV put .csv behind the path"))


def _require_csv() -> None:
    if request.args.get("format", "csv") != "csv":
        raise BadQuery("format", mark("format must be csv; for JSON leave .csv away"))


@blueprint.get("/api/events")
def events() -> Response:
    _require_json()
    body = orjson.dumps(event_texts.document(_log()))
    response = Response(body, mimetype="application/json")
    response.set_etag(hashlib.sha256(body).hexdigest()[:20])
    return response.make_conditional(request)  # type: ignore[return-value]  # it is the same object


@blueprint.get("/api/events.csv")
def events_csv() -> Response:
    _require_csv()
    log = _log()
    rows = (event_log.event_json(row, log.names) for row in event_log.every(log))
    return csv_answer.stream("events", EVENT_COLUMNS, (list(row.values()) for row in rows))


@blueprint.get("/api/cycles")
def cycles() -> Response:
    _require_json()
    found = list(event_log.cycles(_cycles_asked()))
    return Response(orjson.dumps({"cycles": found}), mimetype="application/json")


@blueprint.get("/api/cycles.csv")
def cycles_csv() -> Response:
    _require_csv()
    rows = event_log.cycles(_cycles_asked())
    return csv_answer.stream("cycles", CYCLE_COLUMNS, (list(row.values()) for row in rows))


def _cycles_asked() -> event_log.CycleQuery:
    args, now = request.args, clock.now()
    named = {name: args[name] for name in ("range", "from", "to") if args.get(name)}
    accounts, windows = args.getlist("account"), args.getlist("window")
    asked = history.parse_query(named, accounts, windows, now)
    keys = asked.windows or () if windows else ()
    has_start = "range" in named or "from" in named
    start = asked.start if has_start else asked.end - CYCLES_S
    end = asked.end if "to" in named else None
    return event_log.cycle_query(services().scope, asked.accounts, keys, start, end)


@blueprint.get("/api/history.csv")
def history_csv() -> Response:
    _require_csv()
    args, present = request.args, services()
    accounts, windows = args.getlist("account"), args.getlist("window")
    asked = history.parse_query(args, accounts, windows, clock.now())
    if args.get("raw") not in (None, "0", "1"):
        raise BadQuery("raw", mark("raw must be 0 or 1"))
    if args.get("raw") == "1":
        rows: Iterable[Sequence[object]] = raw_history.readings(present.scope, asked)
        return csv_answer.stream("history", raw_history.COLUMNS, rows)
    chart = history.chart(present.scope, asked, 2 * present.settings.refresh_interval)
    return csv_answer.stream("history", raw_history.BUCKET_COLUMNS, raw_history.buckets(chart))


# ---------------------------------------------------------------------------------------- pages


@blueprint.get("/events")
def events_page() -> str:
    return _page("events/index.html", ())


@blueprint.get("/resets")
def resets_page() -> str:
    return _page("events/resets.html", event_visibility.RESETS)


def _page(template: str, only: Sequence[str]) -> str:
    args = request.args
    kinds = [kind for kind in args.getlist("kind") if kind] or list(only)
    accounts = [name for name in args.getlist("account") if name]
    wanted = {"after": args.get("before") or "0", "limit": str(MOST_SHOWN)}
    log = event_log.parse_log(services().scope, wanted, kinds, accounts)
    rows = event_log.page(log, newest_first=True)
    shown = event_texts.with_texts(rows, log, zone.shown(), with_account=False)
    shown.sort(key=lambda row: (row["at"], row["id"]), reverse=True)
    return render_template(
        template,
        days=[(day, list(group)) for day, group in _by_day(shown, zone.shown())],
        rows=shown,
        kinds=sorted(only or event_visibility.OPEN),
        kind=args.get("kind", ""),
        accounts=sorted(log.names.values()),
        account=args.get("account", ""),
        older=rows[-1].id if len(rows) == MOST_SHOWN else None,
    )


def _by_day(rows: Iterable[dict[str, Any]], where: tzinfo | None) -> Iterator[tuple[str, Any]]:
    """Rows, newest first, by their day *where*; equal neighbours as one with their count."""
    for day, group in groupby(rows, lambda r: times.local(times.parse(r["at"]), where)[:10]):
        yield day, _collapsed(group)


def _collapsed(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    def same(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["kind"], row["account"], row["window"], row["withdrawn_at"] is None

    for _, group in groupby(rows, same):
        first, *rest = group
        yield first | {"count": 1 + len(rest), "since": rest[-1]["at"] if rest else None}
