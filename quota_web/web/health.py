"""`/healthz` and `/readyz`: whether the process answers, and whether it can do its work.

They need no sign-in.
"""

import threading
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, current_app, jsonify

from quota_web.core import clock
from quota_web.core.errors import QuotaError
from quota_web.refresh import scheduler
from quota_web.reports import overview
from quota_web.services import services
from quota_web.web import security

blueprint = Blueprint("health", __name__)
#: Where the kind of trouble that was logged last is kept.
_LOGGED = "quota_readyz_logged"
_LOOKS = "quota_readyz_looks"
#: How long the database may take before it counts as silent. Longer than a new connection in place
#: of a dead one takes.
LOOK_S = 4.0


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.extensions[_LOOKS] = _Looks(app)
    app.context_processor(_for_templates)


def _for_templates() -> dict[str, str | None]:
    """What every page says at its top while nothing can be stored. A stranger learns nothing."""
    trouble = overview.trouble() if security.signed_in() else None
    return {"trouble": trouble.said if trouble is not None else None}


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 as long as the process answers; touches nothing."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """503 with the kind of trouble when the database or the schedule does not work; a signed-in
    reader gets the words, too.
    """
    looks: _Looks = current_app.extensions[_LOOKS]
    is_silent = not looks.wait()
    found = _silent() if is_silent else looks.found or _schedule()
    _log_a_change(found)
    if found is None:
        return jsonify(status="ok"), 200
    told = {"status": "unavailable", "reason": found.kind}
    # Sessions and tokens are in the database, too.
    is_known = not is_silent and security.is_known()
    return jsonify(told | ({"message": found.words} if is_known else {})), 503


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the work cannot be done: the kind (`database`, `storing`, `schedule`) is public, the
    words are not.
    """

    kind: str
    words: str


class _Looks:
    """Looks at the database in a thread beside, one at a time, so that no answer waits for a silent
    one.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._is_looking = False
        self._began_at = 0.0
        self._number = 0
        #: What the last look that ended came to.
        self.found: Trouble | None = None

    def wait(self) -> bool:
        """Look, or wait for the look under way; False where that takes longer than LOOK_S from its
        beginning.
        """
        with self._changed:
            if not self._is_looking:
                self._is_looking, self._began_at = True, clock.monotonic()
                threading.Thread(target=self._look, name="readyz", daemon=True).start()
            number, left_s = self._number, self._began_at + LOOK_S - clock.monotonic()
            return self._changed.wait_for(lambda: self._number != number, max(0.0, left_s))

    def _look(self) -> None:
        found: Trouble | None = Trouble("database", "the look at the database failed")
        try:
            with self._app.app_context():
                found = _database()
        finally:
            with self._changed:
                self.found, self._is_looking = found, False
                self._number += 1
                self._changed.notify_all()


def _silent() -> Trouble:
    return Trouble("database", f"the database has not answered for {LOOK_S:g} s")


def _database() -> Trouble | None:
    try:
        services().ready()
        overview.version()
    except QuotaError as error:
        return Trouble("database", f"the database cannot be used ({type(error).__name__}): {error}")
    trouble = overview.trouble()
    return (
        None
        if trouble is None
        else Trouble("storing", f"nothing can be stored ({type(trouble).__name__}): {trouble}")
    )


def _schedule() -> Trouble | None:
    words = scheduler.health(current_app)
    return None if words == "ok" else Trouble("schedule", words)


def _log_a_change(found: Trouble | None) -> None:
    """Log what is wrong once, not at every probe: some probe every few seconds."""
    kind = found.kind if found is not None else None
    if current_app.extensions.get(_LOGGED) != kind:
        current_app.extensions[_LOGGED] = kind
        if found is not None:
            current_app.logger.error("readyz: %s: %s", found.kind, found.words)
