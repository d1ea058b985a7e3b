"""The database's errors as errors of ours, each with one line that says what is wrong."""

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError

from quota_web.core.checkout import COMMAND
from quota_web.core.errors import (
    BadDatabase,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseReadOnly,
)
from quota_web.core.language import mark

#: SQLite's names of errors that say there is no room: EFBIG and EDQUOT reach us as a failed write.
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")
#: Only these two mean damage. A file that cannot be opened, a lock, too many open files: none of
#: them says anything about its content.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def plain_error(error: SQLAlchemyError | sqlite3.Error) -> Exception:
    """One of our errors for one of the database's; a mistake in a statement stays what it is."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _plain_sqlite(original) or error
    if isinstance(error, TimeoutError):
        return DatabaseBusy("all connections to the database are in use; try again in a moment")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        why = f": {original}" if type(original).__name__ == "SilentDatabase" else ""
        return BadDatabase(f"the connection to the database was lost{why}")
    state = getattr(original, "sqlstate", None) or ""
    if state == "53100":
        return DatabaseFull(
            mark("the database server's disk is full: nothing can be stored until there is room")
        )
    if state == "25006":
        return DatabaseReadOnly(
            mark(
                "the database server accepts no writes (a standby, or "
                "default_transaction_read_only): nothing can be stored until it does"
            )
        )
    if state in ("40001", "40P01", "55P03", "57014"):
        return DatabaseBusy("the database is busy; try again in a moment")
    if any(kind.__name__ == "OperationalError" for kind in type(original).__mro__):
        return BadDatabase(f"the database cannot be used: {str(original).strip().splitlines()[0]}")
    return error


def is_bad_database(error: Exception) -> bool:
    """Whether the database itself is to blame: busy, full, read-only, gone or broken.

    SQLite's general error is one of the statement (no such table, no such column), as
    PostgreSQL's ProgrammingError is.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    if getattr(original, "sqlite_errorname", "") == "SQLITE_ERROR":
        return False
    plain = plain_error(error) if isinstance(error, SQLAlchemyError) else error
    return isinstance(plain, BadDatabase)


def plain_driver_error(error: sqlite3.Error) -> Exception:
    """One of our errors for one that came straight from SQLite."""
    return _plain_sqlite(error) or error


def _plain_sqlite(original: sqlite3.Error) -> BadDatabase | None:
    name = getattr(original, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatabaseBusy("the database is busy; try again in a moment")
    if name in _FULL:
        return DatabaseFull(
            mark(
                "the disk is full or cannot be written (%(reason)s): nothing can be stored until "
                "there is room"
            ),
            reason=original,
        )
    if name.startswith("SQLITE_READONLY"):
        return DatabaseReadOnly(
            mark(
                "the database is read-only (%(reason)s): nothing can be stored until its file and "
                "folder can be written"
            ),
            reason=original,
        )
    if name.startswith(_DAMAGED):
        return DatabaseDamaged(damaged_text(str(original)))
    if isinstance(original, sqlite3.IntegrityError | sqlite3.ProgrammingError) or not isinstance(
        original, sqlite3.DatabaseError
    ):
        return None
    return BadDatabase(
        f"the database cannot be used: {original} ({name or type(original).__name__})"
    )


def damaged_text(reason: str) -> str:
    return (
        f"the database is damaged ({reason}); nothing is written to it any more and the file "
        f"stays as it is: "
        f"stop the service and restore a backup with `{COMMAND} restore FILE`"
    )
