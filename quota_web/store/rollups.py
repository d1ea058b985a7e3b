"""The series: raw readings, and their rollups over an hour, six hours and a day, which long charts
read instead. All arithmetic of rollups stands here.

A reading that comes in its order is merged into its slots with one statement. One that does not (a
second answer within the same second, a clock that was put back) has its slots made anew from the
readings, so that both always say the same.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Executable, Select, bindparam, exists, func, insert, select, text

from quota_web.store.database import insert_of
from quota_web.store.many_rows import run_many
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
INSERT = insert(rollup)


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
        remake_days(conn, window_id, day, day + longest)


def remake_days(conn: Connection, window_id: int, start: int, end: int) -> int:
    """Make the slots of these whole days anew; returns from how many readings."""
    rows = conn.execute(
        _SERIES.where(reading.c.taken_at >= start, reading.c.taken_at < end).order_by(
            reading.c.taken_at
        ),
        {"window_id": window_id},
    ).all()
    at, used, resets_at = zip(*rows, strict=True) if rows else ((), (), ())
    made = folded(window_id, at, used, resets_at, _used_before(conn, window_id, start))
    conn.execute(
        rollup.delete().where(
            rollup.c.span.in_(SPANS),
            rollup.c.window_id == window_id,
            rollup.c.slot >= start,
            rollup.c.slot < end,
        )
    )
    run_many(conn, INSERT, made)
    return len(rows)


def _used_before(conn: Connection, window_id: int, start: int) -> float | None:
    """The used percent of the last reading before *start*; where that reading has been pruned, the
    daily rollup still has it.
    """
    before = _SERIES.where(reading.c.taken_at < start).order_by(reading.c.taken_at.desc()).limit(1)
    last = conn.execute(before, {"window_id": window_id}).first()
    if last is not None:
        return cast(float | None, last.used_percent)
    d = rollup.c
    days = select(d.last_used).where(d.span == SPANS[-1], d.window_id == window_id, d.slot < start)
    return conn.execute(days.order_by(d.slot.desc()).limit(1)).scalar()


_SERIES = select(reading.c.taken_at, reading.c.used_percent, reading.c.resets_at).where(
    reading.c.window_id == bindparam("window_id")
)


def rise_of(used: float | None, used_before: float | None) -> float:
    """By how much a reading is above the one before it; 0 after a reset and after a gone window."""
    return 0.0 if used is None or used_before is None else max(0.0, used - used_before)


def rises(used: Sequence[float | None], used_before: float | None = None) -> list[float]:
    """`rise_of` each reading in the order of time."""
    return [rise_of(b, a) for a, b in zip([used_before, *used], used, strict=False)]


def folded(
    window_id: int,
    at: Sequence[int],
    used: Sequence[float | None],
    resets_at: Sequence[int | None],
    used_before: float | None = None,
) -> list[_Row]:
    """The rollups of readings in the order of time, as rows of the table.

    A used percent of None marks a gone window. *used_before* is that of the reading before them.
    """
    rise = rises(used, used_before)
    made: list[_Row] = []
    for span in SPANS:
        low = 0
        while low < len(at):
            slot = at[low] - at[low] % span
            high = bisect_left(at, slot + span, low)
            known = [u for u in used[low:high] if u is not None]
            made.append(
                {
                    "span": span,
                    "window_id": window_id,
                    "slot": slot,
                    "first_used": known[0] if known else None,
                    "min_used": min(known, default=None),
                    "max_used": max(known, default=None),
                    "last_used": used[high - 1],
                    "last_at": at[high - 1],
                    "last_resets_at": resets_at[high - 1],
                    "rise": sum(rise[low:high], 0.0),
                    "count": len(known),
                }
            )
            low = high
    return made


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
