"""Reads what is known of accounts now: the latest value on each window's row, and the newest facts.

The cost does not grow with the history: neither query looks at a reading.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from quota_web.quota import Credits, Facts, Reading, Spend
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


def windows(conn: Connection, account_ids: Sequence[int]) -> dict[int, list[KnownWindow]]:
    """Every window these accounts ever had, by account id, in the order in which they were first seen."""
    w = limit_window.c
    query = select(
        w.id,
        w.account_id,
        w.key,
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
    found: dict[int, list[KnownWindow]] = defaultdict(list)
    for row in conn.execute(query.where(w.account_id.in_(account_ids)).order_by(w.id)):
        found[row.account_id].append(_window(row))
    return found


def _window(row: Any) -> KnownWindow:
    has_spend = row.spend_limit is not None or row.spend_used is not None
    spend = Spend(row.spend_limit, row.spend_used, row.spend_unit) if has_spend else None
    reading = Reading(row.key, row.used_percent or 0.0, row.resets_at, row.length_s, row.upstream_name, spend)
    return KnownWindow(row.id, row.account_id, reading, row.taken_at, row.gone_at, row.rose_at)


def facts(conn: Connection, account_ids: Sequence[int]) -> dict[int, Facts]:
    """The newest facts of these accounts, by account id; an account without a snapshot has none."""
    f = account_fact.c
    every = account_fact.alias()
    newest = select(func.max(every.c.since)).where(every.c.account_id == account.c.id).scalar_subquery()
    query = select(f.account_id, f.plan, f.allowed, f.limit_reached, f.reached_type, f.spend_reached, f.credits, f.reset_credits)
    rows = conn.execute(
        query.select_from(account.join(account_fact, (f.account_id == account.c.id) & (f.since == newest))).where(account.c.id.in_(account_ids))
    )
    return {
        row.account_id: Facts(row.plan, row.allowed, row.limit_reached, row.reached_type, row.spend_reached, _credits(row.credits), row.reset_credits)
        for row in rows
    }


def _credits(stored: str | None) -> Credits | None:
    return Credits(**json.loads(stored)) if stored else None
