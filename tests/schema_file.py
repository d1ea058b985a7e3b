"""A SQLite file with our tables, made once a run and copied for each app: to walk all migrations
takes longer than most tests.
"""

import tempfile
from functools import cache
from pathlib import Path

from quota_web import store


def put_schema(instance: Path) -> None:
    """Let *instance* have a database of our newest schema, unless one is there."""
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = instance / "quota.sqlite"
    if not file.exists():
        file.touch(0o600)
        file.write_bytes(_made())


@cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "quota.sqlite"
        store.schema.bring_up(f"sqlite:///{file}")
        return file.read_bytes()
