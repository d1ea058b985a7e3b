"""`/healthz` and `/readyz`: whether the process answers, and whether it can do its work. Nobody has to sign in for them."""

from dataclasses import dataclass

from flask import Blueprint, Flask, Response, current_app, jsonify

from quota_web import jobs, reports
from quota_web.errors import QuotaError
from quota_web.web import security
from quota_web.world import world

blueprint = Blueprint("health", __name__)
#: Where the kind of trouble that was logged last is kept.
_LOGGED = "quota_readyz_logged"


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
    """503 with the kind of trouble when the database or the schedule does not work; who is signed in is told the words, too."""
    found = _database() or _schedule()
    _log_a_change(found)
    if found is None:
        return jsonify(status="ok"), 200
    told = {"status": "unavailable", "reason": found.kind}
    return jsonify(told | ({"message": found.words} if security.is_known() else {})), 503


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the work cannot be done: the kind (`database`, `storing`, `schedule`) is for everybody, the words are not."""

    kind: str
    words: str


def _database() -> Trouble | None:
    try:
        world().ready()
        reports.version()
    except QuotaError as error:
        return Trouble("database", f"the database cannot be used ({type(error).__name__}): {error}")
    trouble = reports.trouble()
    return None if trouble is None else Trouble("storing", f"nothing can be stored ({type(trouble).__name__}): {trouble}")


def _schedule() -> Trouble | None:
    words = jobs.health(current_app)
    return None if words == "ok" else Trouble("schedule", words)


def _log_a_change(found: Trouble | None) -> None:
    """Say what is wrong once, not at every look of whoever looks every few seconds."""
    kind = found.kind if found is not None else None
    if current_app.extensions.get(_LOGGED) != kind:
        current_app.extensions[_LOGGED] = kind
        if found is not None:
            current_app.logger.error("readyz: %s: %s", found.kind, found.words)
