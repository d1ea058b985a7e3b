"""What was asked for beside quota. Every function takes the open connection; none commits."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from quota_web.core import faults
from quota_web.core.extra_facts import Extra
from quota_web.store.database import insert_of
from quota_web.store.extra_tables import account_extra
from quota_web.store.models import account

_e = account_extra.c
_FIELDS = (_e.data, _e.taken_at, _e.asked_at, _e.fault_code, _e.fault_data, _e.retry_at)
#: What is stored of a login that the account has no more is not known of the one it has.
_KNOWN = select(_e.account_id, _e.kind, *_FIELDS, _e.wanted_at).join(
    account,
    (account.c.id == _e.account_id) & (account.c.chatgpt_account_id == _e.chatgpt_account_id),
)
#: Faults that are this machine's or the other side's, not one account's.
OF_ALL = ("cloudflare", "country", "rate_limited", "unreachable")


def known(
    conn: Connection, kinds: Collection[str], ids: Sequence[int] | None = None
) -> dict[int, dict[str, Extra]]:
    """What is known of these *kinds* for these accounts (or None: all), by account id and kind."""
    query = _KNOWN.where(_e.kind.in_(kinds))
    if ids is not None:
        query = query.where(_e.account_id.in_(bindparam("ids", expanding=True)))
    found: dict[int, dict[str, Extra]] = defaultdict(dict)
    for account_id, kind, *values in conn.execute(query, {"ids": ids} if ids is not None else {}):
        found[account_id][kind] = _extra(*values)
    return found


def _extra(
    data: str | None,
    taken_at: int | None,
    asked_at: int | None,
    fault_code: str | None,
    fault_data: str | None,
    *times: int | None,
) -> Extra:
    fault = faults.stored(fault_code, fault_data)
    return Extra(json.loads(data) if data else None, taken_at, asked_at, fault, *times)


def wanted(conn: Connection, kinds: Collection[str]) -> list[int]:
    """The accounts for which a person wants one of these *kinds* asked for again."""
    query = select(_e.account_id).where(_e.wanted_at.is_not(None), _e.kind.in_(kinds))
    return list(conn.execute(query.distinct()).scalars())


def rests_until(conn: Connection, kind: str) -> int | None:
    """Until when this kind is asked for none by itself, because of what concerns all."""
    query = select(func.max(_e.retry_at)).where(_e.kind == kind, _e.fault_code.in_(OF_ALL))
    return conn.execute(query).scalar_one()  # type: ignore[no-any-return]


def claim(
    conn: Connection, account_id: int, kind: str, login_id: str, before: Extra, now: int
) -> bool:
    """Whether the request is ours to send: *before* is what was known, and no other process has
    sent one since. What was stored of another login than *login_id* goes.
    """
    new = insert_of(conn.dialect.name)(account_extra).values(
        account_id=account_id, kind=kind, chatgpt_account_id=login_id
    )
    blank = dict.fromkeys(("data", "taken_at", "asked_at", "fault_code", "retry_at", "wanted_at"))
    conn.execute(
        new.on_conflict_do_update(
            index_elements=[_e.account_id, _e.kind],
            set_=blank | {"chatgpt_account_id": login_id},
            where=_e.chatgpt_account_id != login_id,
        )
    )
    mine = update(account_extra).where(_e.account_id == account_id, _e.kind == kind)
    mine = mine.where(_e.asked_at.is_not_distinct_from(before.asked_at))
    return conn.execute(mine.values(asked_at=now).returning(_e.kind)).first() is not None


def put(conn: Connection, account_id: int, kind: str, extra: Extra) -> None:
    """Store how a request that was claimed went."""
    _set(
        conn,
        account_id,
        kind,
        data=None if extra.data is None else json.dumps(dict(extra.data)),
        taken_at=extra.taken_at,
        fault_code=extra.fault.code if extra.fault else None,
        fault_data=extra.fault.data_json() if extra.fault else None,
        retry_at=extra.retry_at,
        wanted_at=extra.wanted_at,
    )


def want(conn: Connection, account_id: int, kind: str, login_id: str, now: int) -> None:
    """Note that a person wants it asked for again."""
    new = insert_of(conn.dialect.name)(account_extra).values(
        account_id=account_id, kind=kind, chatgpt_account_id=login_id
    )
    conn.execute(new.on_conflict_do_nothing())
    _set(conn, account_id, kind, wanted_at=now)


def _set(conn: Connection, account_id: int, kind: str, **values: Any) -> None:
    those = update(account_extra).where(_e.account_id == account_id, _e.kind == kind)
    conn.execute(those.values(**values))
