"""Reads series for charts, from the finest rows that stay few: raw readings for short ranges,
rollups for long ones.

Every query goes through a primary key, and none groups raw readings over more than a few days.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    select,
)

from quota_web.core.series import Point
from quota_web.store.models import attempt, limit_window, reading, rollup
from quota_web.store.rollups import SPANS

#: Rows that a chart may read: more points take longer to fetch than they show.
MOST_ROWS = 10_000
#: Up to RAW_GROUPED seconds the database groups raw readings, and up to MOST_GROUPED of them; up to
#: RAW_COUNTED it does MOST_ROWS.
RAW_GROUPED, MOST_GROUPED = 2 * 86_400, 60_000
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


def series(
    conn: Connection, account_ids: Sequence[int], keys: Iterable[str] | None
) -> list[Series]:
    """The windows of these accounts with one of *keys*, or all of them for None; also windows that
    are gone by now.
    """
    if keys is None:
        return [Series(*row) for row in conn.execute(_SERIES, {"ids": account_ids}).all()]
    values = {"ids": account_ids, "keys": list(keys)}
    return [Series(*row) for row in conn.execute(_SERIES_OF_KEYS, values).all()]


def span_for(conn: Connection, window_ids: Sequence[int], start: int, end: int) -> int:
    """The finest rows worth reading over [start, end): RAW, or a rollup's span in seconds."""
    length = end - start
    if length <= RAW_COUNTED and _is_raw_readable(conn, window_ids, start, end):
        return RAW
    return next((span for span in SPANS if len(window_ids) * length / span <= MOST_ROWS), SPANS[-1])


def coarsest(step: int, span: int) -> int:
    """The longest span that says the same about slots of *step* seconds as *span* does: fewer rows,
    equal answers.
    """
    return max((s for s in SPANS if s >= span and step % s == 0), default=span)


def _is_raw_readable(conn: Connection, window_ids: Sequence[int], start: int, end: int) -> bool:
    """Whether the raw readings of [start, end) are few enough, and still there: retention takes
    them, and leaves the rollups.
    """
    rows = conn.execute(
        _EXTENT, {"ids": window_ids, "start": start - start % SPANS[-1], "end": end}
    ).all()
    most = MOST_GROUPED if end - start <= RAW_GROUPED else MOST_ROWS
    if sum(row.readings or 0 for row in rows) > most:
        return False
    gone_until = (
        row.first_at if row.first_at is not None else end
        for row in rows
        if row.first_slot is not None and _is_pruned(row)
    )
    return start >= max(gone_until, default=start)


def _is_pruned(row: Row[Any]) -> bool:
    return row.first_at is None or row.first_slot + SPANS[0] <= row.first_at


def points(
    conn: Connection, window_ids: Sequence[int], start: int, end: int, step: int, span: int
) -> dict[int, list[Point]]:
    """The points of these windows in [start, end), by window id, in the order of time.

    *start* is a multiple of *step*.
    """
    values = {"ids": window_ids, "start": start, "end": end}
    rows = (
        conn.execute(_RAW, values | {"step": step})
        if span == RAW
        else conn.execute(_ROLLED_UP, values | {"span": span})
    )
    found: dict[int, list[Point]] = defaultdict(list)
    for window_id, at, low, high, last, last_at, resets_at in rows.all():
        found[window_id].append(Point(at, low, high, last, last_at, resets_at))
    return found


def last_before(conn: Connection, window_ids: Sequence[int], moment: int) -> dict[int, Point]:
    """Each window's last reading before *moment*: what a chart that starts there begins with."""
    rows = conn.execute(_LAST_BEFORE, {"ids": window_ids, "moment": moment}).all()
    return {
        window_id: Point(at, used, used, used, at, resets_at)
        for window_id, at, used, resets_at in rows
    }


def hourly_rises(
    conn: Connection, window_ids: Sequence[int], start: int, end: int
) -> list[tuple[int, float, int]]:
    """Each hour of [start, end) in which one of these windows was read, in the order of time: its
    start, the points used in it by all of them, and how many readings there were.
    """
    values = {"ids": window_ids, "start": start, "end": end, "span": SPANS[0]}
    return [(slot, rise, count) for slot, rise, count in conn.execute(_HOURLY_RISES, values)]


