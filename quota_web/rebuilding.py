"""Act: make what is derived from the raw readings anew: rollups and each window's latest values."""

from collections.abc import Callable
from dataclasses import dataclass

from quota_web.store import engine, events, site
from quota_web.store import rebuilding as store

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
    """Go through all windows, a month of one a transaction; *progress* is told windows done and windows in all.

    Rollups from before a window's first raw reading stay: their readings have been pruned.
    """
    with engine.reading() as conn:
        windows = store.window_ids(conn)
    readings = corrected = 0
    for done, window_id in enumerate(windows):
        progress(done, len(windows))
        readings += _rebuild_window(window_id)
        with engine.transaction() as tx:
            corrected += store.remake_latest(tx, window_id)
    with engine.transaction() as tx:
        events.add(tx, now, "history_rebuilt", actor, windows=len(windows), readings=readings, corrected=corrected)
        site.bump(tx, now)
    progress(len(windows), len(windows))
    return Rebuilt(len(windows), readings, corrected)


def _rebuild_window(window_id: int) -> int:
    with engine.reading() as conn:
        days = store.days(conn, window_id)
    readings = 0
    for start in range(days.start, days.stop, DAYS * store.DAY):
        with engine.transaction() as tx:
            readings += store.remake_rollups(tx, window_id, start, start + DAYS * store.DAY)
    return readings
