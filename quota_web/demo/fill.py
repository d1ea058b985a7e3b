"""Fills an empty database with invented accounts and their history, and removes them again.

Demo accounts have no credentials and an origin of their own, so nothing is ever sent for them.
Their rows are what `recording.record` would have written reading by reading (a test compares them);
built in Python, a whole account at a time, they are written some ten times as fast.
"""

from collections.abc import Callable, Iterator
from itertools import islice, repeat
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from quota_web import store
from quota_web.core.banked_resets import BankedReset
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadInput
from quota_web.core.quota import Status
from quota_web.demo.generate import DAY, Era, Invented, InventedRun, invent
from quota_web.demo.personas import Persona
from quota_web.demo.tank import Track
from quota_web.foresight import detection_backfill, incremental_detection
from quota_web.store.accounts import DEMO
from quota_web.store.detected_events import ACTOR
from quota_web.store.many_rows import run_many
from quota_web.store.models import (
    account,
    account_fact,
    attempt,
    event,
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


def fill(
    accounts: int,
    days: int,
    now: int,
    *,
    utc_offset_s: int = 0,
    every_s: int | None = None,
    persona: Persona | None = None,
    seed: int = 1,
    told: Callable[[], None] = lambda: None,
) -> int:
    """Invent *accounts* accounts with *days* of history up to *now*; returns how many readings that
    came to.

    Raises BadInput unless the database is empty. Each account has a transaction of its own, so that
    a long filling keeps no other writer waiting; the mark goes first, so that also a filling cut
    short is seen and can be removed.
    """
    with store.database.transaction() as tx:
        if _is_marked(tx):
            raise BadInput(
                "demo", f"the demo data is here already; {COMMAND} demo --remove takes it away"
            )
        if not _is_empty(tx):
            raise BadInput(
                "demo",
                "the database is not empty; demo data only goes into an empty one "
                "(QUOTA_INSTANCE_DIR names another folder)",
            )
        _mark(tx, now)
        # All that is shown is of another origin from here on, as after a restore.
        store.site_state.new_nonce(tx)
        store.site_state.bump_version(tx, now)
    era, readings = Era(now - days * DAY, now, utc_offset_s, every_s), 0
    for number in range(accounts):
        invented = invent(number, era, seed, persona)
        with store.database.transaction() as tx:
            write(tx, invented)
            store.site_state.bump_version(tx, now)
        readings += invented.readings
        told()
    detection_backfill.rebuild(now)
    return readings


def count() -> int:
    """How many demo accounts there are, deleted ones included."""
    with store.database.reading() as conn:
        demo_accounts = select(func.count()).select_from(account).where(account.c.origin == DEMO)
        return int(conn.execute(demo_accounts).scalar_one())


def is_here() -> bool:
    """Whether the database holds demo data."""
    with store.database.reading() as conn:
        return _is_marked(conn)


def remove(now: int, told: Callable[[], None] = lambda: None) -> None:
    """Take all demo data away; accounts of other origins stay as they are.

    Raises BadInput where there is none.
    """
    if not is_here():
        raise BadInput("demo", "there is no demo data here")
    more = True
    while more:
        with store.database.transaction() as tx:
            more = _remove_one(tx)
            if not more:
                unmark(tx)
                store.site_state.new_nonce(tx)
            store.site_state.bump_version(tx, now)
        told()
    store.database.compact()


def _is_empty(conn: Connection) -> bool:
    """Whether no account was ever stored here, deleted ones included."""
    return conn.execute(select(account.c.id).limit(1)).first() is None


def _is_marked(conn: Connection) -> bool:
    return conn.execute(select(setting.c.value).where(setting.c.key == MARK)).first() is not None


def _mark(conn: Connection, now: int) -> None:
    conn.execute(insert(setting).values(key=MARK, value=str(now)))


def unmark(conn: Connection) -> None:
    """Take the mark away, and what was judged of all demo accounts together; what else there is
    is judged again by the next housekeeping.
    """
    conn.execute(delete(setting).where(setting.c.key.in_((MARK, detection_backfill.MARK))))
    of_all = event.c.account_id.is_(None) & (event.c.actor == ACTOR)
    store.deliveries.delete_events(conn, of_all)


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
    _write_turns(conn, account_id, invented)
    last = invented.runs[-1]
    banked = _banked(invented.facts[-1][1].reset_credits or 0, last.last_at)
    store.reset_credits.put(conn, account_id, banked, last.last_at)
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
        # Nothing is ever sent for it.
        next_due_at=None,
        paused_at=last.last_at if invented.is_paused else None,
    )


def _write_turns(conn: Connection, account_id: int, invented: Invented) -> None:
    """That the account came, and when its answers began to fail and came again."""
    add, name, before = store.audit_log.add, invented.name, Status.PENDING
    add(conn, invented.created_at, "account_added", "command line", account_id, name=name)
    for run in invented.runs:
        status = run.fault.status if run.fault else Status.OK
        if (turn := incremental_detection.turn(before, status)) is not None:
            kind, told = turn
            actor = incremental_detection.ACTOR
            add(conn, run.first_at, kind, actor, account_id, status=str(told))
        before = status
    if invented.is_paused:
        at = invented.runs[-1].last_at
        add(conn, at, "account_paused", "command line", account_id, name=name)


def _banked(count: int, at: int) -> Iterator[BankedReset]:
    """So many banked resets that last 30 days: the first ends soon, the others ten days apart."""
    for number in range(count):
        expires_at = at + (2 + 10 * number) * DAY
        yield BankedReset(
            f"demo-{number}", expires_at - 30 * DAY, expires_at, "Full reset (Weekly + 5 hr)"
        )


def _attempt_row(account_id: int, run: InventedRun) -> dict[str, Any]:
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
    _insert_readings(conn, rows)
    made = store.rollups.folded(window_id, track.at, track.used, track.resets_at)
    run_many(conn, store.rollups.INSERT, made)


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
        for at, rise in zip(
            reversed(track.at), reversed(store.rollups.rises(track.used)), strict=True
        )
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


def _insert_readings(conn: Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    """Hand rows to the driver as they are: there are millions, and giving SQLAlchemy each value by
    name costs more than writing it.
    """
    place = "?" if store.database.is_sqlite(conn) else "%s"
    names = ", ".join(f'"{c}"' for c in _READING)
    statement = f"INSERT INTO reading ({names}) VALUES ({', '.join([place] * len(_READING))})"  # noqa: S608  our own names
    while chunk := list(islice(rows, CHUNK)):
        conn.exec_driver_sql(statement, chunk)


def _remove_one(conn: Connection) -> bool:
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
    store.deliveries.delete_events(conn, event.c.account_id == found)
    conn.execute(delete(attempt).where(attempt.c.account_id == found))
    store.accounts.delete_rest(conn, found, windows)
    return True
