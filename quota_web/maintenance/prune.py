"""Acts that take history away: by a person's command, by the retention setting, and after an
account was deleted.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from quota_web import store
from quota_web.maintenance import prune_rows

#: Rows a transaction: a writer that waits for it waits for some milliseconds.
CHUNK = 2_000
PAUSE = 0.005
DAY = 86_400

_Drop = Callable[[Connection, int, int, int], int]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    #: Everything before this moment, the start of a day in UTC.
    before: int
    readings: int
    attempts: int


def prune(
    before: int, now: int, actor: str, is_stopped: Callable[[], bool] = lambda: False
) -> Pruned:
    """Delete raw readings and attempts from before the day of *before*; their rollups stay. What
    was done when it stops stays done.

    Whole days go, so that every rollup has either all of its readings or none: it could not be made
    anew from a part.
    """
    start = before - before % DAY
    with store.database.reading() as conn:
        windows, accounts = prune_rows.window_ids(conn), prune_rows.account_ids(conn)
    readings = _in_chunks(prune_rows.drop_readings, windows, start, is_stopped)
    attempts = _in_chunks(prune_rows.drop_attempts, accounts, start, is_stopped)
    if readings or attempts:
        with store.database.transaction() as tx:
            store.events.add(
                tx, now, "history_pruned", actor, before=start, readings=readings, attempts=attempts
            )
            store.site_state.bump_version(tx, now)
    return Pruned(start, readings, attempts)


def _in_chunks(drop: _Drop, ids: Sequence[int], before: int, is_stopped: Callable[[], bool]) -> int:
    gone = 0
    for owner in ids:
        dropped = CHUNK
        while dropped >= CHUNK and not is_stopped():
            with store.database.transaction() as tx:
                dropped = drop(tx, owner, before, CHUNK)
            gone += dropped
            if dropped >= CHUNK:
                time.sleep(PAUSE)
    return gone


def purge_deleted(is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete the history of accounts that were deleted; returns how many rows went."""
    gone = 0
    while not is_stopped():
        with store.database.reading() as conn:
            account_id = prune_rows.deleted_account(conn)
        if account_id is None:
            break
        with store.database.transaction() as tx:
            gone += prune_rows.drop_deleted(tx, account_id, CHUNK)
        time.sleep(PAUSE)
    return gone
