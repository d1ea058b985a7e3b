"""Databases with our tables on the real server: one that a test has left is emptied for the next,
which takes a fraction of what a copy does.

Each user gets an address of its own, as with copies. One whose schema or settings were changed is
dropped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.postgres import Server

if TYPE_CHECKING:
    import psycopg

TEMPLATE = "quota_template"
#: All that tables, their columns, rules, indexes and code are, and what is set for the database.
#: What the server itself notes of a table is left out: its size, its file, how far it is cleaned.
_SCHEMA = """
SELECT
  (SELECT string_agg(concat_ws(' ', oid, relname, relkind, relnatts, relowner, relacl, reloptions),
    '; ' ORDER BY oid) FROM pg_class WHERE oid >= 16384),
  (SELECT string_agg(a::text, '; ' ORDER BY attrelid, attnum) FROM pg_attribute a
    WHERE attrelid >= 16384),
  (SELECT string_agg(d::text, '; ' ORDER BY oid) FROM pg_attrdef d),
  (SELECT string_agg(c::text, '; ' ORDER BY oid) FROM pg_constraint c WHERE oid >= 16384),
  (SELECT string_agg(i::text, '; ' ORDER BY indexrelid) FROM pg_index i WHERE indexrelid >= 16384),
  (SELECT string_agg(t::text, '; ' ORDER BY oid) FROM pg_trigger t WHERE oid >= 16384),
  (SELECT string_agg(r::text, '; ' ORDER BY oid) FROM pg_rewrite r WHERE oid >= 16384),
  (SELECT string_agg(p::text, '; ' ORDER BY oid) FROM pg_proc p WHERE oid >= 16384),
  (SELECT string_agg(n::text, '; ' ORDER BY oid) FROM pg_namespace n),
  (SELECT string_agg(concat_ws(' ', setrole, setconfig), '; ') FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
  (SELECT concat_ws(' ', datdba, datacl, datconnlimit) FROM pg_database
    WHERE datname = current_database())
"""
_OTHERS_GONE = """
SELECT bool_and(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
#: Tables that have, or had, a row, and whether rows that are gone have made them large.
_USED = """
SELECT format('%I', relname), pg_relation_size(oid) > 200000 FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
#: Where each sequence stands, as calls that bring it there.
_NUMBERS = """
SELECT string_agg(format('setval(%L, %s, %L)', format('%I', sequencename),
  coalesce(last_value, start_value), last_value IS NOT NULL), ', ') FROM pg_sequences
"""

#: The planner knows the least that it ever does: each table was empty when it last looked, as after
#: a restore. A statement that is slow for that reason ends by its limit of time in each run, not
#: only in those in which the server happened to look between two tests.
_UNKNOWN = """
UPDATE pg_class SET relpages = 1, reltuples = 0
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
"""


class EmptiedDatabases:
    """Made from a template database, whose rows each begins with."""

    def __init__(self, server: Server, template: str = TEMPLATE) -> None:
        self.server, self._template = server, template
        self._free: list[str] = []
        with server.connected(template) as conn:
            conn.execute(_UNKNOWN)
            self._schema = _values(conn, _SCHEMA)
            [self._numbers] = _values(conn, _NUMBERS)
            self._rows = {table: _copied(conn, table) for table, _ in conn.execute(_USED)}

    @contextmanager
    def one(self) -> Iterator[str]:
        """The address of one, for as long as it is needed."""
        if self._free:
            url = self.server.renamed(self._free.pop())
        else:
            url = self.server.new_database(self._template)
        yield url
        if self._empty(url):
            self._free.append(url)
        else:
            self.server.drop(url)

    def _empty(self, url: str) -> bool:
        """Put it back to how it began; False where that takes more than other rows."""
        with self.server.connected(self.server.name(url)) as conn:
            conn.execute(_OTHERS_GONE)
            if _values(conn, _SCHEMA) != self._schema:
                return False
            with conn.transaction():
                # Else a row could not come or go before the one that it refers to.
                conn.execute("SET LOCAL session_replication_role = replica")
                for table, is_large in conn.execute(_USED).fetchall():
                    # To truncate makes new files, which takes longer than a few rows.
                    how = "TRUNCATE {} CASCADE" if is_large else "DELETE FROM {}"
                    conn.execute(how.format(table).encode())
                for table, rows in self._rows.items():
                    with conn.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                        copy.write(rows)
                conn.execute(f"SELECT {self._numbers}".encode())
                conn.execute(_UNKNOWN)
            return True


def _values(conn: "psycopg.Connection[Any]", query: str) -> Sequence[Any]:
    found: Sequence[Any] | None = conn.execute(query.encode()).fetchone()
    assert found is not None
    return found


def _copied(conn: "psycopg.Connection[Any]", table: str) -> bytes:
    with conn.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
        return b"".join(bytes(part) for part in copy)
