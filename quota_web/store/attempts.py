"""What attempts came to: all together, for counters that only ever grow, and each account's
failures of late.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from quota_web.core.quota import Status
from quota_web.maintenance.prune_rows import Total, totals_gone
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


def failing_since(conn: Connection, account_ids: Sequence[int] | None = None) -> dict[int, int]:
    """For these accounts (or None: all) that failed since they last answered, the first time they
    did.
    """
    query = _FAILING if account_ids is None else _FAILING.where(account.c.id.in_(account_ids))
    return {row.account_id: row.first_at for row in conn.execute(query)}


_FAILING = (
    select(attempt.c.account_id, func.min(attempt.c.first_at).label("first_at"))
    .join(account, account.c.id == attempt.c.account_id)
    .where(
        account.c.deleted_at.is_(None),
        account.c.status.not_in((Status.OK, Status.PENDING)),
        attempt.c.status != Status.OK,
        attempt.c.first_at >= func.coalesce(account.c.taken_at, 0),
    )
    .group_by(attempt.c.account_id)
)