def rises_by_hour(
    conn: Connection, account_ids: Sequence[int], start: int, end: int
) -> dict[Series, list[tuple[int, float]]]:
    """Each hour of [start, end) in which one of these accounts' windows was read, by the window:
    the hour's start, and the points used in it.
    """
    values = {"ids": account_ids, "start": start, "end": end, "span": SPANS[0]}
    found: dict[tuple[int, int, str], list[tuple[int, float]]] = defaultdict(list)
    for window_id, account_id, key, slot, rise in conn.execute(_RISES_BY_HOUR, values).all():
        if slot is not None:
            found[window_id, account_id, key].append((slot, rise))
    return {Series(*window): rises for window, rises in found.items()}


def first_slots(conn: Connection, account_ids: Sequence[int]) -> list[tuple[str, int]]:
    """The key of each window of these accounts that was ever read, and the hour of its first
    reading, as the rollups still have it.
    """
    rows = conn.execute(_FIRST_SLOTS, {"ids": account_ids}).all()
    return [(key, slot) for key, slot in rows if slot is not None]


def size(conn: Connection, account_id: int) -> Size:
    """How much history an account has: counted from its daily rollups, dated by each window's first
    reading.
    """
    r, earliest = rollup.c, reading.alias("earliest")
    first_at = (
        select(func.min(earliest.c.taken_at))
        .where(earliest.c.window_id == limit_window.c.id)
        .scalar_subquery()
    )
    counted = (
        select(func.sum(r.count))
        .where(r.span == SPANS[-1], r.window_id == limit_window.c.id)
        .scalar_subquery()
    )
    rows = conn.execute(
        select(counted, first_at).where(limit_window.c.account_id == account_id)
    ).all()
    counts = [int(count or 0) for count, _ in rows]
    return Size(
        sum(counts),
        max(counts, default=0),
        min((at for _, at in rows if at is not None), default=None),
    )


def attempts(conn: Connection, account_id: int, limit: int = 20) -> list[Attempts]:
    """The newest runs of equal attempts, newest first."""
    a = attempt.c
    query = select(
        a.first_at,
        a.last_at,
        a.status,
        a.http_status,
        a.fault_code,
        a.fault_data,
        a.count,
        a.ms_sum,
        a.ms_max,
    )
    return [
        Attempts(*row)
        for row in conn.execute(
            query.where(a.account_id == account_id).order_by(a.first_at.desc()).limit(limit)
        )
    ]


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)


def _rolled_up() -> Select[Any]:
    r = rollup.c
    wanted = (
        r.span == bindparam("span"),
        r.window_id.in_(_IDS),
        r.slot >= bindparam("start"),
        r.slot < bindparam("end"),
    )
    columns = (
        r.window_id,
        r.slot,
        r.min_used,
        r.max_used,
        r.last_used,
        r.last_at,
        r.last_resets_at,
    )
    return select(*columns).where(*wanted).order_by(r.window_id, r.slot)


def _raw() -> Select[Any]:
    """Raw readings by slot: one pass for the extremes and the last moment, then that moment's row
    by its key.
    """
    r, last = reading.c, reading.alias("last")
    # A plain / because // would be floored by a function for every row: both databases divide whole
    # numbers downwards.
    slot = r.taken_at.op("/", return_type=BigInteger())(bindparam("step"))
    low, high, last_at = (
        func.min(r.used_percent).label("low"),
        func.max(r.used_percent).label("high"),
        func.max(r.taken_at).label("last_at"),
    )
    wanted = (
        r.window_id.in_(_IDS),
        r.taken_at >= bindparam("start"),
        r.taken_at < bindparam("end"),
    )
    slots = (
        select(r.window_id, low, high, last_at)
        .where(*wanted)
        .group_by(r.window_id, slot)
        .subquery()
    )
    its_last = (last.c.window_id == slots.c.window_id, last.c.taken_at == slots.c.last_at)
    # Not a join: a PostgreSQL that believes the table to be empty groups all readings anew for
    # each reading.
    columns = (
        slots.c.window_id,
        slots.c.last_at,
        slots.c.low,
        slots.c.high,
        select(last.c.used_percent).where(*its_last).scalar_subquery(),
        slots.c.last_at,
        select(last.c.resets_at).where(*its_last).scalar_subquery(),
    )
    return select(*columns).order_by(slots.c.window_id, slots.c.last_at)


