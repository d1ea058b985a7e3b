"""Copies the whole history into another database, such as from SQLite to PostgreSQL: row by row;
counts and checksums of both sides show whether it arrived.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, tuple_, update

from quota_web import store
from quota_web.core.errors import BadInput
from quota_web.core.setting_values import database_url
from quota_web.store.locks import DatabaseLock
from quota_web.store.models import account, credential

#: Rows a statement.
CHUNK = 5_000
#: Tables that have rows in a new database.
_NEVER_EMPTY = frozenset({"site_state"})

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Sum:
    """A table's content in two numbers; the order of its rows does not matter."""

    rows: int = 0
    checksum: int = 0

    def plus(self, rows: Sequence[Sequence[Any]]) -> "Sum":
        # repr is exact for numbers, and both drivers give the same types.
        digests = (
            hashlib.blake2b(
                repr([_plain(v) for v in row]).encode("utf-8", "surrogatepass"), digest_size=8
            ).digest()
            for row in rows
        )
        return Sum(
            self.rows + len(rows),
            (self.checksum + sum(int.from_bytes(d, "big") for d in digests)) % 2**64,
        )


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytes | memoryview) else value


@contextmanager
def alone(presence: DatabaseLock | None) -> Iterator[int]:
    """Keep every other process off our SQLite file meanwhile: what a service stored after the copy
    began would be left behind.

    Raises BadDatabase where another one uses it. On a server no process can be kept off: yields how
    many others are connected to our database there.
    """
    file = store.database.file()
    if file is None or presence is None:
        yield store.health.other_connections()
        return
    if not presence.alone():
        raise store.locks.in_use(file)
    try:
        yield 0
    finally:
        presence.shared()


def copy_to(url: str, progress: Progress) -> dict[str, Sum]:
    """Copy everything to the database at *url* and compare both sides; *progress* is called with a
    table, rows done, rows in all.

    Raises BadInput where *url* is no address or that database is not empty, BadDatabase where it
    cannot be used.
    """
    try:
        checked = database_url(url)
    except ValueError:
        raise BadInput("url", "give an address such as postgresql://USER@HOST/NAME") from None
    store.schema.bring_up(checked)
    with store.database.elsewhere(checked, write=True) as target:
        sums = _copy(target, progress)
        # One of the two may renew, the one that was copied to: stopped before that one is there,
        # a process that dies in between leaves none that renews rather than two.
        with store.database.transaction() as tx:
            _stop_renewals(tx, target)
    return sums


def _stop_renewals(source: Connection, target: Connection) -> None:
    """Renew nothing any more at the source; raises BadInput where it has done so meanwhile, since
    the tokens at the target are used ones then.
    """
    store.renewals.stop_all(source, "moved")
    tokens = select(credential.c.account_id, credential.c.refresh_fp).order_by("account_id")
    is_same = source.execute(tokens).all() == target.execute(tokens).all()
    if not is_same or store.renewals.under_way(source):
        raise BadInput(
            "url",
            "sign-ins changed or were renewed meanwhile; nothing was kept there. Stop the service "
            "and try again",
        )


def _tables() -> list[Table]:
    """Our tables, those that others refer to first."""
    return list(store.models.metadata.sorted_tables)


def _copy(target: Connection, progress: Progress) -> dict[str, Sum]:
    """Copy everything as it is at one moment to *target*, in its open transaction; returns what
    each table holds.

    Raises BadInput where that database is not empty, BadDatabase where it cannot be used or did not
    take every row.
    """
    with store.database.reading() as source:
        if not store.database.is_sqlite(source):
            # One state from the first table to the last, as SQLite's transactions have it by
            # themselves.
            source.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        _require_empty(target)
        target.execute(text("DELETE FROM site_state"))
        sums = {table.name: _copy_table(source, target, table, progress) for table in _tables()}
        for table in _tables():
            if _sum(target, table, sums[table.name].rows, progress) != sums[table.name]:
                raise BadInput(
                    "url", f"table {table.name} did not arrive whole; nothing was kept there"
                )
        _settle(target)
    return sums


def _require_empty(target: Connection) -> None:
    for table in _tables():
        if (
            table.name not in _NEVER_EMPTY
            and target.execute(select(text("1")).select_from(table).limit(1)).first()
        ):
            raise BadInput(
                "url", f"the database is not empty (table {table.name}); give an empty one"
            )


def _copy_table(source: Connection, target: Connection, table: Table, progress: Progress) -> Sum:
    total = int(source.execute(select(func.count()).select_from(table)).scalar_one())
    names = [column.name for column in table.columns]
    found = Sum()
    for rows in _chunks(source, table):
        target.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        found = found.plus(rows)
        progress(table.name, found.rows, total)
    return found


def _sum(conn: Connection, table: Table, total: int, progress: Progress) -> Sum:
    found = Sum()
    for rows in _chunks(conn, table):
        found = found.plus(rows)
        progress(f"{table.name}: compared", found.rows, total)
    return found


def _chunks(conn: Connection, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
    """All rows in the order of their key, a piece at a time; each piece begins behind the key of
    the one before.
    """
    key = list(table.primary_key.columns)
    places = [list(table.columns).index(column) for column in key]
    query = select(table).order_by(*key).limit(CHUNK)
    rows: Sequence[Any] = conn.execute(query).all()
    while rows:
        yield rows
        last = [rows[-1][place] for place in places]
        behind = tuple_(*key) > tuple_(*last) if len(key) > 1 else key[0] > last[0]
        rows = conn.execute(query.where(behind)).all() if len(rows) == CHUNK else ()


def _settle(target: Connection) -> None:
    """What is true of the other place: no account is being fetched from there, and its version
    numbers are its own.
    """
    target.execute(update(account).values(claim_id=None, claimed_at=None))
    store.deliveries.free_claims(target)
    store.site_state.new_nonce(target)
    if target.dialect.name != "postgresql":
        return
    for table in _tables():
        # Rows came with their ids, so the counters behind them still stand at the beginning.
        column = table.autoincrement_column
        if column is not None:
            highest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
            target.execute(
                select(
                    func.setval(
                        func.pg_get_serial_sequence(table.name, column.name), highest, False
                    )
                )
            )
