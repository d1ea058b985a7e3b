"""Statements that are run so often, or for so many rows, that SQLAlchemy's way to the driver costs
more than they do.

They are made of the tables like all others, put into words once for each kind of database, and
handed to the driver as they are. What columns hold must need no conversion but a truth value's,
which SQLite answers as 0 or 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Select

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement in one database's words, and what turns rows into its parameters."""

    sql: str
    parameters: Callable[[Rows], Any]


def insert_of(dialect: str) -> Any:
    """The INSERT of one kind of database, which knows ON CONFLICT.

    Loaded when asked for: the other kind's would slow down every start.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as for_postgresql

        return for_postgresql
    from sqlalchemy.dialects.sqlite import insert as for_sqlite

    return for_sqlite


class Fixed:
    """A query without parameters."""

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._sql: dict[str, str] = {}

    def all(self, conn: Connection) -> list[tuple[Any, ...]]:
        """Its rows as plain tuples."""
        name = conn.dialect.name
        if name not in self._sql:
            self._sql[name] = str(self._query.compile(dialect=conn.dialect))
        with conn.exec_driver_sql(self._sql[name]) as result:
            return list(cast(Any, result.cursor).fetchall())


class Many:
    """An INSERT or UPDATE that is always run for rows with the same columns; put into words once
    for each kind of database.
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._made: dict[str, _Made] = {}

    def run(self, conn: Connection, rows: Rows) -> None:
        """Run it for each row; values go to the database as they are, so none may need a conversion
        by its column's type.
        """
        if rows:
            made = self._made.get(conn.dialect.name) or self._make(conn, rows[0])
            conn.exec_driver_sql(made.sql, made.parameters(rows))

    def _make(self, conn: Connection, row: Mapping[str, Any]) -> _Made:
        compiled = self._statement.compile(dialect=conn.dialect, column_keys=list(row))
        # What the statement itself gives a value, such as the NULL of a released claim.
        constants = {name: value for name, value in compiled.params.items() if name not in row}
        names = compiled.positiontup
        if names is None:
            made = _Made(str(compiled), lambda rows: [constants | dict(row) for row in rows])
        elif constants:
            made = _Made(
                str(compiled),
                lambda rows: [
                    tuple([row[n] if n in row else constants[n] for n in names]) for row in rows
                ],
            )
        else:
            made = _Made(
                str(compiled), lambda rows: [tuple([row[n] for n in names]) for row in rows]
            )
        self._made[conn.dialect.name] = made
        return made
