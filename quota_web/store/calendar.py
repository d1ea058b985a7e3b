"""Queries of the calendar of resets: the newest readings of windows, and the numbers of their
cycles.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, distinct, exists, func, select

from quota_web.core.event_visibility import RESETS
from quota_web.store.models import cycle, event, limit_window, reading

#: A moment, the used percent, and the reset.
Row = tuple[int, float, int | None]


def newest_readings(
    conn: Connection, window_ids: Sequence[int], count: int
) -> dict[int, list[Row]]:
    """At most *count* of each window's newest readings, oldest first, by its id."""
    found: dict[int, list[Row]] = defaultdict(list)
    values = {"ids": list(window_ids), "before": count - 1}
    for window_id, at, used, resets_at in conn.execute(_NEWEST, values):
        found[window_id].append((at, used, resets_at))
    return found


def last_cycles(conn: Connection, window_ids: Sequence[int]) -> dict[int, int]:
    """The number of each window's last cycle that has ended, by its id; none before the first.

    A reset that was withdrawn had begun a cycle of its own, whose number is not used again: each
    adds one from the next end on. One that is part of a reset for all ended its cycle all the same.
    """
    rows = conn.execute(_LAST_CYCLES, {"ids": list(window_ids)})
    return {row[0]: row[1] + row[2] for row in rows}


def _newest() -> Select[Any]:
    w, r, earlier = limit_window.c, reading.c, reading.alias("earlier")
    first = (
        select(earlier.c.taken_at)
        .where(earlier.c.window_id == w.id)
        .order_by(earlier.c.taken_at.desc())
        .limit(1)
        .offset(bindparam("before"))
        .scalar_subquery()
    )
    joined = limit_window.join(
        reading, (r.window_id == w.id) & (r.taken_at >= func.coalesce(first, 0))
    )
    columns = (r.window_id, r.taken_at, r.used_percent, r.resets_at)
    wanted = select(*columns).select_from(joined).where(w.id.in_(_IDS), r.used_percent.is_not(None))
    return wanted.order_by(r.window_id, r.taken_at)


def _last_cycles() -> Select[Any]:
    c, e, same = cycle.c, event.c, cycle.alias("same")
    last = (
        select(c.window_id, func.max(c.number).label("number"), func.max(c.ended_at).label("at"))
        .where(c.window_id.in_(_IDS))
        .group_by(c.window_id)
        .subquery()
    )
    ended_all_the_same = exists().where(same.c.window_id == e.window_id, same.c.ended_at == e.at)
    withdrawn = (
        select(func.count(distinct(e.at)))
        .where(e.window_id == last.c.window_id, e.kind.in_(RESETS), e.withdrawn_at.is_not(None))
        .where(e.at <= last.c.at, ~ended_all_the_same)
        .scalar_subquery()
    )
    return select(last.c.window_id, last.c.number, withdrawn)


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)
_NEWEST = _newest()
_LAST_CYCLES = _last_cycles()
