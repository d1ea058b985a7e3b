"""`/healthz` and `/readyz`: whether the process answers, and whether it can do its work. Nobody has to sign in for them."""

from flask import Blueprint, Flask, Response, current_app, jsonify

from quota_web import jobs, reports
from quota_web.errors import QuotaError
from quota_web.web import security
from quota_web.world import world

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.context_processor(_for_templates)


def _for_templates() -> dict[str, str | None]:
    """What every page says at its top while nothing can be stored. A stranger learns nothing."""
    trouble = reports.trouble() if security.signed_in() else None
    return {"trouble": str(trouble) if trouble is not None else None}


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 as long as the process answers; touches nothing."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """503 with the reason when the database or the schedule does not work."""
    reason = _database() or jobs.health(current_app)
    return (jsonify(status="ok"), 200) if reason == "ok" else (jsonify(status="unavailable", reason=reason), 503)


def _database() -> str | None:
    """What is wrong with the database, without the paths that only the log may name."""
    try:
        world().ready()
        reports.version()
    except QuotaError as error:
        current_app.logger.error("readyz: %s", error)
        return f"the database cannot be used ({type(error).__name__})"
    trouble = reports.trouble()
    return f"nothing can be stored ({type(trouble).__name__})" if trouble is not None else None
