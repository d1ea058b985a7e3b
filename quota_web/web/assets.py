"""Addresses of static files that change with their content, so that browsers may keep them for
good.
"""

import hashlib
from pathlib import Path

from flask import Flask, request

#: The library file without which charts are drawn on the server only.
CHART_LIBRARY = "vendor/uPlot.iife.min.js"


def init_app(app: Flask) -> None:
    app.jinja_env.globals["asset"] = AssetAddresses(
        Path(app.static_folder or ""), app.static_url_path or ""
    )
    app.context_processor(
        lambda: {"charts_ready": (Path(app.static_folder or "") / CHART_LIBRARY).is_file()}
    )


class AssetAddresses:
    """The address of each file of *folder*, which is served under *path*, by its name."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder, self._path = folder, path
        self._addresses: dict[tuple[str, int], str] = {}

    def __call__(self, name: str) -> str:
        file = self._folder / name
        key = (name, file.stat().st_mtime_ns if file.is_file() else 0)
        if key not in self._addresses:
            version = hashlib.sha256(file.read_bytes()).hexdigest()[:10] if key[1] else "none"
            self._addresses[key] = f"{self._path}/{name}?v={version}"
        return request.script_root + self._addresses[key]
