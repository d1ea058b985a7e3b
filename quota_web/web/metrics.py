"""`GET /metrics`, for Prometheus; it comes with an API token."""

from flask import Blueprint, Flask, Response

from quota_web.core import clock
from quota_web.reports import metrics
from quota_web.services import services

blueprint = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/metrics")
def index() -> Response:
    present = services()
    present.ready()
    body, content_type = metrics.page(present.scope, clock.now(), present.settings.refresh_interval)
    return Response(body, content_type=content_type)
