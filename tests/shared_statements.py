"""The SQL of statements, made once a run instead of once an app.

SQLAlchemy keeps what it compiles by engine. It depends on nothing but the statement and the kind of
database, so all apps of a run can share it.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy import Connection, Engine, event


class Statements(MutableMapping[Any, Any]):
    """What is kept, by dialect and statement; the dialects of one kind of database are the same."""

    MOST = 3_000

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}

    @staticmethod
    def _key(key: Any) -> Any:
        dialect, *statement = key
        return (type(dialect), *statement)

    def __getitem__(self, key: Any) -> Any:
        return self._kept[self._key(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        self._kept[self._key(key)] = value

    def __delitem__(self, key: Any) -> None:
        del self._kept[self._key(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def share() -> None:
    """Let all engines share them from now on."""
    statements = Statements()

    def use(conn: Connection) -> None:
        conn.execution_options(compiled_cache=statements)

    event.listen(Engine, "engine_connect", use)
