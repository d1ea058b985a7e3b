"""Takes history away: what is old, by command or by the retention setting, and what belonged to
deleted accounts. In small pieces, so that another writer waits for milliseconds only.

Rollups of what is old stay. What the attempts that go came to is added to a running total, so that
counters never fall.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select, true

from quota_web import store
from quota_web.store.detected_events import ACTOR
from quota_web.store.models import (
    account,
    attempt,
    event,
    limit_window,
    reading,
    rollup,
)

#: Rows a transaction: a writer that waits for it waits for some milliseconds.
CHUNK = 2_000
PAUSE = 0.005
DAY = 86_400

_Drop = Callable[[Connection, int, int, int], int]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    #: Everything before this moment, the start of a day in UTC.
    before: int
    readings: int
    attempts: int


def prune(
    before: int, now: int, actor: str, is_stopped: Callable[[], bool] = lambda: False
) -> Pruned:
    """Delete raw readings, attempts and what became of alerts from before the day of *before*; the
    rollups of the readings stay. What was done when it stops stays done.

    Whole days go, so that every rollup has either all of its readings or none: it could not be made
    anew from a part.
    """
    start = before - before % DAY
    with store.database.reading() as conn:
        windows, accounts = _window_ids(conn), _account_ids(conn)
    readings = _in_chunks(_drop_readings, windows, start, is_stopped)
    attempts = _in_chunks(_drop_attempts, accounts, start, is_stopped)
    with store.database.transaction() as tx:
        store.deliveries.delete_old(tx, start)
    if readings or attempts:
        with store.database.transaction() as tx:
            store.audit_log.add(
                tx, now, "history_pruned", actor, before=start, readings=readings, attempts=attempts
            )
            store.site_state.bump_version(tx, now)
    return Pruned(start, readings, attempts)


def _in_chunks(drop: _Drop, ids: Sequence[int], before: int, is_stopped: Callable[[], bool]) -> int:
    gone = 0
    for owner in ids:
        dropped = CHUNK
        while dropped >= CHUNK and not is_stopped():
            with store.database.transaction() as tx:
                dropped = drop(tx, owner, before, CHUNK)
            gone += dropped
            if dropped >= CHUNK:
                time.sleep(PAUSE)
    return gone


def purge_deleted(is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete the history of accounts that were deleted; returns how many rows went."""
    gone = 0
    while not is_stopped():
        with store.database.reading() as conn:
            account_id = _deleted_account(conn)
        if account_id is None:
            break
        with store.database.transaction() as tx:
            gone += _drop_deleted(tx, account_id, CHUNK)
        time.sleep(PAUSE)
    return gone


def _window_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(limit_window.c.id).order_by(limit_window.c.id)).scalars())


def _account_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(account.c.id).order_by(account.c.id)).scalars())


def _drop_readings(conn: Connection, window_id: int, before: int, limit: int) -> int:
    """Delete up to about *limit* of a window's oldest readings from before that moment; returns how
    many went.
    """
    return _drop_oldest(
        conn, reading, reading.c.window_id == window_id, reading.c.taken_at, before, limit
    )


def _drop_attempts(conn: Connection, account_id: int, before: int, limit: int) -> int:
    """The same for an account's attempts.

    A run of equal ones that went on after that moment, or still goes on, stays whole.
    """
    going_on = (
        select(func.coalesce(account.c.run_first_at, -1))
        .where(account.c.id == account_id)
        .scalar_subquery()
    )
    return _drop_attempts_where(
        conn, account_id, (attempt.c.last_at < before) & (attempt.c.first_at != going_on), limit
    )


def _drop_attempts_where(
    conn: Connection, account_id: int, those: ColumnElement[bool], limit: int
) -> int:
    a = attempt.c
    whole = (a.account_id == account_id) & those
    oldest = select(a.first_at).where(whole).order_by(a.first_at).limit(limit).subquery()
    chosen = whole & a.first_at.in_(select(oldest.c.first_at))
    store.attempts.add_to_totals(conn, chosen)
    return int(conn.execute(attempt.delete().where(chosen)).rowcount)


def _drop_oldest(
    conn: Connection, table: Table, mine: ColumnElement[bool], at: Any, before: int, limit: int
) -> int:
    # A table without row ids has no DELETE … LIMIT: the moment to cut at is looked up first, along
    # the same key.
    cut = conn.execute(
        select(at).where(mine, at < before).order_by(at).offset(limit).limit(1)
    ).scalar()
    return int(
        conn.execute(table.delete().where(mine, at < (before if cut is None else cut))).rowcount
    )


def _deleted_account(conn: Connection) -> int | None:
    """An account that was deleted and whose history is still there."""
    return conn.execute(
        select(account.c.id)
        .where(account.c.deleted_at.is_not(None))
        .order_by(account.c.id)
        .limit(1)
    ).scalar()


def _drop_deleted(conn: Connection, account_id: int, limit: int) -> int:
    """Delete up to about *limit* rows of a deleted account's history, and at the end the account's
    row; returns how many went.
    """
    windows = list(
        conn.execute(
            select(limit_window.c.id).where(limit_window.c.account_id == account_id)
        ).scalars()
    )
    forever = 2**62
    for window_id in windows:
        for table, at in ((reading, reading.c.taken_at), (rollup, rollup.c.slot)):
            gone = _drop_oldest(conn, table, table.c.window_id == window_id, at, forever, limit)
            if gone:
                return gone
    gone = _drop_attempts_where(conn, account_id, true(), limit)
    if gone:
        return gone
    # What its readings showed goes with them; what people did to it is the audit and stays.
    judged = (event.c.account_id == account_id) & (
        event.c.rule.is_not(None) | event.c.actor.in_((ACTOR, store.alert_events.ACTOR))
    )
    gone += store.deliveries.delete_events(conn, judged)
    return gone + store.accounts.delete_rest(conn, account_id, windows)
