"""Demo data: invented accounts written in bulk, found again, and taken away. Every function takes
the open connection; none commits.

The rows are what `snapshots.record` would have written reading by reading (a test holds the two
together); built in Python, a whole account at a time, they are written some ten times as fast.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from quota_web import store
from quota_web.core.quota import Status
from quota_web.demo.generate import Invented, Run, Track
from quota_web.store.accounts import DEMO
from quota_web.store.models import (
    account,
    account_fact,
    attempt,
    limit_window,
    reading,
    rollup,
    setting,
)
from quota_web.store.recording import fact_row
from quota_web.store.rollups import SPANS

#: The row of `setting` that says that demo data is here.
MARK = "demo"
#: Rows handed to the driver at once.
CHUNK = 50_000

_READING = ("window_id", "taken_at", "used_percent", "resets_at", "flags")
_ROLLUP = (
    "span",
    "window_id",
    "slot",
    "first_used",
    "min_used",
    "max_used",
    "last_used",
    "last_at",
    "last_resets_at",
    "rise",
    "count",
)


def is_empty(conn: Connection) -> bool:
    """Whether no account was ever stored here, deleted ones included."""
    return conn.execute(select(account.c.id).limit(1)).first() is None


def is_marked(conn: Connection) -> bool:
    return conn.execute(select(setting.c.value).where(setting.c.key == MARK)).first() is not None


def mark(conn: Connection, now: int) -> None:
    conn.execute(insert(setting).values(key=MARK, value=str(now)))


def unmark(conn: Connection) -> None:
    conn.execute(delete(setting).where(setting.c.key == MARK))


def write(conn: Connection, invented: Invented) -> None:
    """Store one account with all of its history and without any credentials."""
    account_id = store.accounts.add(conn, invented.name, DEMO, invented.created_at)
    for track in invented.tracks:
        _write_track(conn, account_id, track)
    conn.execute(
        insert(account_fact),
        [fact_row(account_id, since, facts) for since, facts in invented.facts],
    )
    conn.execute(insert(attempt), [_attempt_row(account_id, run) for run in invented.runs])
    last = invented.runs[-1]
    store.accounts.update_account(
        conn,
        account_id,
        email=invented.email,
        status=last.fault.status if last.fault else Status.OK,
        fault_code=last.fault.code if last.fault else None,
        fault_data=last.fault.data_json() if last.fault else None,
        http_status=last.fault.http_status if last.fault else 200,
        attempted_at=last.last_at,
        taken_at=max(r.last_at for r in invented.runs if r.fault is None),
        run_first_at=last.first_at,
        failures=last.count if last.fault else 0,
        interval_s=invented.interval_s,
        # Nobody is to be asked, ever.
        next_due_at=None,
        paused_at=last.last_at if invented.is_paused else None,
    )


def _attempt_row(account_id: int, run: Run) -> dict[str, Any]:
    fault = run.fault
    return {
        "account_id": account_id,
        "first_at": run.first_at,
        "last_at": run.last_at,
        "status": fault.status if fault else Status.OK,
        "http_status": fault.http_status if fault else 200,
        "fault_code": fault.code if fault else None,
        "fault_data": fault.data_json() if fault else None,
        "count": run.count,
        "ms_sum": run.ms_sum,
        "ms_max": run.ms_max,
    }


def _write_track(conn: Connection, account_id: int, track: Track) -> None:
    window_id = store.accounts.new_id(
        conn.execute(insert(limit_window).values(account_id=account_id, **_latest(track)))
    )
    rows = zip(repeat(window_id), track.at, track.used, track.resets_at, repeat(0))
    _insert(conn, reading.name, _READING, rows)
    _insert(conn, rollup.name, _ROLLUP, rollups(window_id, track))


def _latest(track: Track) -> dict[str, Any]:
    """The window's row as the last answers left it."""
    used, spend = track.used[-1], track.spend
    values = {
        "key": track.key,
        "upstream_name": track.upstream_name,
        "length_s": track.length_s,
        "used_percent": used,
        "resets_at": track.resets_at[-1],
    }
    rose = (
        at
        for at, rise in zip(reversed(track.at), reversed(_rises(track.used)), strict=True)
        if rise > 0
    )
    measured = (
        at
        for at, value in zip(reversed(track.at), reversed(track.used), strict=True)
        if value is not None
    )
    values |= {
        "taken_at": next(measured, None),
        "rose_at": next(rose, None),
        "gone_at": track.at[-1] if used is None else None,
    }
    return values | {
        "spend_limit": spend.limit if spend else None,
        "spend_used": spend.used if spend else None,
        "spend_unit": spend.unit if spend else None,
    }


def _rises(used: Sequence[float | None]) -> list[float]:
    """By how much each reading is above the one before it; 0 after a reset and after a gone
    window.
    """
    return [
        b - a if a is not None and b is not None and b > a else 0.0
        for a, b in zip([None, *used], used, strict=False)
    ]


def rollups(window_id: int, track: Track) -> Iterator[tuple[Any, ...]]:
    """The rollup rows of all spans, each span in the order of time."""
    rise = _rises(track.used)
    for span in SPANS:
        low = 0
        while low < len(track.at):
            slot = track.at[low] - track.at[low] % span
            high = bisect_left(track.at, slot + span, low)
            known = [u for u in track.used[low:high] if u is not None]
            first, least, most = (known[0], min(known), max(known)) if known else (None, None, None)
            last = (track.used[high - 1], track.at[high - 1], track.resets_at[high - 1])
            yield (
                span,
                window_id,
                slot,
                first,
                least,
                most,
                *last,
                sum(rise[low:high]),
                len(known),
            )
            low = high


def _insert(
    conn: Connection, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]
) -> None:
    """Hand rows to the driver as they are: building a statement's parameters by name costs more
    than writing them.
    """
    place = "?" if conn.dialect.name == "sqlite" else "%s"
    names = ", ".join(f'"{c}"' for c in columns)
    statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join([place] * len(columns))})"  # noqa: S608  our own names
    while chunk := [row for _, row in zip(range(CHUNK), rows, strict=False)]:
        conn.exec_driver_sql(statement, chunk)


def count(conn: Connection) -> int:
    """How many demo accounts there are, those included that somebody deleted since."""
    return int(
        conn.execute(
            select(func.count()).select_from(account).where(account.c.origin == DEMO)
        ).scalar_one()
    )


def remove_one(conn: Connection) -> bool:
    """Delete one demo account with everything that belongs to it; whether there was one."""
    found = conn.execute(
        select(account.c.id).where(account.c.origin == DEMO).order_by(account.c.id).limit(1)
    ).scalar()
    if found is None:
        return False
    windows = list(
        conn.execute(select(limit_window.c.id).where(limit_window.c.account_id == found)).scalars()
    )
    conn.execute(delete(reading).where(reading.c.window_id.in_(windows)))
    conn.execute(delete(rollup).where(rollup.c.span.in_(SPANS), rollup.c.window_id.in_(windows)))
    for table in (limit_window, account_fact, attempt):
        conn.execute(delete(table).where(table.c.account_id == found))
    conn.execute(delete(account).where(account.c.id == found))
    return True
