"""What the judges of windows and accounts keep between readings: read and written as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, func, select

from quota_web.store.database import insert_of, is_sqlite
from quota_web.store.many_rows import run_many
from quota_web.store.models import (
    account,
    account_fact,
    account_state,
    limit_window,
    rollup,
    window_state,
)
from quota_web.store.models import reading as reading_table
from quota_web.store.rollups import SPANS


@dataclass(frozen=True, slots=True)
class WindowState:
    """A window and what its judge keeps; None for *at* and *state* where nothing was judged."""

    window_id: int
    account_id: int
    key: str
    length_s: int | None
    #: When its window was gone from an answer first, and its newest reading.
    gone_at: int | None
    taken_at: int | None
    at: int | None
    state: str | None
    #: What is kept of its account's facts.
    facts: str | None


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)
_STATES = (
    select(
        limit_window.c.id,
        limit_window.c.account_id,
        limit_window.c.key,
        limit_window.c.length_s,
        limit_window.c.gone_at,
        limit_window.c.taken_at,
        window_state.c.at,
        window_state.c.state,
        account_state.c.facts,
    )
    .select_from(
        limit_window.join(account, account.c.id == limit_window.c.account_id)
        .outerjoin(window_state, window_state.c.window_id == limit_window.c.id)
        .outerjoin(account_state, account_state.c.account_id == account.c.id)
    )
    .where(account.c.deleted_at.is_(None))
    .order_by(limit_window.c.id)
)
_SOME_STATES = _STATES.where(account.c.id.in_(_IDS))
# Ordered, so that two processes do not wait for each other.
_LOCK = select(limit_window.c.id).order_by(limit_window.c.id).with_for_update()
_LOCK_SOME = _LOCK.where(limit_window.c.account_id.in_(_IDS))


def states(
    conn: Connection, account_ids: Sequence[int] | None = None, *, lock: bool = False
) -> list[WindowState]:
    """Every window of these accounts (or None: all); deleted accounts have none.

    With *lock* no other process may judge them before the transaction ends.
    """
    query, lock_query = _STATES, _LOCK
    if account_ids is not None:
        query, lock_query = _SOME_STATES, _LOCK_SOME
    # SQLite has one writer anyway.
    if lock and not is_sqlite(conn):
        # In a statement of its own: one that waited for a lock goes on with the states that were
        # there when it began, and would take back what the other process had judged.
        conn.execute(lock_query, _ids(account_ids)).all()
    return [WindowState(*row) for row in conn.execute(query, _ids(account_ids)).all()]


def _ids(account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {} if account_ids is None else {"ids": list(account_ids)}


def put_states(conn: Connection, rows: Iterable[tuple[int, int, int, str]]) -> None:
    """Write states: window id, moment of the last reading, version of the rules, JSON."""
    names = ("window_id", "at", "rule", "state")
    written = [dict(zip(names, row, strict=True)) for row in rows]
    run_many(conn, _puts(conn.dialect.name)[0], written)


def put_facts(conn: Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Write what is kept of accounts' facts: account id, JSON."""
    written = [{"account_id": account_id, "facts": text} for account_id, text in rows]
    run_many(conn, _puts(conn.dialect.name)[1], written)


@cache
def _puts(dialect: str) -> tuple[Executable, Executable]:
    insert_into = insert_of(dialect)
    window, facts = insert_into(window_state), insert_into(account_state)
    newer = {name: window.excluded[name] for name in ("at", "rule", "state")}
    return (
        window.on_conflict_do_update(index_elements=["window_id"], set_=newer),
        facts.on_conflict_do_update(
            index_elements=["account_id"], set_={"facts": facts.excluded.facts}
        ),
    )


def readings(
    conn: Connection, window_ids: Sequence[int], after: int, until: int, limit: int | None = None
) -> list[tuple[int, int, float | None, int | None]]:
    """Readings of these windows with after < taken_at <= until, in the order of time: window id,
    moment, used percent (None: absent), reset.
    """
    r = reading_table.c
    query = select(r.window_id, r.taken_at, r.used_percent, r.resets_at)
    query = query.where(r.window_id.in_(window_ids), r.taken_at > after, r.taken_at <= until)
    rows = conn.execute(query.order_by(r.taken_at, r.window_id).limit(limit))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def account_facts(
    conn: Connection, account_ids: Sequence[int], after: int, until: int
) -> list[tuple[int, int, str | None, int | None]]:
    """Plans and counts of banked resets that answers gave from then on: account id, since, plan,
    banked resets.
    """
    f = account_fact.c
    query = select(f.account_id, f.since, f.plan, f.reset_credits)
    query = query.where(f.account_id.in_(account_ids), f.since > after, f.since <= until)
    return [(r[0], r[1], r[2], r[3]) for r in conn.execute(query.order_by(f.since))]


@dataclass(frozen=True, slots=True)
class Extent:
    """From when on a window has raw readings, and whether older ones have been pruned."""

    first_at: int
    is_pruned: bool


def extents(conn: Connection) -> dict[int, Extent]:
    """The extent of each window that has readings, by window id."""
    r, hour, w = reading_table.c, rollup.c, limit_window.c
    first_at = select(func.min(r.taken_at)).where(r.window_id == w.id).scalar_subquery()
    slot = select(func.min(hour.slot)).where(hour.span == SPANS[0], hour.window_id == w.id)
    rows = conn.execute(select(w.id, first_at, slot.scalar_subquery()))
    return {
        window_id: Extent(first, slot is not None and slot + SPANS[0] <= first)
        for window_id, first, slot in rows
        if first is not None
    }
