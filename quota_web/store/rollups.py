"""The series: raw readings, and their rollups over an hour, six hours and a day, which long charts
read instead.

A reading that comes in its order is merged into its slots with one statement. One that does not (a
second answer within the same second, a clock that was put back) has its slots made anew from the
readings, so that both always say the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Select, bindparam, exists, func, insert, select, text

from quota_web.store.database import insert_of, run_many
from quota_web.store.models import limit_window, reading, rollup

#: Lengths of the rollups' slots in seconds.
SPANS = (3_600, 21_600, 86_400)

_Row = dict[str, Any]


def rollup_row(
    span: int, window_id: int, at: int, used: float, resets_at: int | None, rise: float
) -> _Row:
    """One reading as a rollup of its own, to be merged into the slot it falls in."""
    values = {
        "first_used": used,
        "min_used": used,
        "max_used": used,
        "last_used": used,
        "last_at": at,
        "last_resets_at": resets_at,
    }
    return {
        "span": span,
        "window_id": window_id,
        "slot": at - at % span,
        **values,
        "rise": rise,
        "count": 1,
    }


def gone_row(span: int, window_id: int, at: int) -> _Row:
    """The moment at which a window was gone from the answer, as a rollup of its own."""
    values = dict.fromkeys(("first_used", "min_used", "max_used", "last_used", "last_resets_at"))
    return {
        "span": span,
        "window_id": window_id,
        "slot": at - at % span,
        **values,
        "last_at": at,
        "rise": 0.0,
        "count": 0,
    }


def write(
    conn: Connection,
    readings: Sequence[_Row],
    rollups: Sequence[_Row],
    gone_rollups: Sequence[_Row],
) -> None:
    """Write readings, and merge their rollups into the slots; of readings out of the order of time
    the slots are made anew.
    """
    statements = _statements(conn.dialect.name)
    late = _out_of_order(conn, readings)
    run_many(conn, statements.reading, readings)
    for statement, rows in ((statements.rollup, rollups), (statements.gone, gone_rollups)):
        run_many(conn, statement, [row for row in rows if row["window_id"] not in late])
    for window_id, at in late.items():
        remake(conn, window_id, at)


def _out_of_order(conn: Connection, readings: Sequence[_Row]) -> dict[int, int]:
    """Which windows have something in their series already at the moment of their new reading, or
    after it.
    """
    by_moment: dict[int, list[int]] = defaultdict(list)
    for row in readings:
        by_moment[row["taken_at"]].append(row["window_id"])
    late: dict[int, int] = {}
    for at, window_ids in by_moment.items():
        late |= dict.fromkeys(conn.execute(_LATE, {"ids": window_ids, "at": at}).scalars(), at)
    return late


def _late() -> Select[Any]:
    ids: Any = bindparam("ids", expanding=True)
    there = exists().where(
        reading.c.window_id == limit_window.c.id, reading.c.taken_at >= bindparam("at")
    )
    return select(limit_window.c.id).where(limit_window.c.id.in_(ids), there)


#: Made once: putting a statement together costs as much as running it.
_LATE = _late()


def remake(conn: Connection, window_id: int, at: int) -> None:
    """Make the slots anew that a reading at *at* had a part in: its own, and those of the next
    reading, whose rise counts from it.
    """
    r = reading.c
    following = conn.execute(
        select(func.min(r.taken_at)).where(r.window_id == window_id, r.taken_at > at)
    ).scalar()
    longest = SPANS[-1]
    for day in sorted(
        {moment - moment % longest for moment in (at, following) if moment is not None}
    ):
        _remake(conn, window_id, day, day + longest)


def _remake(conn: Connection, window_id: int, start: int, end: int) -> None:
    r = reading.c
    mine = select(r.taken_at, r.used_percent, r.resets_at).where(r.window_id == window_id)
    before = conn.execute(
        mine.where(r.taken_at < start).order_by(r.taken_at.desc()).limit(1)
    ).first()
    rows = conn.execute(
        mine.where(r.taken_at >= start, r.taken_at < end).order_by(r.taken_at)
    ).all()
    conn.execute(
        rollup.delete().where(
            rollup.c.span.in_(SPANS),
            rollup.c.window_id == window_id,
            rollup.c.slot >= start,
            rollup.c.slot < end,
        )
    )
    made = folded(window_id, rows, before.used_percent if before else None)
    if made:
        conn.execute(insert(rollup), made)


def folded(window_id: int, rows: Iterable[Any], used_before: float | None) -> list[_Row]:
    """The rollups of readings (moment, used percent, reset) in the order of time; *used_before* is
    the used percent of the reading before them.
    """
    slots: dict[tuple[int, int], _Row] = {}
    for at, used, resets_at in rows:
        rise = max(0.0, used - used_before) if used is not None and used_before is not None else 0.0
        for span in SPANS:
            new = (
                gone_row(span, window_id, at)
                if used is None
                else rollup_row(span, window_id, at, used, resets_at, rise)
            )
            there = slots.setdefault((span, new["slot"]), new)
            if there is not new:
                slots[span, new["slot"]] = _merged(there, new)
        used_before = used
    return list(slots.values())


def _merged(there: _Row, new: _Row) -> _Row:
    last = {name: new[name] for name in ("last_used", "last_at", "last_resets_at")}
    if new["count"] == 0:
        return there | last
    low, high = (
        [v for v in (there[name], new[name]) if v is not None] for name in ("min_used", "max_used")
    )
    first = new["first_used"] if there["first_used"] is None else there["first_used"]
    sums = {name: there[name] + new[name] for name in ("rise", "count")}
    return there | last | sums | {"first_used": first, "min_used": min(low), "max_used": max(high)}


@dataclass(frozen=True, slots=True)
class _Statements:
    reading: Executable
    rollup: Executable
    gone: Executable


@cache
def _statements(dialect: str) -> _Statements:
    insert_into = insert_of(dialect)
    new_reading, new = insert_into(reading), insert_into(rollup)
    least, greatest = ("least", "greatest") if dialect == "postgresql" else ("min", "max")
    merged = {
        "first_used": func.coalesce(rollup.c.first_used, new.excluded.first_used),
        "min_used": text(
            f"coalesce({least}(rollup.min_used, excluded.min_used), excluded.min_used)"
        ),
        "max_used": text(
            f"coalesce({greatest}(rollup.max_used, excluded.max_used), excluded.max_used)"
        ),
        "last_used": new.excluded.last_used,
        "last_at": new.excluded.last_at,
        "last_resets_at": new.excluded.last_resets_at,
        "rise": rollup.c.rise + new.excluded.rise,
        "count": rollup.c.count + new.excluded.count,
    }
    key, replaced = ["span", "window_id", "slot"], ("used_percent", "resets_at", "flags")
    gone = {"last_used": None, "last_at": new.excluded.last_at, "last_resets_at": None}
    return _Statements(
        new_reading.on_conflict_do_update(
            index_elements=["window_id", "taken_at"],
            set_={n: new_reading.excluded[n] for n in replaced},
        ),
        new.on_conflict_do_update(index_elements=key, set_=merged),
        new.on_conflict_do_update(index_elements=key, set_=gone),
    )
