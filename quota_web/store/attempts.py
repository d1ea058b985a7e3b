"""What all attempts together came to, for counters that only ever grow."""

from sqlalchemy import Connection, func, select

from quota_web.store.models import attempt
from quota_web.store.pruning import Total, totals_gone


def totals(conn: Connection) -> dict[str, Total]:
    """Attempts and their milliseconds by status, those that were deleted since included."""
    a = attempt.c
    sums = totals_gone(conn)
    for status, count, ms_sum in conn.execute(select(a.status, func.sum(a.count), func.sum(a.ms_sum)).group_by(a.status)):
        gone = sums.get(status, Total())
        sums[status] = Total(gone.count + int(count), gone.ms_sum + int(ms_sum))
    return sums
