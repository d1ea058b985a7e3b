"""What is known to have been told of each account: read, and written where nothing else did
meanwhile.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from quota_web.store.alert_tables import alert_state
from quota_web.store.database import insert_of

#: The account of what concerns all of them.
SITE = 0

#: The columns beside the key: level, episode, open_since, armed, seen_at, seen_value.
_VALUES = ("level", "episode", "open_since", "armed", "seen_at", "seen_value")
Values = tuple[Any, ...]
#: A window's key (or another text, or "") and the kind.
Key = tuple[str, str]

_a = alert_state.c
_ALL = select(_a.account_id, _a.window_key, _a.kind, *(_a[name] for name in _VALUES))
_SOME = _ALL.where(_a.account_id.in_(bindparam("ids", expanding=True)))


def load(
    conn: Connection, account_ids: Sequence[int] | None = None
) -> dict[int, dict[Key, Values]]:
    """The values of `_VALUES` of these accounts (or None: all), by account id and key."""
    rows = conn.execute(_ALL) if account_ids is None else conn.execute(_SOME, {"ids": account_ids})
    found: dict[int, dict[Key, Values]] = defaultdict(dict)
    for account_id, window_key, kind, *values in rows.all():
        found[account_id][window_key, kind] = tuple(values)
    return found


def put(conn: Connection, account_id: int, key: Key, before: Values | None, after: Values) -> bool:
    """Let a state that was *before* (None: not there) be *after*; False where it is another one by
    now, since another process judged the same.
    """
    mine = {"account_id": account_id, "window_key": key[0], "kind": key[1]}
    values = dict(zip(_VALUES, after, strict=True))
    if before is None:
        new = insert_of(conn.dialect.name)(alert_state).values(mine | values)
        row = conn.execute(new.on_conflict_do_nothing().returning(_a.account_id)).first()
        return row is not None
    query = update(alert_state).values(values)
    for name, value in [*mine.items(), *zip(_VALUES, before, strict=True)]:
        query = query.where(_a[name].is_not_distinct_from(value))
    return conn.execute(query).rowcount > 0


def count_open(conn: Connection) -> Mapping[str, int]:
    """How many alerts of each kind are open, by kind."""
    query = select(_a.kind, func.count()).where(_a.open_since.is_not(None)).group_by(_a.kind)
    return {row[0]: row[1] for row in conn.execute(query)}
