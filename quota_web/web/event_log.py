"""What happened: `/events`, `/resets`, and events, cycles and readings for scripts as JSON and
CSV.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby

import orjson
from flask import Blueprint, Flask, Response, render_template, request

from quota_web.alerts import event_texts
from quota_web.core import clock, event_visibility, labels, times
from quota_web.core.errors import BadQuery
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.reports import event_log, history, raw_history
from quota_web.reports.event_log import CYCLE_COLUMNS, EVENT_COLUMNS
from quota_web.services import services
from quota_web.web import csv_answer, event_rows, event_words, security, zone
from quota_web.web.event_rows import EventRow

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
    return event_log.parse_log(services().scope, args, kinds, accounts, _visible())


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
        return csv_answer.of_text("history", raw_history.csv_lines(present.scope, asked))
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
    log = event_log.parse_log(services().scope, wanted, kinds, accounts, _visible())
    found = event_log.latest(log)
    events = event_texts.with_texts(found, log.names, zone.shown(), with_account=False)
    names = _upstream_names(events)
    return render_template(
        template,
        days=_by_day(event_rows.rows(events, log.holders)),
        facts=partial(event_words.facts, upstream_names=names),
        upstream_names=names,
        actors=_actors([event["id"] for event in events]),
        groups=_groups(only),
        kind=args.get("kind", ""),
        accounts=sorted(log.names.values()),
        account=args.get("account", ""),
        older=found[-1].id if len(found) == MOST_SHOWN else None,
    )


def _visible() -> frozenset[str]:
    return event_visibility.ALL if security.may_see_audit() else event_visibility.OPEN


def _upstream_names(events: Iterable[event_rows.Event]) -> dict[str, str]:
    return event_log.upstream_names({event["window"] for event in events if event["window"]})


def _actors(ids: Sequence[int]) -> dict[int, str | None]:
    """Which actor did it, by the event's id; empty for all but people who are signed in."""
    if not security.may_see_audit():
        return {}
    return {key: event_words.actor(name) for key, name in event_log.actors(ids).items()}


def _groups(only: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The kinds that the filter offers, by group, each in the order of its words."""
    if only:
        return [("", list(only))]
    groups = [
        (_("Quota"), event_visibility.QUOTA),
        (_("Accounts"), event_visibility.ACCOUNTS),
        (_("Alerts"), event_visibility.ALERTS),
    ]
    if security.may_see_audit():
        groups.append((_("This dashboard"), event_visibility.AUDIT))
    return [(words, sorted(kinds, key=labels.event)) for words, kinds in groups]


def _by_day(rows: Iterable[EventRow]) -> list[tuple[str, list[EventRow]]]:
    """Rows, newest first, by their day where the viewer is."""
    where = zone.shown()
    days = groupby(rows, lambda row: times.local(row.at, where)[:10])
    return [(day, list(event_rows.collapsed(group))) for day, group in days]
