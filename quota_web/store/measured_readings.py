"""Readings of one window that measured something: around a moment, and all of a stretch."""

from typing import Any

from sqlalchemy import Connection, Row, Select, select

from quota_web.store.models import reading

#: Moment, used percent, reset.
Measured = tuple[int, float, int | None]


def last_by(conn: Connection, window_id: int, moment: int) -> Measured | None:
    """The newest at *moment* or before."""
    query = _of(window_id).where(reading.c.taken_at <= moment)
    return _plain(conn.execute(query.order_by(reading.c.taken_at.desc()).limit(1)).first())


def first_after(conn: Connection, window_id: int, moment: int) -> Measured | None:
    """The oldest after *moment*."""
    query = _of(window_id).where(reading.c.taken_at > moment)
    return _plain(conn.execute(query.order_by(reading.c.taken_at).limit(1)).first())


def of_stretch(
    conn: Connection, window_id: int, start: int, end: int, limit: int
) -> list[Measured]:
    """At most *limit* of [start, end], oldest first."""
    query = _of(window_id).where(reading.c.taken_at >= start, reading.c.taken_at <= end)
    rows = conn.execute(query.order_by(reading.c.taken_at).limit(limit))
    return [(row[0], row[1], row[2]) for row in rows]


def _of(window_id: int) -> Select[Any]:
    r = reading.c
    query = select(r.taken_at, r.used_percent, r.resets_at)
    return query.where(r.window_id == window_id, r.used_percent.is_not(None))


def _plain(row: Row[Any] | None) -> Measured | None:
    return None if row is None else (row.taken_at, row.used_percent, row.resets_at)
