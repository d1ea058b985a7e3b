"""Reads series for charts, from the finest rows that stay few: raw readings for short ranges, rollups for long ones.

Every query goes through a primary key, and none groups raw readings over more than a few days.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, func, select

from quota_web.series import Point
from quota_web.store.models import attempt, limit_window, reading, rollup
from quota_web.store.rollups import SPANS

#: Rows that a chart may read: more are slower to fetch than anybody can see.
MOST_ROWS = 10_000
#: Raw readings are grouped over at most this long, however many they are, and looked at whole up to MOST_ROWS.
RAW_GROUPED = 2 * 86_400
RAW_COUNTED = 8 * 86_400
RAW = 0


@dataclass(frozen=True, slots=True)
class Series:
    """One window of one account, as a chart names it."""

    window_id: int
    account_id: int
    key: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much history an account has."""

    readings: int
    #: Successful answers, as counted by the window that was in most of them.
    snapshots: int
    since: int | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """A run of equal attempts."""

    first_at: int
    last_at: int
    status: str
    http_status: int | None
    fault_code: str | None
    fault_data: str | None
    count: int
    ms_sum: int
    ms_max: int


def series(conn: Connection, account_ids: Sequence[int], keys: Iterable[str] | None) -> list[Series]:
    """The windows of these accounts with one of *keys*, or all of them for None; also windows that are gone by now."""
    w = limit_window.c
    query = select(w.id, w.account_id, w.key).where(w.account_id.in_(account_ids)).order_by(w.account_id, w.id)
    if keys is not None:
        query = query.where(w.key.in_(list(keys)))
    return [Series(*row) for row in conn.execute(query)]


def span_for(conn: Connection, window_ids: Sequence[int], start: int, end: int) -> int:
    """The finest rows worth reading over [start, end): RAW, or a rollup's span in seconds."""
    length = end - start
    if length <= RAW_GROUPED:
        return RAW
    if length <= RAW_COUNTED and _raw_rows(conn, window_ids, start, end) <= MOST_ROWS:
        return RAW
    return next((span for span in SPANS if len(window_ids) * length / span <= MOST_ROWS), SPANS[-1])


def _raw_rows(conn: Connection, window_ids: Sequence[int], start: int, end: int) -> int:
    r, day = rollup.c, SPANS[-1]
    query = select(func.coalesce(func.sum(r.count), 0)).where(r.span == day, r.window_id.in_(window_ids), r.slot >= start - day, r.slot < end)
    return int(conn.execute(query).scalar_one())


def points(conn: Connection, window_ids: Sequence[int], start: int, end: int, step: int, span: int) -> dict[int, list[Point]]:
    """The points of these windows in [start, end), by window id, in the order of time."""
    if not window_ids:
        return {}
    query = _raw(window_ids, start, end, step) if span == RAW else _rolled_up(window_ids, start, end, span)
    found: dict[int, list[Point]] = defaultdict(list)
    for window_id, *values in conn.execute(query):
        found[window_id].append(Point(*values))
    return found


def _rolled_up(window_ids: Sequence[int], start: int, end: int, span: int) -> Select[Any]:
    r = rollup.c
    query = select(r.window_id, r.slot, r.min_used, r.max_used, r.last_used, r.last_at, r.last_resets_at)
    return query.where(r.span == span, r.window_id.in_(window_ids), r.slot >= start - start % span, r.slot < end).order_by(r.window_id, r.slot)


def _raw(window_ids: Sequence[int], start: int, end: int, step: int) -> Select[Any]:
    """Raw readings by slot: one pass for the extremes and the last moment, then that moment's row by its key."""
    r = reading.c
    # // would be floored by a function for every row: both databases divide whole numbers downwards by themselves.
    slot = (r.taken_at - start).op("/", return_type=BigInteger())(step)
    inner = (
        select(r.window_id, func.min(r.used_percent).label("low"), func.max(r.used_percent).label("high"), func.max(r.taken_at).label("last_at"))
        .where(r.window_id.in_(window_ids), r.taken_at >= start, r.taken_at < end)
        .group_by(r.window_id, slot)
        .subquery()
    )
    last = reading.alias("last")
    query = select(inner.c.window_id, inner.c.last_at, inner.c.low, inner.c.high, last.c.used_percent, inner.c.last_at, last.c.resets_at)
    return query.join(last, (last.c.window_id == inner.c.window_id) & (last.c.taken_at == inner.c.last_at)).order_by(
        inner.c.window_id, inner.c.last_at
    )


def last_before(conn: Connection, window_ids: Sequence[int], moment: int) -> dict[int, Point]:
    """Each window's last reading before *moment*: what a chart that starts there begins with."""
    if not window_ids:
        return {}
    earlier, found = reading.alias("earlier"), reading.alias("found")
    newest = (
        select(func.max(earlier.c.taken_at))
        .where(earlier.c.window_id == limit_window.c.id, earlier.c.taken_at < bindparam("moment"))
        .scalar_subquery()
    )
    query = select(found.c.window_id, found.c.used_percent, found.c.taken_at, found.c.resets_at).select_from(
        limit_window.join(found, (found.c.window_id == limit_window.c.id) & (found.c.taken_at == newest))
    )
    rows = conn.execute(query.where(limit_window.c.id.in_(window_ids)), {"moment": moment})
    return {row.window_id: Point(row.taken_at, row.used_percent, row.used_percent, row.used_percent, row.taken_at, row.resets_at) for row in rows}


def size(conn: Connection, account_id: int) -> Size:
    """How much history an account has: counted from its daily rollups, dated by each window's first reading."""
    r, earliest = rollup.c, reading.alias("earliest")
    first_at = select(func.min(earliest.c.taken_at)).where(earliest.c.window_id == limit_window.c.id).scalar_subquery()
    counted = select(func.sum(r.count)).where(r.span == SPANS[-1], r.window_id == limit_window.c.id).scalar_subquery()
    rows = conn.execute(select(counted, first_at).where(limit_window.c.account_id == account_id)).all()
    counts = [int(count or 0) for count, _ in rows]
    return Size(sum(counts), max(counts, default=0), min((at for _, at in rows if at is not None), default=None))


def attempts(conn: Connection, account_id: int, limit: int = 20) -> list[Attempts]:
    """The newest runs of equal attempts, newest first."""
    a = attempt.c
    query = select(a.first_at, a.last_at, a.status, a.http_status, a.fault_code, a.fault_data, a.count, a.ms_sum, a.ms_max)
    return [Attempts(*row) for row in conn.execute(query.where(a.account_id == account_id).order_by(a.first_at.desc()).limit(limit))]
