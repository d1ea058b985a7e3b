"""Runs one statement for many rows, as every refresh does with ten of them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Executable

from quota_web.store.database import is_sqlite


def run_many(conn: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an INSERT or UPDATE once for each row; without rows nothing is run.

    All rows have the same columns. A statement that is made once is put into words once.
    """
    if not rows:
        return
    ready = _for_driver(statement, conn.dialect, tuple(rows[0])) if is_sqlite(conn) else None
    if ready is None:
        conn.execute(statement, rows)
        return
    text, names, fixed = ready
    values = [tuple(map({**fixed, **row}.__getitem__, names)) for row in rows]
    conn.exec_driver_sql(text, values)


@lru_cache(maxsize=128)
def _for_driver(
    statement: Executable, dialect: Dialect, keys: tuple[str, ...]
) -> tuple[str, Sequence[str], Mapping[str, Any]] | None:
    """A statement as SQLite's driver takes it, the names of its values in their order, and the
    values that are the same for every row; None where a column is left to its default.

    SQLAlchemy looks each value of each row up in the statement, which took longer than running it;
    the driver takes the values of our columns as they are.
    """
    compiled: Any = cast("Any", statement).compile(
        dialect=dialect, column_keys=list(keys), for_executemany=True
    )
    if compiled.prefetch:
        return None
    fixed = {name: value for name, value in compiled.params.items() if name not in keys}
    return str(compiled), compiled.positiontup, fixed
