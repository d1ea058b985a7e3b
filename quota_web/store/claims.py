"""Claims: which run of which process fetches an account at the moment, so that no two do.

Every function takes the open connection; none commits.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.store.models import account, site_state

_IDS: Any = bindparam("ids", expanding=True)


def take(conn: Connection, ids: Iterable[int], claim_id: int, now: int, lasts: int) -> list[int]:
    """Claim accounts for this run and return those that were free.

    A claim counts while −CLOCK_SKEW_S ≤ now − claimed_at < *lasts*; one from a future that a clock
    jump took back does not.
    """
    return list(
        conn.execute(
            _CLAIM, {"ids": list(ids), "claim": claim_id, "now": now, **_span(now, lasts)}
        ).scalars()
    )


def _span(now: int, lasts: int) -> dict[str, int]:
    """Claims from after `since` until `until` count."""
    return {"since": now - lasts, "until": now + CLOCK_SKEW_S}


def _claim() -> Any:
    a = account.c
    free = (
        a.claim_id.is_(None)
        | (a.claimed_at > bindparam("until"))
        | (a.claimed_at <= bindparam("since"))
    )
    taken = update(account).where(a.id.in_(_IDS), a.deleted_at.is_(None), free)
    return taken.values(claim_id=bindparam("claim"), claimed_at=bindparam("now")).returning(a.id)


_CLAIM = _claim()


def live(conn: Connection, now: int, lasts: int) -> int:
    """How many accounts are claimed now, by any process; other processes wait until the
    transaction ends, so that none counts too few.
    """
    if conn.dialect.name != "sqlite":
        # SQLite has one writer anyway.
        conn.execute(select(site_state.c.id).with_for_update())
    return int(conn.execute(_LIVE, _span(now, lasts)).scalar_one())


_LIVE = (
    select(func.count())
    .select_from(account)
    .where(
        account.c.claim_id.is_not(None),
        account.c.claimed_at <= bindparam("until"),
        account.c.claimed_at > bindparam("since"),
    )
)


def renew(conn: Connection, claim_id: int, now: int) -> None:
    """Let this run's claims last from *now* on."""
    conn.execute(update(account).where(account.c.claim_id == claim_id).values(claimed_at=now))


def release(conn: Connection, claim_id: int, ids: Iterable[int] | None = None) -> None:
    """Give claims of this run back without a result."""
    mine = update(account).where(account.c.claim_id == claim_id)
    if ids is not None:
        mine = mine.where(account.c.id.in_(list(ids)))
    conn.execute(mine.values(claim_id=None, claimed_at=None))
