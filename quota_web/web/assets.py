"""Addresses of static files that change with their content, so that browsers may keep them for
good.
"""

import hashlib
import os
from pathlib import Path

from flask import Flask, request

#: The library file without which charts are drawn on the server only.
CHART_LIBRARY = "vendor/uPlot.iife.min.js"


def init_app(app: Flask) -> None:
    app.jinja_env.globals["asset"] = AssetAddresses(
        Path(app.static_folder or ""), app.static_url_path or ""
    )
    app.context_processor(
        lambda: {"charts_ready": os.path.isfile(f"{app.static_folder}/{CHART_LIBRARY}")}
    )


class AssetAddresses:
    """The address of each file of *folder*, which is served under *path*, by its name."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder, self._path = folder, path
        self._addresses: dict[tuple[str, int], str] = {}

    def __call__(self, name: str) -> str:
        key = (name, _changed_at(f"{self._folder}/{name}"))
        if key not in self._addresses:
            version = "none"
            if key[1]:
                content = (self._folder / name).read_bytes()
                version = hashlib.sha256(content).hexdigest()[:10]
            self._addresses[key] = f"{self._path}/{name}?v={version}"
        return request.script_root + self._addresses[key]


def _changed_at(file: str) -> int:
    """0 where there is no such file."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0
