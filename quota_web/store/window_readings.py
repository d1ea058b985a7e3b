"""The readings of windows as a forecast wants them: one an hour from the rollups, and each of the
last hours.

A year of readings of many windows is never read: the hours of two months are some 1,500 rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from quota_web.store.models import reading, rollup

HOUR = 3_600

#: A moment, the used percent, and the reset.
Row = tuple[int, float, int | None]

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
) -> dict[int, list[Row]]:
    """The last reading of each hour in [since, until), oldest first, by window.

    Where the window reset within the hour, the most that was used before stands ahead of it.
    """
    found: dict[int, list[Row]] = defaultdict(list)
    values = {"ids": list(window_ids), "since": since - since % HOUR, "until": until - until % HOUR}
    for window_id, slot, most, last, last_at, resets_at in conn.execute(_HOURS, values).all():
        rows = found[window_id]
        if most > last + 1 and rows and rows[-1][2] and slot < rows[-1][2] <= last_at:
            rows.append((max(slot, rows[-1][2] - 1), most, rows[-1][2]))
        rows.append((last_at, last, resets_at))
    return found


def each(
    conn: Connection, window_ids: Sequence[int], since: int, until: int
) -> dict[int, list[Row]]:
    """Each reading from the full hour before *since* up to *until*, oldest first, by window."""
    found: dict[int, list[Row]] = defaultdict(list)
    values = {"ids": list(window_ids), "since": since - since % HOUR, "until": until}
    for window_id, at, used, resets_at in conn.execute(_EACH, values).all():
        found[window_id].append((at, used, resets_at))
    return found
