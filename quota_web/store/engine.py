"""How the database is opened and written: SQLite's pragmas, the one way into a transaction, and errors made plain.

Contains no business logic. Acts open `transaction()` or `reading()` and hand the connection to the store's functions.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from quota_web.errors import BadDatabase, BadSetting, DatabaseBusy
from quota_web.extensions import db

BUSY_TIMEOUT_MS = 5000
JOURNAL_SIZE_LIMIT = 16 * 1024 * 1024

_thread = threading.local()


def init_app(app: Flask) -> None:
    """Bind the engine to *app*; connects to nothing yet. Raises BadSetting for an address that no driver takes."""
    url = app.config["SETTINGS"].database_url
    try:
        app.config.setdefault("SQLALCHEMY_DATABASE_URI", url)
        app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", _engine_options(url))
        db.init_app(app)
    except ModuleNotFoundError as error:
        raise BadSetting(f"QUOTA_DATABASE_URL: this kind of database needs {error.name}: pip install 'psycopg[binary]'") from None
    except (ArgumentError, ValueError):
        raise BadSetting("QUOTA_DATABASE_URL: the value is no address of a database; give sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    with app.app_context():
        engine = db.engine
    configure(engine)
    # A connection must not cross a fork: both sides would use one file descriptor. The child starts without any.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))


def configure(engine: Engine) -> None:
    """Give every connection of *engine* our settings and our way to begin."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for any other database."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def is_sqlite(conn: Connection) -> bool:
    return conn.dialect.name == "sqlite"


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open a writing transaction; it commits at the end of the block or rolls back on an error.

    Takes SQLite's write lock at once (BEGIN IMMEDIATE): a transaction that reads first and writes later fails when
    somebody else wrote in between. Refuses to be opened inside another one of the same thread.
    Raises DatabaseBusy when the lock cannot be had, BadDatabase for everything else.
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
        raise RuntimeError("a transaction is already open in this thread; pass its connection on instead")
    _thread.open = True
    try:
        with db.engine.connect() as conn:
            conn.execution_options(quota_write=write)
            with conn.begin():
                yield conn
    except SQLAlchemyError as error:
        raise plain_error(error) from error
    finally:
        _thread.open = False


def plain_error(error: SQLAlchemyError) -> Exception:
    """One of our errors for one of the database's; a mistake in a statement stays what it is."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(original, sqlite3.Error):
        name = getattr(original, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return DatabaseBusy("the database is busy; try again in a moment")
        if not isinstance(original, sqlite3.OperationalError | sqlite3.DatabaseError) or isinstance(
            original, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            return error
        return BadDatabase(f"the database cannot be used: {original} ({name or type(original).__name__})")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return BadDatabase("the connection to the database was lost")
    if type(original).__name__ == "OperationalError":
        return BadDatabase(f"the database cannot be used: {str(original).strip().splitlines()[0]}")
    return error


def _engine_options(url: str) -> dict[str, Any]:
    is_file = make_url(url).get_backend_name() == "sqlite"
    return {"hide_parameters": True, "pool_size": 5, "max_overflow": 20, "pool_pre_ping": not is_file, "connect_args": connect_args(url)}


def connect_args(url: str) -> dict[str, Any]:
    """What the driver is told for every connection to *url*."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
    return {"connect_timeout": 5}


def _set_up_sqlite(dbapi: Any, _record: object) -> None:
    # Transactions are begun by our own event below, not by the driver's guess.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    # Readers and one writer at the same time.
    cursor.execute("PRAGMA journal_mode=WAL")
    # A committed snapshot survives a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    # A long reader must not leave a giant log behind.
    cursor.execute(f"PRAGMA journal_size_limit={JOURNAL_SIZE_LIMIT}")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("quota_write") else "BEGIN")
