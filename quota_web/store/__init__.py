"""The database edge: the tables, every statement that more than one room needs, and the files
under them.

No HTTP, no decisions, no words for people.
"""

from quota_web.store import (
    accounts,
    attempts,
    auth,
    claims,
    credentials,
    database,
    database_files,
    db_errors,
    encryption,
    events,
    filesystem,
    forecasts,
    health,
    history,
    leftovers,
    locks,
    postgresql,
    recording,
    rollups,
    schema,
    site_state,
    window_readings,
    windows,
)

__all__ = [
    "accounts",
    "attempts",
    "auth",
    "claims",
    "credentials",
    "database",
    "database_files",
    "db_errors",
    "encryption",
    "events",
    "filesystem",
    "forecasts",
    "health",
    "history",
    "leftovers",
    "locks",
    "postgresql",
    "recording",
    "rollups",
    "schema",
    "site_state",
    "window_readings",
    "windows",
]
