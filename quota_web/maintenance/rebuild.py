"""Makes what is derived from the raw readings anew: rollups, each window's latest values, cycles
and events.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from quota_web import store
from quota_web.foresight import detection_backfill
from quota_web.store.models import limit_window, reading
from quota_web.store.rollups import SPANS

DAY = SPANS[-1]
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
    """Go through all windows, a month of one a transaction; *progress* is called with windows
    done and windows in all.

    Rollups from before a window's first raw reading stay: their readings have been pruned.
    """
    with store.database.reading() as conn:
        windows = _window_ids(conn)
    readings = corrected = 0
    for done, window_id in enumerate(windows):
        progress(done, len(windows))
        readings += _rebuild_window(window_id)
        with store.database.transaction() as tx:
            corrected += _remake_latest(tx, window_id)
    detection_backfill.rebuild(now, progress)
    with store.database.transaction() as tx:
        store.audit_log.add(
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
        days = _days(conn, window_id)
    readings = 0
    for start in range(days.start, days.stop, DAYS * DAY):
        with store.database.transaction() as tx:
            readings += store.rollups.remake_days(tx, window_id, start, start + DAYS * DAY)
    return readings


def _window_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(limit_window.c.id).order_by(limit_window.c.id)).scalars())


def _days(conn: Connection, window_id: int) -> range:
    """From the first day that a window has raw readings of to behind the last; what is older is
    known from its rollups alone.
    """
    r = reading.c
    first, last = conn.execute(
        select(func.min(r.taken_at), func.max(r.taken_at)).where(r.window_id == window_id)
    ).one()
    return range(0) if first is None else range(first - first % DAY, last + 1)


def _remake_latest(conn: Connection, window_id: int) -> bool:
    """Set a window's latest values from its newest readings; returns whether they were something
    else.
    """
    r, w = reading.c, limit_window.c
    mine = (
        select(r.taken_at, r.used_percent, r.resets_at)
        .where(r.window_id == window_id)
        .order_by(r.taken_at.desc())
    )
    newest = conn.execute(mine.limit(1)).first()
    measured = conn.execute(mine.where(r.used_percent.is_not(None)).limit(1)).first()
    if newest is None or measured is None:
        return False
    account_id, *there = conn.execute(
        select(w.account_id, w.used_percent, w.resets_at, w.taken_at, w.gone_at).where(
            w.id == window_id
        )
    ).one()
    # Also where the latest values were right: pages show the rollups as well.
    store.accounts.bump_version(conn, account_id)
    values: dict[str, Any] = {
        "used_percent": measured.used_percent,
        "resets_at": measured.resets_at,
        "taken_at": measured.taken_at,
        "gone_at": None,
    }
    if newest.used_percent is None:
        # Two absences are stored; it has been gone since the first.
        absent = select(func.min(r.taken_at)).where(
            r.window_id == window_id, r.taken_at > measured.taken_at
        )
        gone_at = conn.execute(absent).scalar_one()
        values |= {"used_percent": None, "resets_at": None, "gone_at": gone_at}
    if there == list(values.values()):
        return False
    conn.execute(update(limit_window).where(w.id == window_id).values(**values))
    return True
