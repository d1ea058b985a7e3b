"""How the database is opened and written: SQLite's pragmas, the one way into a transaction, and
errors made plain.

Contains no business logic. Acts open `transaction()` or `reading()` and hand the connection to the
store's functions.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary, WeakSet

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from quota_web.config import Settings
from quota_web.core.errors import (
    BadDatabase,
    BadSetting,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseReadOnly,
)
from quota_web.store import db_errors, filesystem
from quota_web.store.models import metadata

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

BUSY_TIMEOUT_MS = 5000
JOURNAL_SIZE_LIMIT = 16 * 1024 * 1024

_log = logging.getLogger(__name__)
# A command prints its errors itself: without a handler they would stand on the terminal twice.
logging.getLogger("quota_web").addHandler(logging.NullHandler())
_thread = threading.local()
_troubles: WeakKeyDictionary[Engine, BadDatabase] = WeakKeyDictionary()
#: The engines of apps that still exist: what is registered for a fork stays for good, and with it
#: all that it holds open.
_engines: WeakSet[Engine] = WeakSet()


def init_app(app: Flask) -> None:
    """Give *app* its engine, which connects to nothing yet; raises BadSetting as `make_engine`."""
    app.extensions["quota_engine"] = make_engine(app.config["SETTINGS"])


def make_engine(settings: Settings) -> Engine:
    """The one way to the database that *settings* name.

    Raises BadSetting for an address that no driver takes.
    """
    url = settings.database_url
    try:
        engine = create_engine(url, **_engine_options(url))
    except ModuleNotFoundError as error:
        raise BadSetting(
            f"QUOTA_DATABASE_URL: this kind of database needs {error.name}: pip install -r "
            f"requirements-postgresql.txt"
        ) from None
    except (ArgumentError, ValueError):
        raise BadSetting(
            "QUOTA_DATABASE_URL: the value is no address of a database; give sqlite:///FILE or "
            "postgresql://USER@HOST/NAME"
        ) from None
    configure(engine)
    _engines.add(engine)
    return engine


@cache
def extension() -> "SQLAlchemy":
    """Flask-SQLAlchemy with our tables and the app's own engine, for pages and `flask db`.

    Made where it is needed: it loads the ORM, which takes longer than many a command does.
    """
    from flask_sqlalchemy import SQLAlchemy

    class Extension(SQLAlchemy):
        def _make_engine(
            self, _bind_key: str | None, _options: dict[str, Any], app: Flask
        ) -> Engine:
            return engine_of(app)

    return Extension(metadata=metadata)


def init_extension(app: Flask) -> None:
    """Register Flask-SQLAlchemy with an app that has its engine."""
    app.config.setdefault("SQLALCHEMY_DATABASE_URI", app.config["SETTINGS"].database_url)
    extension().init_app(app)


def engine_of(app: Flask) -> Engine:
    return cast(Engine, app.extensions["quota_engine"])


def _forget_connections() -> None:
    """Start a forked child without connections: both sides would use one file descriptor."""
    for engine in list(_engines):
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)


def disconnect() -> None:
    """Close the connections that wait for their next use, and end the thread that watches them."""
    engine = bound()
    engine.dispose()
    if engine.dialect.name != "sqlite":
        from quota_web.store import postgresql

        postgresql.rest()


def bound() -> Engine:
    """The present app's engine."""
    return engine_of(current_app)


def configure(engine: Engine, *, hurried: bool = True) -> None:
    """Give every connection of *engine* our settings and our way to begin; statements may take long
    unless *hurried*.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _SetUp(sqlite_path(str(engine.url))))
        event.listen(engine, "begin", _begin_sqlite)
    else:
        # Loads the driver, which not every installation has.
        from quota_web.store import postgresql

        postgresql.configure(engine, hurried=hurried)


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for any other database."""
    parsed = make_url(url)
    return (
        Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
    )


def insert_of(dialect: str) -> Any:
    """The INSERT that knows ON CONFLICT of one kind of database; only that kind's is loaded."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as for_postgresql

        return for_postgresql
    from sqlalchemy.dialects.sqlite import insert as for_sqlite

    return for_sqlite


def is_sqlite(conn: Connection) -> bool:
    return conn.dialect.name == "sqlite"


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open a writing transaction; it commits at the end of the block or rolls back on an error.

    Takes SQLite's write lock at once (BEGIN IMMEDIATE): a transaction that reads first and writes
    later fails when another process wrote in between. Refuses to be opened inside another one of
    the same thread. Raises DatabaseBusy when the lock cannot be had, BadDatabase for everything
    else.
    """
    with _connection(write=True) as conn:
        yield conn


@contextmanager
def reading() -> Iterator[Connection]:
    """Open a connection that sees one state of the database, for reading only."""
    with _connection(write=False) as conn:
        yield conn


