"""What attempts came to: all together, for counters that only ever grow, and each account's
failures of late.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, true, update

from quota_web.core.quota import Status
from quota_web.store.accounts import Account
from quota_web.store.models import account, attempt, setting

#: The setting that holds what deleted attempts came to.
_TOTALS = "attempts_gone"


@dataclass(frozen=True, slots=True)
class AttemptTotal:
    """How many attempts, and the milliseconds they took."""

    count: int = 0
    ms_sum: int = 0


@dataclass(frozen=True, slots=True)
class AttemptRun:
    """A run of equal attempts: when the first and the last of them were made, and how many."""

    first_at: int
    last_at: int
    status: str
    count: int = 1


def runs(
    conn: Connection, account_ids: Sequence[int], start: int, end: int
) -> dict[int, list[AttemptRun]]:
    """The runs of attempts that began in [start, end), and the last one before, by account id,
    oldest first.
    """
    found: dict[int, list[AttemptRun]] = defaultdict(list)
    values = {"ids": list(account_ids), "start": start, "end": end}
    for account_id, *run in conn.execute(_RUNS, values):
        found[account_id].append(AttemptRun(*run))
    return found


def totals(conn: Connection) -> dict[str, AttemptTotal]:
    """Attempts and their milliseconds by status, those that were deleted since included."""
    sums = _totals_gone(conn)
    _add_sums(conn, sums, true())
    return sums


def _add_sums(
    conn: Connection, totals: dict[str, AttemptTotal], chosen: ColumnElement[bool]
) -> bool:
    """Add the chosen attempts to *totals*; False where there are none."""
    a = attempt.c
    sums = select(a.status, func.sum(a.count), func.sum(a.ms_sum)).where(chosen).group_by(a.status)
    rows = conn.execute(sums).all()
    for status, count, ms_sum in rows:
        before = totals.get(status, AttemptTotal())
        totals[status] = AttemptTotal(before.count + int(count), before.ms_sum + int(ms_sum))
    return bool(rows)


def _totals_gone(conn: Connection) -> dict[str, AttemptTotal]:
    stored = conn.execute(select(setting.c.value).where(setting.c.key == _TOTALS)).scalar()
    return {status: AttemptTotal(*both) for status, both in json.loads(stored or "{}").items()}


def add_to_totals(conn: Connection, going: ColumnElement[bool]) -> None:
    """Add the attempts that are about to be deleted to the totals."""
    totals = _totals_gone(conn)
    added = _add_sums(conn, totals, going)
    if not added:
        return
    value = json.dumps({status: [total.count, total.ms_sum] for status, total in totals.items()})
    stored = conn.execute(update(setting).where(setting.c.key == _TOTALS).values(value=value))
    if stored.rowcount == 0:
        conn.execute(insert(setting).values(key=_TOTALS, value=value))


def failing_since(conn: Connection, accounts: Iterable[Account]) -> dict[int, int]:
    """For those of *accounts* that failed since they last answered, by id: the first time they did.

    Nothing is read while all of them answer, which is most of the time.
    """
    failing = [a.id for a in accounts if a.status not in (Status.OK, Status.PENDING)]
    if not failing:
        return {}
    rows = conn.execute(_FAILING.where(account.c.id.in_(failing)))
    return {row.id: row.first_at for row in rows if row.first_at is not None}


# One search an account: a join would walk through the attempts of all.
_FAILING = select(
    account.c.id,
    select(func.min(attempt.c.first_at))
    .where(
        attempt.c.account_id == account.c.id,
        attempt.c.status != Status.OK,
        attempt.c.first_at >= func.coalesce(account.c.taken_at, 0),
    )
    .scalar_subquery()
    .label("first_at"),
)


def _runs() -> Any:
    a, earlier = attempt.c, attempt.alias("earlier_run")
    ids: Any = bindparam("ids", expanding=True)
    before = (
        select(func.max(earlier.c.first_at))
        .where(earlier.c.account_id == account.c.id, earlier.c.first_at < bindparam("start"))
        .scalar_subquery()
    )
    since = func.coalesce(before, bindparam("start"))
    mine = (a.account_id == account.c.id) & (a.first_at >= since)
    return (
        select(a.account_id, a.first_at, a.last_at, a.status, a.count)
        .select_from(account.join(attempt, mine))
        .where(account.c.id.in_(ids), a.first_at < bindparam("end"))
        .order_by(a.account_id, a.first_at)
    )


_RUNS = _runs()
