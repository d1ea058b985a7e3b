"""Keeps SQLite's write-ahead log short."""

import sqlite3
from contextlib import closing

from quota_web.store import database

#: A reader is waited for this long only: there is a next time.
BUSY_TIMEOUT_MS = 200


def truncate_log() -> bool:
    """Move all of SQLite's write-ahead log into the database and empty it; False where a reader
    was in the way. Other databases have none.
    """
    if database.bound().dialect.name != "sqlite":
        return True
    with closing(database.bound().raw_connection()) as raw, closing(raw.cursor()) as cursor:
        try:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            # SQLite does this outside a transaction only.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
        except sqlite3.OperationalError:
            return False
        finally:
            cursor.execute(f"PRAGMA busy_timeout={database.BUSY_TIMEOUT_MS}")
    return row is None or row[0] == 0
