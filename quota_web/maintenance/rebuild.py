"""Act: make what is derived from the raw readings anew: rollups and each window's latest values."""

from collections.abc import Callable
from dataclasses import dataclass

from quota_web import store
from quota_web.maintenance import rebuild_rows

#: Days of one window a transaction.
DAYS = 30


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done."""

    windows: int
    readings: int
    #: Windows whose latest values were something else before.
    corrected: int


def rebuild(now: int, actor: str, progress: Callable[[int, int], None]) -> Rebuilt:
    """Go through all windows, a month of one a transaction; *progress* is told windows done and
    windows in all.

    Rollups from before a window's first raw reading stay: their readings have been pruned.
    """
    with store.database.reading() as conn:
        windows = rebuild_rows.window_ids(conn)
    readings = corrected = 0
    for done, window_id in enumerate(windows):
        progress(done, len(windows))
        readings += _rebuild_window(window_id)
        with store.database.transaction() as tx:
            corrected += rebuild_rows.remake_latest(tx, window_id)
    with store.database.transaction() as tx:
        store.events.add(
            tx,
            now,
            "history_rebuilt",
            actor,
            windows=len(windows),
            readings=readings,
            corrected=corrected,
        )
        store.site_state.bump_version(tx, now)
    progress(len(windows), len(windows))
    return Rebuilt(len(windows), readings, corrected)


def _rebuild_window(window_id: int) -> int:
    with store.database.reading() as conn:
        days = rebuild_rows.days(conn, window_id)
    readings = 0
    for start in range(days.start, days.stop, DAYS * rebuild_rows.DAY):
        with store.database.transaction() as tx:
            readings += rebuild_rows.remake_rollups(
                tx, window_id, start, start + DAYS * rebuild_rows.DAY
            )
    return readings
