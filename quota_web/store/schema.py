"""Brings the database up to date at first use: one bare version read, and only if that differs a
lock and the migrations.
"""

import glob
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quota_web.core.checkout import MIGRATIONS
from quota_web.core.errors import BadDatabase, BadSetting, DatabaseTooNew
from quota_web.store import database, db_errors, filesystem, locks
from quota_web.store.auth import setting_of
from quota_web.store.encryption import BOUND, TokenCipher
from quota_web.store.locks import DatabaseLock

#: The newest migration; a test compares it with the folder.
HEAD = "0017"
KNOWN = (
    *("0001", "0002", "0003", "0004", "0006", "0007", "0008"),
    *("0009", "0010", "0011", "0012", "0013", "0015", "0016"),
    "0017",
)
#: Any number that no other program on the same PostgreSQL uses for its own lock.
POSTGRES_LOCK = 0x636F6465785F7130
KEPT_COPIES = 3


def ensure(cipher: TokenCipher) -> DatabaseLock | None:
    """Bring the database to HEAD if it is not there, and check that its tokens have their key.

    Returns the lock that shows other processes that this one uses the file; keep it for as long.
    Raises DatabaseTooNew, DatabaseDamaged, KeyMissing, BadSetting (the folder cannot be written) or
    BadDatabase.
    """
    file = database.sqlite_path(_url())
    lock = None
    if file is not None:
        _make_folder(file)
        filesystem.require_writable(file)
        lock = DatabaseLock(file)
    try:
        _bring_up_to_date(cipher, file)
    except BaseException:
        if lock is not None:
            lock.leave()
        raise
    return lock


def _bring_up_to_date(cipher: TokenCipher, file: Path | None) -> None:
    with _named(file):
        if version() != HEAD:
            _upgrade(_url(), keep_copy=True)
        with database.reading() as conn:
            sealed = conn.execute(text("SELECT 1 FROM credential LIMIT 1")).first()
            cipher.only_bound = setting_of(conn, BOUND) is not None
    if sealed:
        cipher.require_key()


@contextmanager
def _named(file: Path | None) -> Iterator[None]:
    """Name the database that cannot be used, in one line."""
    where = "the database" if file is None else str(file)
    try:
        yield
    except SQLAlchemyError as error:
        plain = db_errors.plain_error(error)
        if isinstance(plain, BadDatabase):
            raise type(plain)(f"{where}: {plain}") from error
        words = str(plain.orig if isinstance(plain, DBAPIError) else plain).strip().splitlines()[0]
        raise BadDatabase(f"{where} cannot be brought up to date: {words}") from error
    except sqlite3.Error as error:
        raise BadDatabase(f"{where} cannot be brought up to date: {error}") from error
    except OSError as error:
        raise BadSetting(
            f"{where} cannot be brought up to date: {error.strerror}; its folder must be writable "
            f"by user {os.getuid()}"
        ) from error
    except BadDatabase as error:
        if file is None or str(file) in str(error):
            raise
        raise type(error)(f"{file}: {error}") from error


def _url() -> str:
    return str(database.bound().url.render_as_string(hide_password=False))


def version() -> str | None:
    """The database's migration; None where there is no table of ours yet."""
    with database.reading() as conn:
        return _version(conn)


def _version(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def bring_up(url: str) -> None:
    """Bring another database than the app's to HEAD: one that is being restored, or copied to."""
    with _named(database.sqlite_path(url)):
        _upgrade(url, keep_copy=False)


def _upgrade(url: str, keep_copy: bool) -> None:
    """Migrate under a lock that all processes share; a process that waited finds the work done."""
    file = database.sqlite_path(url)
    with migrating(url) as conn:
        with conn.begin():
            _lock_rows(conn)
            present = _version(conn)
            if present == HEAD:
                return
            if present is not None and present not in KNOWN:
                raise DatabaseTooNew(
                    f"the database is at version {present}, this program knows {HEAD}; start the "
                    f"later version again or restore a backup"
                )
        if keep_copy and present is not None and file is not None:
            _keep_copy(conn, file, present)
        with conn.begin():
            _lock_rows(conn)
            if _version(conn) != HEAD:
                _migrate(conn)


@contextmanager
def migrating(url: str | None = None) -> Iterator[Connection]:
    """Open a connection that may change the schema: alone, and with foreign keys off.

    The caller begins its transactions.
    """
    # An engine of its own: SQLite only allows to switch foreign keys outside a transaction.
    url = url or _url()
    file = database.sqlite_path(url)
    if file is not None:
        _make_folder(file)
    own = database.unpooled_engine(url)
    with _named(file), _lock_of(file), own.connect() as conn:
        if database.is_sqlite(conn):
            _driver(conn).execute("PRAGMA foreign_keys=OFF")
        conn.execution_options(quota_write=True)
        yield conn


def objects_at(version: str) -> set[tuple[str, str, str]]:
    """What SQLite's own list of tables, indexes and views says at that version of ours: kind, name
    and SQL.
    """
    own = create_engine("sqlite://")
    with own.connect() as conn, conn.begin():
        _migrate(conn, version)
        rows = conn.execute(text("SELECT type, name, sql FROM sqlite_master")).all()
    own.dispose()
    return listed_objects(rows)


def listed_objects(rows: Iterable[Any]) -> set[tuple[str, str, str]]:
    """The same list in a form that can be compared: without what SQLite makes for itself, and
    however the SQL is spaced and quoted.
    """
    return {
        (kind, name, re.sub(r"\W+", " ", sql or ""))
        for kind, name, sql in rows
        if not name.startswith("sqlite_")
    }


def check_references(conn: Connection) -> None:
    """Refuse a migration that would leave a row without the one it refers to: foreign keys were off
    meanwhile.
    """
    broken = (
        conn.execute(text("PRAGMA foreign_key_check")).first() if database.is_sqlite(conn) else None
    )
    if broken is not None:
        raise BadDatabase(
            f"the migration would break a reference in table {broken[0]}; nothing was changed"
        )


def _lock_rows(conn: Connection) -> None:
    """Let no other process migrate until the transaction ends; on SQLite the file's lock does
    that.
    """
    if not database.is_sqlite(conn):
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})


def _driver(conn: Connection) -> Any:
    return conn.connection.driver_connection


def _migrate(conn: Connection, version: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, version)
    check_references(conn)


def _keep_copy(conn: Connection, file: Path, present: str) -> None:
    """Keep a consistent copy of the database as it was before the migration, the last few of
    them.
    """
    copy = file.with_name(f"{file.name}.before-{HEAD}-from-{present}")
    copy.unlink(missing_ok=True)
    # Made empty first: SQLite would leave it readable by all users until its mode is changed.
    os.close(filesystem.created(copy))
    _driver(conn).execute("VACUUM INTO ?", (str(copy),))
    copies = sorted(
        file.parent.glob(f"{glob.escape(file.name)}.before-[0-9]*"), key=lambda p: p.stat().st_mtime
    )
    for old in copies[:-KEPT_COPIES]:
        old.unlink()


def _lock_of(file: Path | None) -> AbstractContextManager[None]:
    return nullcontext() if file is None else locks.exclusive(file.with_name(".schema.lock"))


def _make_folder(file: Path) -> None:
    try:
        filesystem.make_folder(file.parent)
        if not os.path.exists(file):
            # Made before SQLite does, so that it and its log are never readable by others.
            with suppress(FileExistsError):
                os.close(filesystem.created(file.resolve()))
    except OSError as error:
        raise BadSetting(filesystem.no_entry(file.parent, error)) from None
