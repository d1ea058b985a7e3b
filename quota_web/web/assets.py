"""Addresses of static files that change with their content, so that browsers may keep them for
good.
"""

import hashlib
from pathlib import Path

from flask import Flask, url_for

#: The library file without which charts are drawn on the server only.
CHART_LIBRARY = "vendor/uPlot.iife.min.js"


def init_app(app: Flask) -> None:
    app.jinja_env.globals["asset"] = AssetAddresses(Path(app.static_folder or ""))
    app.context_processor(
        lambda: {"charts_ready": (Path(app.static_folder or "") / CHART_LIBRARY).is_file()}
    )


class AssetAddresses:
    """The address of each file of *folder*, by its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions: dict[tuple[str, int], str] = {}

    def __call__(self, name: str) -> str:
        path = self._folder / name
        key = (name, path.stat().st_mtime_ns if path.is_file() else 0)
        if key not in self._versions:
            self._versions[key] = (
                hashlib.sha256(path.read_bytes()).hexdigest()[:10] if key[1] else "none"
            )
        return url_for("static", filename=name, v=self._versions[key])
