"""Brings the database up to date at first use: one bare version read, and only if that differs a lock and the migrations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, pool, text
from sqlalchemy.exc import SQLAlchemyError

from quota_web.config import PROJECT
from quota_web.errors import BadDatabase, BadSetting, DatabaseTooNew
from quota_web.extensions import db
from quota_web.store import engine
from quota_web.store.sealing import Sealer

#: The newest migration; a test compares it with the folder.
HEAD = "0003"
KNOWN = ("0001", "0002", "0003")
MIGRATIONS = PROJECT / "migrations"
#: Any number that no other program on the same PostgreSQL uses for its own lock.
POSTGRES_LOCK = 0x636F6465785F7130
KEPT_COPIES = 3


def ensure(sealer: Sealer) -> None:
    """Bring the database to HEAD if it is not there, and check that its tokens have their key.

    Raises DatabaseTooNew, KeyMissing, BadSetting (the folder cannot be written) or BadDatabase.
    """
    url = str(db.engine.url.render_as_string(hide_password=False))
    file = engine.sqlite_path(url)
    if file is not None and not file.exists():
        _make_folder(file)
    try:
        if version() != HEAD:
            _upgrade(url, file)
        with engine.reading() as conn:
            sealed = conn.execute(text("SELECT 1 FROM credential LIMIT 1")).first()
    except SQLAlchemyError as error:
        raise BadDatabase(f"{file or 'the database'} cannot be brought up to date: {engine.plain_error(error)}") from error
    if sealed:
        sealer.require_key()


def version() -> str | None:
    """The database's migration; None where there is no table of ours yet."""
    with engine.reading() as conn:
        return _version(conn)


def _version(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(url: str, file: Path | None) -> None:
    """Migrate under a lock that all processes share; whoever waited finds the work done."""
    # An engine of its own: foreign keys must be off, which SQLite only allows outside a transaction.
    migrating = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    engine.configure(migrating)
    with _lock(file), migrating.connect() as conn:
        if engine.is_sqlite(conn):
            _foreign_keys_off(conn)
        conn.execution_options(quota_write=True)
        with conn.begin():
            if not engine.is_sqlite(conn):
                conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
            present = _version(conn)
            if present == HEAD:
                return
            if present is not None and present not in KNOWN:
                raise DatabaseTooNew(
                    f"the database is at version {present}, this program knows {HEAD}; start the later version again or restore a backup"
                )
        if present is not None and file is not None:
            _keep_copy(conn, file, present)
        with conn.begin():
            if not engine.is_sqlite(conn):
                conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
            if _version(conn) != HEAD:
                _migrate(conn)
    migrating.dispose()


def _foreign_keys_off(conn: Connection) -> None:
    """Rebuilding a table that others refer to must not fire their references; checked at the end instead."""
    driver = conn.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")


def _migrate(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    if engine.is_sqlite(conn):
        broken = conn.execute(text("PRAGMA foreign_key_check")).first()
        if broken is not None:
            raise BadDatabase(f"the migration would break a reference in table {broken[0]}; nothing was changed")


def _keep_copy(conn: Connection, file: Path, present: str) -> None:
    """Keep a consistent copy of the database as it was before the migration, the last few of them."""
    copy = file.with_name(f"{file.name}.before-{HEAD}-from-{present}")
    copy.unlink(missing_ok=True)
    driver = conn.connection.driver_connection
    assert driver is not None
    driver.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    copies = sorted(file.parent.glob(f"{file.name}.before-*"), key=lambda p: p.stat().st_mtime)
    for old in copies[:-KEPT_COPIES]:
        old.unlink()


@contextmanager
def _lock(file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    import fcntl

    with open(file.with_name(".schema.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite does, so that it and its log are never readable by others.
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise BadSetting(f"{file.parent}: {error.strerror}; the instance folder must be writable by user {os.getuid()}") from None
