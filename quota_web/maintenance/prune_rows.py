"""Takes history away in small pieces, so that nobody waits long for the database: what is old, and
what belonged to deleted accounts.

Rollups of what is old stay. What the attempts that go came to is added to a running total, so that
counters never fall.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select, true, update

from quota_web.store.models import (
    account,
    account_fact,
    attempt,
    credential,
    limit_window,
    reading,
    rollup,
    setting,
)

_TOTALS = "attempts_gone"


@dataclass(frozen=True, slots=True)
class Total:
    """Attempts that are no longer stored one by one."""

    count: int = 0
    ms_sum: int = 0


def window_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(limit_window.c.id).order_by(limit_window.c.id)).scalars())


def account_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(account.c.id).order_by(account.c.id)).scalars())


def drop_readings(conn: Connection, window_id: int, before: int, limit: int) -> int:
    """Delete up to about *limit* of a window's oldest readings from before that moment; returns how
    many went.
    """
    return _drop_oldest(
        conn, reading, reading.c.window_id == window_id, reading.c.taken_at, before, limit
    )


def drop_attempts(conn: Connection, account_id: int, before: int, limit: int) -> int:
    """The same for an account's attempts.

    A run of equal ones that went on after that moment, or still goes on, stays whole.
    """
    going_on = (
        select(func.coalesce(account.c.run_first_at, -1))
        .where(account.c.id == account_id)
        .scalar_subquery()
    )
    return _drop_attempts(
        conn, account_id, (attempt.c.last_at < before) & (attempt.c.first_at != going_on), limit
    )


def _drop_attempts(
    conn: Connection, account_id: int, those: ColumnElement[bool], limit: int
) -> int:
    a = attempt.c
    whole = (a.account_id == account_id) & those
    oldest = select(a.first_at).where(whole).order_by(a.first_at).limit(limit).subquery()
    chosen = whole & a.first_at.in_(select(oldest.c.first_at))
    _keep_totals(conn, chosen)
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


def deleted_account(conn: Connection) -> int | None:
    """An account that was deleted and whose history is still there."""
    return conn.execute(
        select(account.c.id)
        .where(account.c.deleted_at.is_not(None))
        .order_by(account.c.id)
        .limit(1)
    ).scalar()


def drop_deleted(conn: Connection, account_id: int, limit: int) -> int:
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
    gone = _drop_attempts(conn, account_id, true(), limit)
    if gone:
        return gone
    for table in (account_fact, limit_window, credential):
        gone += int(conn.execute(table.delete().where(table.c.account_id == account_id)).rowcount)
    return gone + int(conn.execute(account.delete().where(account.c.id == account_id)).rowcount)


def _keep_totals(conn: Connection, chosen: ColumnElement[bool]) -> None:
    a = attempt.c
    going = conn.execute(
        select(a.status, func.sum(a.count), func.sum(a.ms_sum)).where(chosen).group_by(a.status)
    ).all()
    if not going:
        return
    totals = totals_gone(conn)
    for status, count, ms_sum in going:
        before = totals.get(status, Total())
        totals[status] = Total(before.count + int(count), before.ms_sum + int(ms_sum))
    value = json.dumps({status: [total.count, total.ms_sum] for status, total in totals.items()})
    if (
        conn.execute(update(setting).where(setting.c.key == _TOTALS).values(value=value)).rowcount
        == 0
    ):
        conn.execute(insert(setting).values(key=_TOTALS, value=value))


def totals_gone(conn: Connection) -> dict[str, Total]:
    """What the attempts that were deleted came to, by status."""
    stored = conn.execute(select(setting.c.value).where(setting.c.key == _TOTALS)).scalar()
    return {status: Total(*numbers) for status, numbers in json.loads(stored or "{}").items()}
