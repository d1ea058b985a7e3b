"""`/api/openapi.json`: the description of the API, which is kept by hand in the file beside this
one; tests hold it true.
"""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

blueprint = Blueprint("openapi", __name__)
FILE = Path(__file__).with_name("openapi.json")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/api/openapi.json")
def description() -> Response:
    """The file, with the path that the app lives under."""
    servers = [{"url": request.script_root or "/"}]
    return Response(orjson.dumps(_written() | {"servers": servers}), mimetype="application/json")


@cache
def _written() -> dict[str, Any]:
    written: dict[str, Any] = orjson.loads(FILE.read_bytes())
    return written
