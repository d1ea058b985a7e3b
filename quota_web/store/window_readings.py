"""The readings of windows as a forecast wants them: one an hour from the rollups, and each of the
last hours.

A year of readings of many windows is never read: the hours of two months are some 1,500 rows.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select

from quota_web.store.models import reading, rollup

HOUR = 3_600


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Readings of one window, oldest first; the three run side by side."""

    taken_at: list[int] = field(default_factory=list)
    used_percent: list[float] = field(default_factory=list)
    resets_at: list[int | None] = field(default_factory=list)


_IDS: Any = bindparam("ids", expanding=True)
_HOURS = (
    select(
        rollup.c.window_id,
        rollup.c.slot,
        rollup.c.max_used,
        rollup.c.last_used,
        rollup.c.last_at,
        rollup.c.last_resets_at,
    )
    .where(
        rollup.c.span == HOUR,
        rollup.c.window_id.in_(_IDS),
        rollup.c.slot >= bindparam("since"),
        rollup.c.slot < bindparam("until"),
        rollup.c.last_used.is_not(None),
    )
    .order_by(rollup.c.window_id, rollup.c.slot)
)
_EACH = (
    select(reading.c.window_id, reading.c.taken_at, reading.c.used_percent, reading.c.resets_at)
    .where(
        reading.c.window_id.in_(_IDS),
        reading.c.taken_at >= bindparam("since"),
        reading.c.taken_at <= bindparam("until"),
        reading.c.used_percent.is_not(None),
    )
    .order_by(reading.c.window_id, reading.c.taken_at)
)


def of_hours(
    conn: Connection, window_ids: Sequence[int], since: int, until: int
) -> dict[int, ReadingColumns]:
    """The last reading of each hour in [since, until), oldest first, by window.

    Where the window reset within the hour, the most that was used before stands ahead of it.
    """
    values = {"ids": list(window_ids), "since": since - since % HOUR, "until": until - until % HOUR}
    return {
        window_id: _with_peaks(*columns)
        for window_id, columns in _by_window(conn.execute(_HOURS, values).all())
    }


def each(
    conn: Connection, window_ids: Sequence[int], since: int, until: int
) -> dict[int, ReadingColumns]:
    """Each reading from the full hour before *since* up to *until*, oldest first, by window."""
    values = {"ids": list(window_ids), "since": since - since % HOUR, "until": until}
    found = _by_window(conn.execute(_EACH, values).all())
    return {window_id: ReadingColumns(*map(list, columns)) for window_id, columns in found}


def _by_window(rows: Sequence[Any]) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """Rows that begin with a window's id and are ordered by it, cut into each one's columns.

    Tens of thousands at a time: what is done for each of them alone is most of the time.
    """
    start = 0
    while start < len(rows):
        window_id = rows[start][0]
        stop = bisect_right(rows, window_id, start, key=itemgetter(0))
        yield window_id, list(zip(*rows[start:stop], strict=True))[1:]
        start = stop


def _with_peaks(
    slots: Sequence[int],
    most: Sequence[float],
    used: Sequence[float],
    at: Sequence[int],
    resets: Sequence[int | None],
) -> ReadingColumns:
    """Each hour's last reading, with the most that was used ahead of a reset within the hour."""
    columns = ReadingColumns(list(at), list(used), list(resets))
    fell = [k for k, (high, last) in enumerate(zip(most, used, strict=True)) if high > last + 1]
    for k in reversed(fell):
        reset = resets[k - 1] if k else None
        if reset and slots[k] < reset <= at[k]:
            columns.taken_at.insert(k, max(slots[k], reset - 1))
            columns.used_percent.insert(k, most[k])
            columns.resets_at.insert(k, reset)
    return columns
