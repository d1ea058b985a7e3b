"""Banked resets as the upstream lists them. Every function takes the open connection; none
commits.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from quota_web.core.banked_resets import BankedReset, GoneReset
from quota_web.store.database import insert_of
from quota_web.store.models import event
from quota_web.store.reset_credit_tables import reset_credit, reset_credit_list

_r, _l = reset_credit.c, reset_credit_list.c
_LISTED = select(_r.account_id, *(_r[name] for name in BankedReset.__slots__)).where(
    _r.gone_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class ListState:
    """When an account's list came last, with the count of then, and the earliest next request."""

    count: int | None = None
    listed_at: int | None = None
    retry_at: int | None = None


def listed(
    conn: Connection, ids: Sequence[int] | None = None
) -> dict[int, tuple[BankedReset, ...]]:
    """What is listed for these accounts (or None: all), those that end first before, by account
    id.
    """
    query = _LISTED.order_by(func.coalesce(_r.expires_at, 1 << 40), _r.credit_hash)
    if ids is not None:
        query = query.where(_r.account_id.in_(bindparam("ids", expanding=True)))
    found: dict[int, list[BankedReset]] = defaultdict(list)
    for account_id, *values in conn.execute(query, {"ids": ids} if ids is not None else {}):
        found[account_id].append(BankedReset(*values))
    return {account_id: tuple(resets) for account_id, resets in found.items()}


def gone_since(conn: Connection, account_id: int, since: int) -> tuple[GoneReset, ...]:
    """What was listed for an account and went after *since*, newest first."""
    query = select(*(_r[name] for name in GoneReset.__slots__))
    those = query.where(_r.account_id == account_id, _r.gone_at > since)
    rows = conn.execute(those.order_by(_r.gone_at.desc(), _r.credit_hash))
    return tuple(GoneReset(*row) for row in rows)


def states(conn: Connection, ids: Sequence[int]) -> dict[int, ListState]:
    """How things stand with the lists of these accounts, by account id."""
    query = select(_l.account_id, _l.count, _l.listed_at, _l.retry_at)
    rows = conn.execute(query.where(_l.account_id.in_(ids)))
    return {account_id: ListState(*values) for account_id, *values in rows}


def claim(conn: Connection, account_id: int, before: ListState, until: int) -> bool:
    """Whether the request is ours to send: no other process sends one until *until* then."""
    new = insert_of(conn.dialect.name)(reset_credit_list).values(account_id=account_id)
    conn.execute(new.on_conflict_do_nothing())
    mine = update(reset_credit_list).where(_l.account_id == account_id)
    for name in ListState.__slots__:
        mine = mine.where(_l[name].is_not_distinct_from(getattr(before, name)))
    return conn.execute(mine.values(retry_at=until).returning(_l.account_id)).first() is not None


def note(conn: Connection, account_id: int, state: ListState) -> None:
    """Store what became of a request that was claimed."""
    values = {name: getattr(state, name) for name in ListState.__slots__}
    conn.execute(update(reset_credit_list).where(_l.account_id == account_id).values(**values))


def put(conn: Connection, account_id: int, resets: Iterable[BankedReset], now: int) -> None:
    """Store what is listed; one that was gone is back."""
    for reset in resets:
        values = {name: getattr(reset, name) for name in BankedReset.__slots__[1:]}
        new = insert_of(conn.dialect.name)(reset_credit).values(
            account_id=account_id, credit_hash=reset.credit_hash, first_seen=now, **values
        )
        conn.execute(
            new.on_conflict_do_update(
                index_elements=[_r.account_id, _r.credit_hash],
                set_=values | {"gone_at": None, "gone_how": None},
            )
        )


def end(conn: Connection, account_id: int, gone: Mapping[str, str], now: int) -> None:
    """Note that resets are no longer listed, and how each has gone, by its hash."""
    for credit_hash, how in gone.items():
        conn.execute(
            update(reset_credit)
            .where(_r.account_id == account_id, _r.credit_hash == credit_hash)
            .values(gone_at=now, gone_how=how)
        )


def uses_since(conn: Connection, account_id: int, since: int) -> int:
    """How many banked resets of an account showed to be used after *since*."""
    e = event.c
    query = select(func.count()).select_from(event)
    those = query.where(
        e.account_id == account_id,
        e.kind == "credit_used",
        e.at > since,
        e.withdrawn_at.is_(None),
    )
    return int(conn.execute(those).scalar_one())


def with_rows(conn: Connection, ids: Collection[int]) -> set[int]:
    """Those of these accounts for which something is listed."""
    query = select(_r.account_id).where(_r.gone_at.is_(None), _r.account_id.in_(ids)).distinct()
    return set(conn.execute(query).scalars())
