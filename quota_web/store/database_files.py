"""What keeps the database's files in shape."""

import sqlite3
from contextlib import closing

from quota_web import store

#: Whoever reads at this moment is not waited for: there is a next time.
PATIENCE_MS = 200


def truncate_log() -> bool:
    """Move all of SQLite's write-ahead log into the database and empty it; False where somebody was
    in the way. Other databases have none.
    """
    if store.database.bound().dialect.name != "sqlite":
        return True
    with closing(store.database.bound().raw_connection()) as raw, closing(raw.cursor()) as cursor:
        try:
            cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
            # Outside a transaction, which SQLite demands of it.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
        except sqlite3.OperationalError:
            return False
        finally:
            cursor.execute(f"PRAGMA busy_timeout={store.database.BUSY_TIMEOUT_MS}")
    return row is None or row[0] == 0