@contextmanager
def _connection(write: bool) -> Iterator[Connection]:
    if getattr(_thread, "open", False):
        raise RuntimeError(
            "a transaction is already open in this thread; pass its connection on instead"
        )
    own = bound()
    known = _troubles.get(own)
    if write and isinstance(known, DatabaseDamaged):
        raise DatabaseDamaged(str(known))
    if write and isinstance(known, DatabaseReadOnly):
        # A connection stays with the server it was made to and with the settings of then; a new one
        # sees that it is over.
        own.dispose()
    _thread.open = True
    try:
        with own.connect() as conn:
            if write:
                conn.execution_options(quota_write=True)
            changes = _changes(conn) if write else None
            with conn.begin():
                yield conn
            # A transaction that changed nothing says nothing about the room there is.
            if write and known is not None and _changes(conn) != changes:
                _troubles.pop(own, None)
    except (SQLAlchemyError, sqlite3.Error) as error:
        plain = db_errors.plain_error(error)
        _note(own, plain)
        raise plain from error
    except UnicodeDecodeError as error:
        # Damaged text in the list of tables, which SQLite quotes in its message.
        damaged = DatabaseDamaged(db_errors.damaged_text("text that is none"))
        _note(own, damaged)
        raise damaged from error
    finally:
        _thread.open = False


def _changes(conn: Connection) -> object:
    """Tells whether a connection has changed rows: SQLite counts them; for a server every commit
    will do.
    """
    return getattr(conn.connection.driver_connection, "total_changes", object())


def unpooled_engine(url: str) -> Engine:
    """An engine for one long piece of work: no connection stays open, statements may take long."""
    own = create_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args=connect_args(url)
    )
    configure(own, hurried=False)
    return own


@contextmanager
def elsewhere(url: str, write: bool) -> Iterator[Connection]:
    """Open a transaction on another database than the app's, set up as ours are, and close it for
    good at the end.
    """
    own = unpooled_engine(url)
    try:
        with own.connect() as conn:
            conn.execution_options(quota_write=write)
            with conn.begin():
                yield conn
    except SQLAlchemyError as error:
        raise db_errors.plain_error(error) from error


@contextmanager
def driver() -> Iterator[sqlite3.Connection]:
    """The driver's own connection to our SQLite file, outside of any transaction; its errors come
    out as ours.
    """
    raw = bound().raw_connection()
    try:
        connection = raw.driver_connection
        if not isinstance(connection, sqlite3.Connection):
            raise TypeError("the database is no SQLite file")
        yield connection
    except sqlite3.Error as error:
        raise db_errors.plain_driver_error(error) from error
    finally:
        raw.close()


def file() -> Path | None:
    """The SQLite file of the app's database; None where that is a server."""
    return sqlite_path(str(bound().url))


def trouble() -> BadDatabase | None:
    """Why nothing can be stored at present: no room or no right to write since the last try, or a
    damaged file; None while all is well.
    """
    return _troubles.get(bound())


def _note(engine: Engine, error: Exception) -> None:
    """Keep what pages and `/readyz` must say; a damaged file is written to no more by this
    process.
    """
    if isinstance(error, DatabaseFull | DatabaseDamaged | DatabaseReadOnly):
        if type(_troubles.get(engine)) is not type(error):
            _log.error("%s", error)
        # Without its traceback, whose frames hold connections, and the engine that this is noted
        # for.
        _troubles[engine] = type(error)(str(error))


def found_damaged(error: DatabaseDamaged) -> None:
    """Stop writing: a check found damage that no statement has run into yet."""
    _note(bound(), error)


def forget_troubles() -> None:
    """Start afresh with another file in the database's place."""
    _troubles.pop(bound(), None)
    bound().dispose()


def compact() -> None:
    """Give the space of deleted rows back to the disk where that is asked for by one statement;
    another process's lock leaves it as it is.
    """
    with bound().connect() as conn:
        driver = conn.connection.driver_connection
        if is_sqlite(conn) and driver is not None:
            with suppress(sqlite3.OperationalError):
                driver.execute("VACUUM")


def _engine_options(url: str) -> dict[str, Any]:
    is_file = make_url(url).get_backend_name() == "sqlite"
    # The last one used first: its cached pages and prepared statements are worth more than an even
    # turn of all.
    pool = {"pool_size": 5, "max_overflow": 20, "pool_use_lifo": True, "pool_pre_ping": not is_file}
    return {"hide_parameters": True, **pool, "connect_args": connect_args(url)}


def connect_args(url: str) -> dict[str, Any]:
    """What the driver is told for every connection to *url*."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
    from quota_web.store import postgresql

    return {
        name: value for name, value in postgresql.CONNECT.items() if name not in make_url(url).query
    }


class _SetUp:
    """Prepares each new connection to one SQLite file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._journal: str | None = None

    def __call__(self, dbapi: Any, _record: object) -> None:
        # Transactions are begun by our own event below, not by the driver's guess.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        # Readers and one writer at the same time.
        cursor.execute(f"PRAGMA journal_mode={self._journal_mode()}")
        # A committed snapshot survives a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        # A long reader must not leave a giant log behind.
        cursor.execute(f"PRAGMA journal_size_limit={JOURNAL_SIZE_LIMIT}")
        cursor.close()

    def _journal_mode(self) -> str:
        """The write-ahead log, but not over a network: its index is shared memory, which ends at
        the machine's edge.
        """
        if self._journal is None:
            network = filesystem.network_type(self._file.parent) if self._file else None
            self._journal = "DELETE" if network else "WAL"
            if network:
                _log.warning(
                    "%s lies on a network file system (%s): one process at a time, and slower "
                    "than on a local disk",
                    self._file,
                    network,
                )
        return self._journal


def _begin_sqlite(conn: Connection) -> None:
    if conn.get_execution_options().get("quota_write"):
        conn.exec_driver_sql("BEGIN IMMEDIATE")
    elif (driver := conn.connection.driver_connection) is not None:
        # It touches no file yet, and every request does it: without what SQLAlchemy adds.
        driver.execute("BEGIN")
