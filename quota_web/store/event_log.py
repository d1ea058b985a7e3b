"""Reads events and cycles in pages, each page by a key; any number costs the same memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select, tuple_

from quota_web.store.models import cycle, event, limit_window

#: No row has a greater id: the column is a plain integer, and PostgreSQL refuses a greater number.
LAST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as every reader may see it: without its actor."""

    id: int
    at: int
    kind: str
    account_id: int | None
    window: str | None
    data: Mapping[str, Any]
    withdrawn_at: int | None


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events; None: whichever. Percents and moments are those of the rows."""

    kinds: Sequence[str]
    account_ids: Sequence[int] | None = None
    #: Also those that came to all accounts.
    with_all: bool = True
    #: From this moment on, and up to that one.
    since: int | None = None
    until: int | None = None


def events(conn: Connection, wanted: EventQuery, after: int, limit: int) -> list[LoggedEvent]:
    """At most *limit* events with a greater id than *after*, ascending."""
    values = _values(wanted) | {"after": min(after, LAST_ID), "limit": limit}
    return [logged(*row) for row in conn.execute(_ascending(_shape(wanted)), values).all()]


def latest(
    conn: Connection, wanted: EventQuery, limit: int, before: int | None = None
) -> list[LoggedEvent]:
    """At most *limit* events, newest first by their moments; *before*: those that come after the
    one with this id in that order.
    """
    values = _values(wanted) | {"limit": limit}
    if before is not None:
        values["before"] = min(before, LAST_ID)
    query = _newest_first(_shape(wanted), before is not None)
    return [_known(*row) for row in conn.execute(query, values).all()]


class _Shape(NamedTuple):
    """Which conditions a query has, whatever their values are."""

    of_some: bool
    of_many: bool
    with_all: bool
    is_since: bool
    is_until: bool


def _shape(wanted: EventQuery) -> _Shape:
    ids = wanted.account_ids
    return _Shape(
        ids is not None,
        ids is not None and len(ids) > 1,
        wanted.with_all,
        wanted.since is not None,
        wanted.until is not None,
    )


def _values(wanted: EventQuery) -> dict[str, Any]:
    found = {
        "kinds": wanted.kinds,
        "ids": wanted.account_ids,
        "since": wanted.since,
        "until": wanted.until,
    }
    return {name: value for name, value in found.items() if value is not None}


# Each made once: putting a statement together costs as much as running it.
@cache
def _ascending(shape: _Shape) -> Select[Any]:
    e = event.c
    query = _wanted(shape).where(e.id > bindparam("after"))
    return query.order_by(e.id).limit(bindparam("limit"))


@cache
def _newest_first(shape: _Shape, has_before: bool) -> Select[Any]:
    e, last = event.c, event.alias("last")
    before: BindParameter[int] = bindparam("before")
    query = _wanted(shape).order_by(e.at.desc(), e.id.desc()).limit(bindparam("limit"))
    if not has_before:
        return query
    moment = select(last.c.at).where(last.c.id == before).scalar_subquery()
    return query.where((e.at < moment) | ((e.at == moment) & (e.id < before)))


def _wanted(shape: _Shape) -> Select[Any]:
    e, w = event.c, limit_window.c
    query = (
        select(e.id, e.at, e.kind, e.account_id, w.key, e.data, e.withdrawn_at)
        .select_from(event.outerjoin(limit_window, w.id == e.window_id))
        .where(e.kind.in_(bindparam("kinds", expanding=True)))
    )
    if shape.of_some:
        # Of many accounts they are read in their order: `+ 0` keeps SQLite from the index of
        # accounts, by which it would read nearly all events there are, and sort them.
        mine = e.account_id + 0 if shape.of_many and shape.with_all else e.account_id
        is_mine = mine.in_(bindparam("ids", expanding=True))
        query = query.where(is_mine | e.account_id.is_(None) if shape.with_all else is_mine)
    if shape.is_since:
        query = query.where(e.at >= bindparam("since"))
    if shape.is_until:
        query = query.where(e.at <= bindparam("until"))
    return query


def actors(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Which actor did it, by the event's id: for browser sessions alone."""
    e = event.c
    rows = conn.execute(select(e.id, e.actor).where(e.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


def upstream_names(conn: Connection, keys: Sequence[str]) -> dict[str, str]:
    """What answers call the windows of these keys, where they have a name."""
    w = limit_window.c
    query = select(w.key, w.upstream_name).where(w.key.in_(keys), w.upstream_name.is_not(None))
    return {row[0]: row[1] for row in conn.execute(query)}


def logged(
    id: int,
    at: int,
    kind: str,
    account_id: int | None,
    key: str | None,
    data: str | None,
    gone: Any,
) -> LoggedEvent:
    """A row of the log as a value; the data are JSON."""
    return LoggedEvent(id, at, kind, account_id, key, json.loads(data or "{}"), gone)


# Equal rows make equal values, and the newest are mostly those of the last look: kept by what
# stands in them, they cannot go stale.
_known = lru_cache(maxsize=256)(logged)


@dataclass(frozen=True, slots=True)
class StoredCycle:
    """A closed cycle of one window."""

    window_id: int
    account_id: int
    window: str
    number: int
    started_at: int
    ended_at: int
    how: str
    used_at_reset: float
    peak: float
    ran_out_at: int | None
    zero_s: int
    readings: int
    is_lower_bound: bool


_CYCLE_COLUMNS = (
    cycle.c.window_id,
    limit_window.c.account_id,
    limit_window.c.key,
    cycle.c.number,
    cycle.c.started_at,
    cycle.c.ended_at,
    cycle.c.how,
    cycle.c.used_at_reset,
    cycle.c.peak,
    cycle.c.ran_out_at,
    cycle.c.zero_s,
    cycle.c.readings,
    cycle.c.is_lower_bound,
)


def cycles(
    conn: Connection,
    account_ids: Sequence[int],
    keys: Sequence[str] | None,
    start: int,
    end: int,
    behind: tuple[int, int] = (-1, -1),
    limit: int = 1_000,
) -> list[StoredCycle]:
    """At most *limit* cycles of these accounts that ended in [start, end), by window and end.

    *behind* is the window id and end of the last one that was read.
    """
    c, w = cycle.c, limit_window.c
    query = (
        select(*_CYCLE_COLUMNS)
        .select_from(cycle.join(limit_window, w.id == c.window_id))
        .where(w.account_id.in_(account_ids), c.ended_at >= start, c.ended_at < end)
        .where(tuple_(c.window_id, c.ended_at) > tuple_(*behind))
        .order_by(c.window_id, c.ended_at)
        .limit(limit)
    )
    if keys is not None:
        query = query.where(w.key.in_(keys))
    return [StoredCycle(*tuple[Any, ...](row)) for row in conn.execute(query)]


@dataclass(frozen=True, slots=True)
class CycleEnd:
    """How a closed cycle of a window ended, and when it had run dry, if it had."""

    window_id: int
    ended_at: int
    how: str
    ran_out_at: int | None


def cycle_ends(
    conn: Connection, window_ids: Sequence[int], start: int, end: int, *, only_dry: bool = False
) -> dict[int, list[CycleEnd]]:
    """The cycles of these windows that ended in [start, end), or of them those that had run dry,
    oldest first, by the window's id.
    """
    c = cycle.c
    query = (
        select(c.window_id, c.ended_at, c.how, c.ran_out_at)
        .where(c.window_id.in_(window_ids), c.ended_at >= start, c.ended_at < end)
        .order_by(c.window_id, c.ended_at)
    )
    if only_dry:
        query = query.where(c.ran_out_at.is_not(None))
    found: dict[int, list[CycleEnd]] = {}
    for row in conn.execute(query):
        found.setdefault(row.window_id, []).append(CycleEnd(*tuple[Any, ...](row)))
    return found


def last_cycles(
    conn: Connection, window_ids: Sequence[int], count: int
) -> dict[int, list[StoredCycle]]:
    """At most *count* of each window's newest closed cycles, oldest first, by its id."""
    c = cycle.c
    place = func.row_number().over(partition_by=c.window_id, order_by=c.ended_at.desc())
    mine = select(c.id, place.label("place")).where(c.window_id.in_(window_ids)).subquery()
    query = (
        select(*_CYCLE_COLUMNS)
        .select_from(cycle.join(limit_window, limit_window.c.id == c.window_id))
        .join(mine, mine.c.id == c.id)
        .where(mine.c.place <= count)
        .order_by(c.window_id, c.ended_at)
    )
    found: dict[int, list[StoredCycle]] = {}
    for row in conn.execute(query):
        one = StoredCycle(*tuple[Any, ...](row))
        found.setdefault(one.window_id, []).append(one)
    return found
