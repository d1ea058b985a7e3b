"""`GET /metrics`, for Prometheus; it comes with an API token."""

from flask import Blueprint, Flask, Response

from quota_web.core import clock
from quota_web.maintenance import scheduled_backups
from quota_web.reports import metrics
from quota_web.services import services

blueprint = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/metrics")
def index() -> Response:
    present = services()
    present.ready()
    settings = present.settings
    kept = scheduled_backups.kept(settings.backup_dir) if settings.backup_dir else None
    body, content_type = metrics.page(
        present.scope,
        clock.now(),
        settings.refresh_interval,
        (kept.newest_at, kept.newest_size) if kept else None,
    )
    return Response(body, content_type=content_type)
