"""`/api/results`, `/api/forecast`, `/api/next` and `/api/history`: the numbers of the pages, for
scripts and for the pages themselves.
"""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from flask import Blueprint, Flask, Response, current_app, request

from quota_web.core import clock
from quota_web.core.times import iso
from quota_web.reports import history, outlook_json, overview
from quota_web.reports.history import Chart
from quota_web.reports.overview import Overview, ViewCache
from quota_web.reports.results_json import EntryCache
from quota_web.services import services
from quota_web.web import security

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

blueprint = Blueprint("api", __name__)
_CURRENT = "quota_current_results"
#: One thread makes a new body, the others wait for it: side by side, each would take as long as all
#: of them together.
_making = threading.Lock()


class VersionedPaths:
    """Lets every path under `/api/v1/` be the one under `/api/`."""

    def __init__(self, inner: "WSGIApplication") -> None:
        self._inner = inner

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/api/v1/"):
            environ["PATH_INFO"] = f"/api/{path.removeprefix('/api/v1/')}"
        return self._inner(environ, start_response)


def init_app(app: Flask) -> None:
    app.extensions[_CURRENT] = None
    app.register_blueprint(blueprint)


@dataclass(frozen=True, slots=True)
class CurrentResults:
    """All accounts at a moment, with the finished body and the state of the data that it shows, so
    that an unchanged answer costs one small query.
    """

    version: tuple[str, int]
    made_at: int
    #: When something in it changes by itself; None if nothing will.
    until: int | None
    overview: Overview
    body: bytes
    etag: str

    def holds(self, version: tuple[str, int], now: int) -> bool:
        return (
            self.version == version
            and self.made_at <= now
            and (self.until is None or now < self.until)
        )


def current_results(version: tuple[str, int] | None = None) -> CurrentResults:
    """The results as they are now, made anew only where the data changed, by whichever process.

    *version* is the data's, where it was read already in this request and nothing was written
    since.
    """
    now = clock.now()
    # Read before the data: a change in between makes the next request look again, never the other
    # way round.
    version = version or overview.version()
    found: CurrentResults | None = current_app.extensions[_CURRENT]
    if found is None or not found.holds(version, now):
        with _making:
            found = current_app.extensions[_CURRENT]
            if found is None or not found.holds(version, now):
                found = current_app.extensions[_CURRENT] = _make(version, now)
    return found


def _make(version: tuple[str, int], now: int) -> CurrentResults:
    present = services()
    seen = present.the(ViewCache).overview(present.scope, now, present.settings.refresh_interval)
    body = present.the(EntryCache).document(seen)
    # The body belongs to it: other settings show other accounts of the same data.
    etag = hashlib.sha256(f"{version}:{seen.flips_at}:".encode() + body).hexdigest()[:20]
    return CurrentResults(version, now, seen.flips_at, seen, body, etag)


@blueprint.get("/api/results", endpoint="results")
def results_document() -> Response:
    current = current_results(security.data_version())
    response = Response(current.body, mimetype="application/json")
    response.set_etag(current.etag)
    return response.make_conditional(request)  # type: ignore[return-value]  # it is the same object


def _seen() -> Overview:
    """All accounts as `/api/results` has them at this moment."""
    return current_results(security.data_version()).overview


@blueprint.get("/api/forecast", endpoint="forecast")
def forecast_document() -> Response:
    return json(outlook_json.forecast_document(_seen()))


@blueprint.get("/api/next", endpoint="next")
def next_document() -> Response:
    return json(outlook_json.next_document(_seen()))


@blueprint.get("/api/history", endpoint="history")
def history_api() -> Response:
    present = services()
    asked = history.parse_query(
        request.args, request.args.getlist("account"), request.args.getlist("window"), clock.now()
    )
    return json(
        document(history.chart(present.scope, asked, 2 * present.settings.refresh_interval))
    )


def json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")


def document(chart: Chart) -> dict[str, object]:
    """A chart as `/api/history` answers it: columns on one axis."""
    return {
        "from": iso(chart.axis.start),
        "to": iso(chart.axis.end),
        "step_seconds": chart.axis.step,
        "t": chart.axis.times(),
        "series": [
            {
                "account": line.account,
                "window": line.window,
                "remaining": line.columns.remaining,
                "min": line.columns.min,
                "max": line.columns.max,
            }
            for line in chart.lines
        ],
    }
