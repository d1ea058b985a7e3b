"""Reads what is known of accounts now: the latest value on each window's row, and the newest facts.

The cost does not grow with the history: neither query looks at a reading.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

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
    found: dict[int, list[KnownWindow]] = defaultdict(list)
    for row in conn.execute(_WINDOWS, {"ids": account_ids}).all():
        id, account_id, key, name, length_s, used, resets_at, taken_at, limit, spent, unit, gone_at, rose_at = row
        spend = Spend(limit, spent, unit) if limit is not None or spent is not None else None
        reading = Reading(key, used or 0.0, resets_at, length_s, name, spend)
        found[account_id].append(KnownWindow(id, account_id, reading, taken_at, gone_at, rose_at))
    return found


def facts(conn: Connection, account_ids: Sequence[int]) -> dict[int, Facts]:
    """The newest facts of these accounts, by account id; an account without a snapshot has none."""
    rows = conn.execute(_FACTS, {"ids": account_ids}).all()
    return {
        account_id: Facts(plan, allowed, limit_reached, reached_type, spend_reached, _credits(credits), reset_credits)
        for account_id, plan, allowed, limit_reached, reached_type, spend_reached, credits, reset_credits in rows
    }


def _credits(stored: str | None) -> Credits | None:
    return Credits(**json.loads(stored)) if stored else None


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)


def _windows() -> Select[Any]:
    w = limit_window.c
    said = (w.upstream_name, w.length_s, w.used_percent, w.resets_at, w.taken_at, w.spend_limit, w.spend_used, w.spend_unit, w.gone_at, w.rose_at)
    return select(w.id, w.account_id, w.key, *said).where(w.account_id.in_(_IDS)).order_by(w.id)


def _facts() -> Select[Any]:
    f, every = account_fact.c, account_fact.alias()
    newest = select(func.max(every.c.since)).where(every.c.account_id == account.c.id).scalar_subquery()
    columns = (f.account_id, f.plan, f.allowed, f.limit_reached, f.reached_type, f.spend_reached, f.credits, f.reset_credits)
    joined = account.join(account_fact, (f.account_id == account.c.id) & (f.since == newest))
    return select(*columns).select_from(joined).where(account.c.id.in_(_IDS))


_WINDOWS, _FACTS = _windows(), _facts()
