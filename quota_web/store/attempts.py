"""What attempts came to: all together, for counters that only ever grow, and each account's
failures of late.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from quota_web.core.quota import Status
from quota_web.maintenance.prune_rows import Total, totals_gone
from quota_web.store.accounts import Account
from quota_web.store.models import account, attempt


def totals(conn: Connection) -> dict[str, Total]:
    """Attempts and their milliseconds by status, those that were deleted since included."""
    a = attempt.c
    sums = totals_gone(conn)
    for status, count, ms_sum in conn.execute(
        select(a.status, func.sum(a.count), func.sum(a.ms_sum)).group_by(a.status)
    ):
        gone = sums.get(status, Total())
        sums[status] = Total(gone.count + int(count), gone.ms_sum + int(ms_sum))
    return sums


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
