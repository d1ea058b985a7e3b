"""Makes what is said of the pool from stored readings, in its stored form."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from sqlalchemy import Connection

from quota_web.core.quota import WEEKLY
from quota_web.foresight.history import DAY, WindowHistory
from quota_web.foresight.making import SHARES, histories_of, rounded_chance
from quota_web.foresight.ordering import Terms
from quota_web.foresight.pool import HORIZON_S, Member, Pool, forecast_pool
from quota_web.foresight.pool_members import LEAST_ACCOUNTS, Members, as_it_stands
from quota_web.store.forecasts import StoredPool
from quota_web.store.windows import KnownWindow

#: A week of which no reading is kept.
UNKNOWN_WEEK = WindowHistory(WEEKLY, 7 * DAY, (), (), ())


def make_pool(
    conn: Connection,
    found: Members,
    windows: Mapping[int, Sequence[KnownWindow]],
    last_used: Mapping[int, int],
    terms: Terms,
    zone: tzinfo | None,
) -> StoredPool | None:
    """What is said of all accounts together; None where there are too few to add up."""
    if len(found.ids) < LEAST_ACCOUNTS:
        return None
    now = terms.now
    weeks = {i: w for i in found.ids for w in windows.get(i, ()) if w.reading.key == WEEKLY}
    histories = histories_of(conn, list(weeks.values()), now, {w.id for w in weeks.values()})
    inside = [
        Member(
            as_it_stands(view, last_used, now),
            histories.get(weeks[view.account.id].id, UNKNOWN_WEEK),
        )
        for view in found.views
    ]
    said = forecast_pool(Pool(inside, terms.need, terms.exchange), now, zone)
    first, _, last = (said.shortfall_in(share) for share in SHARES)
    return StoredPool(
        now,
        found.ids,
        round(said.left_units, 1),
        round(said.full_units, 1),
        HORIZON_S,
        rounded_chance(said.shortfall_probability),
        (first, last),
        left_out=tuple(view.account.id for view in found.left_out),
        assumed=found.of_assumed_size,
    )
