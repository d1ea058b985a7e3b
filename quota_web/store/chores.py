"""What keeps the database's files in shape."""

import sqlite3
from contextlib import closing

from quota_web.extensions import db
from quota_web.store.engine import BUSY_TIMEOUT_MS

#: Whoever reads at this moment is not waited for: there is a next time.
PATIENCE_MS = 200


def truncate_log() -> bool:
    """Move all of SQLite's write-ahead log into the database and empty it; False where somebody was in the way. Other databases have none."""
    if db.engine.dialect.name != "sqlite":
        return True
    with closing(db.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
        try:
            cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
            # Outside a transaction, which SQLite demands of it.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
        except sqlite3.OperationalError:
            return False
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return row is None or row[0] == 0