def _last_before() -> Select[Any]:
    w, earlier, found = limit_window.c, reading.alias("earlier"), reading.alias("found")
    is_earlier = (earlier.c.window_id == w.id, earlier.c.taken_at < bindparam("moment"))
    newest = select(func.max(earlier.c.taken_at)).where(*is_earlier).scalar_subquery()
    columns = (found.c.window_id, found.c.taken_at, found.c.used_percent, found.c.resets_at)
    joined = limit_window.join(found, (found.c.window_id == w.id) & (found.c.taken_at == newest))
    return select(*columns).select_from(joined).where(w.id.in_(_IDS))


def _extent() -> Select[Any]:
    """For each window: its first reading and first hourly slot that are there, and how many
    readings the days of a stretch hold.
    """
    w, r, first, hour = limit_window.c, rollup.c, reading.alias("first"), rollup.alias("hour")
    first_at = select(func.min(first.c.taken_at)).where(first.c.window_id == w.id).scalar_subquery()
    first_slot = (
        select(func.min(hour.c.slot))
        .where(hour.c.span == SPANS[0], hour.c.window_id == w.id)
        .scalar_subquery()
    )
    in_days = (
        r.span == SPANS[-1],
        r.window_id == w.id,
        r.slot >= bindparam("start"),
        r.slot < bindparam("end"),
    )
    count = select(func.sum(r.count)).where(*in_days).scalar_subquery()
    return select(
        first_at.label("first_at"), first_slot.label("first_slot"), count.label("readings")
    ).where(w.id.in_(_IDS))


def _series() -> Select[Any]:
    w = limit_window.c
    query = select(w.id, w.account_id, w.key).where(w.account_id.in_(_IDS))
    return query.order_by(w.account_id, w.id)


def _hours() -> tuple[ColumnElement[bool], ...]:
    r = rollup.c
    return (
        r.span == bindparam("span"),
        r.slot >= bindparam("start"),
        r.slot < bindparam("end"),
    )


def _rises_by_hour() -> Select[Any]:
    w, r = limit_window.c, rollup.c
    query = select(w.id, w.account_id, w.key, r.slot, r.rise)
    wanted = and_(r.window_id == w.id, *_hours(), r.count > 0)
    # An outer join begins with the windows; left to itself SQLite walks through all rollups.
    joined = query.join_from(limit_window, rollup, wanted, isouter=True)
    return joined.where(w.account_id.in_(_IDS))


def _hourly_rises() -> Select[Any]:
    r = rollup.c
    sums = (func.sum(r.rise), func.sum(r.count))
    hours = select(r.slot, *sums).where(r.window_id.in_(_IDS), *_hours())
    return hours.group_by(r.slot).order_by(r.slot)


def _first_slots() -> Select[Any]:
    w, hour = limit_window.c, rollup.alias("hour")
    first = select(func.min(hour.c.slot)).where(hour.c.span == SPANS[0], hour.c.window_id == w.id)
    return select(w.key, first.scalar_subquery()).where(w.account_id.in_(_IDS))


_SERIES = _series()
_SERIES_OF_KEYS = _SERIES.where(limit_window.c.key.in_(bindparam("keys", expanding=True)))
_ROLLED_UP, _RAW, _LAST_BEFORE, _EXTENT = _rolled_up(), _raw(), _last_before(), _extent()
_FIRST_SLOTS, _HOURLY_RISES, _RISES_BY_HOUR = _first_slots(), _hourly_rises(), _rises_by_hour()
