"""Reads what is known of accounts now: the latest value on each window's row, and the newest facts.

The cost does not grow with the history: neither query looks at a reading.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from quota_web.core.quota import Credits, Facts, ModelUsage, Reading, Spend
from quota_web.store.models import account, account_fact, limit_window


@dataclass(frozen=True, slots=True)
class KnownWindow:
    """A window's row: its latest reading and when that was taken."""

    id: int
    account_id: int
    reading: Reading
    taken_at: int | None
    #: When an answer first no longer had it; such a window has no reading.
    gone_at: int | None
    rose_at: int | None


def windows(
    conn: Connection, account_ids: Sequence[int] | None = None
) -> dict[int, list[KnownWindow]]:
    """Every window these accounts (or None: all) ever had, by account id, in the order in which
    they were first seen.
    """
    found: dict[int, list[KnownWindow]] = defaultdict(list)
    for row in _rows(conn, _WINDOWS, _WINDOWS_OF, account_ids):
        found[row[1]].append(_window(*row))
    return found


# Equal rows make equal values, and most rows are as they were at the last look: kept by what stands
# in them, they cannot go stale.
@lru_cache(maxsize=1024)
def _window(id: int, account_id: int, key: str, *said: Any) -> KnownWindow:
    name, length_s, used, resets_at, taken_at, limit, spent, unit, gone_at, rose_at = said
    spend = Spend(limit, spent, unit) if limit is not None or spent is not None else None
    reading = Reading(key, used or 0.0, resets_at, length_s, name, spend)
    return KnownWindow(id, account_id, reading, taken_at, gone_at, rose_at)


def facts(conn: Connection, account_ids: Sequence[int] | None = None) -> dict[int, Facts]:
    """The newest facts of these accounts (or None: all), by account id; an account without a
    snapshot has none.
    """
    rows = _rows(conn, _FACTS, _FACTS_OF, account_ids)
    return {row[0]: _facts_of(tuple(row[1:])) for row in rows}


def facts_over(
    conn: Connection, account_ids: Sequence[int], until: int
) -> dict[int, list[tuple[int, Facts]]]:
    """Since when which facts held, before *until*, oldest first, by account id."""
    found: dict[int, list[tuple[int, Facts]]] = defaultdict(list)
    for account_id, since, *said in conn.execute(_FACTS_OVER, {"ids": account_ids, "until": until}):
        found[account_id].append((since, _facts_of(tuple(said))))
    return found


def _rows(
    conn: Connection, everything: Select[Any], chosen: Select[Any], ids: Sequence[int] | None
) -> Sequence[Any]:
    return (conn.execute(everything) if ids is None else conn.execute(chosen, {"ids": ids})).all()


def plan_since(conn: Connection, account_ids: Sequence[int]) -> dict[int, int]:
    """From when on answers have named the plan that they name now, by account id."""
    f = account_fact.c
    query = select(f.account_id, f.since, f.plan).where(f.account_id.in_(list(account_ids)))
    plans: dict[int, str | None] = {}
    since: dict[int, int] = {}
    for account_id, at, plan in conn.execute(query.order_by(f.account_id, f.since)):
        if account_id not in plans or plans[account_id] != plan:
            plans[account_id], since[account_id] = plan, at
    return since


@lru_cache(maxsize=256)
def _facts_of(said: tuple[Any, ...]) -> Facts:
    plan, allowed, limit_reached, reached_type, spend_reached, credits, reset_credits, models = said
    return Facts(
        plan,
        allowed,
        limit_reached,
        reached_type,
        spend_reached,
        Credits(**json.loads(credits)) if credits else None,
        reset_credits,
        tuple(ModelUsage(**model) for model in json.loads(models)) if models else (),
    )


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)


def _windows() -> Select[Any]:
    w = limit_window.c
    said = (
        w.upstream_name,
        w.length_s,
        w.used_percent,
        w.resets_at,
        w.taken_at,
        w.spend_limit,
        w.spend_used,
        w.spend_unit,
        w.gone_at,
        w.rose_at,
    )
    return select(w.id, w.account_id, w.key, *said).order_by(w.id)


#: What `_facts_of` is made from.
_SAID = (
    account_fact.c.plan,
    account_fact.c.allowed,
    account_fact.c.limit_reached,
    account_fact.c.reached_type,
    account_fact.c.spend_reached,
    account_fact.c.credits,
    account_fact.c.reset_credits,
    account_fact.c.model_usage,
)


def _facts_over() -> Select[Any]:
    f = account_fact.c
    mine = (f.account_id.in_(_IDS), f.since < bindparam("until"))
    return select(f.account_id, f.since, *_SAID).where(*mine).order_by(f.account_id, f.since)


def _facts() -> Select[Any]:
    f, every = account_fact.c, account_fact.alias()
    newest = (
        select(func.max(every.c.since)).where(every.c.account_id == account.c.id).scalar_subquery()
    )
    columns = (f.account_id, *_SAID)
    joined = account.join(account_fact, (f.account_id == account.c.id) & (f.since == newest))
    return select(*columns).select_from(joined)


_WINDOWS, _FACTS = _windows(), _facts().where(account.c.deleted_at.is_(None))
_WINDOWS_OF = _windows().where(limit_window.c.account_id.in_(_IDS))
_FACTS_OF = _facts().where(account.c.id.in_(_IDS))
_FACTS_OVER = _facts_over()
