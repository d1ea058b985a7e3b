"""Makes rollups and latest values anew from the raw readings, which are the truth."""

from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from quota_web import store
from quota_web.store.models import limit_window, reading, rollup
from quota_web.store.rollups import SPANS

DAY = SPANS[-1]


def window_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(limit_window.c.id).order_by(limit_window.c.id)).scalars())


def days(conn: Connection, window_id: int) -> range:
    """From the first day that a window has raw readings of to behind the last; what is older is
    known from its rollups alone.
    """
    r = reading.c
    first, last = conn.execute(
        select(func.min(r.taken_at), func.max(r.taken_at)).where(r.window_id == window_id)
    ).one()
    return range(0) if first is None else range(first - first % DAY, last + 1)


def remake_rollups(conn: Connection, window_id: int, start: int, end: int) -> int:
    """Make a window's rollups of these whole days anew; returns from how many readings."""
    r = reading.c
    mine = select(r.taken_at, r.used_percent, r.resets_at).where(r.window_id == window_id)
    rows = conn.execute(
        mine.where(r.taken_at >= start, r.taken_at < end).order_by(r.taken_at)
    ).all()
    made = store.rollups.folded(window_id, rows, _used_before(conn, window_id, start))
    conn.execute(
        rollup.delete().where(
            rollup.c.span.in_(SPANS),
            rollup.c.window_id == window_id,
            rollup.c.slot >= start,
            rollup.c.slot < end,
        )
    )
    if made:
        conn.execute(insert(rollup), made)
    return len(rows)


def _used_before(conn: Connection, window_id: int, start: int) -> float | None:
    """The used percent of the last reading before *start*: from the daily rollups, where the
    reading itself is gone.
    """
    r = reading.c
    last = conn.execute(
        select(r.used_percent)
        .where(r.window_id == window_id, r.taken_at < start)
        .order_by(r.taken_at.desc())
        .limit(1)
    ).first()
    if last is None:
        d = rollup.c
        earlier = select(d.last_used).where(d.span == DAY, d.window_id == window_id, d.slot < start)
        last = conn.execute(earlier.order_by(d.slot.desc()).limit(1)).first()
    return None if last is None else last[0]


def remake_latest(conn: Connection, window_id: int) -> bool:
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
        values |= {"used_percent": None, "resets_at": None, "gone_at": newest.taken_at}
    if there == list(values.values()):
        return False
    conn.execute(update(limit_window).where(w.id == window_id).values(**values))
    return True
