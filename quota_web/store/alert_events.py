"""Events that are alerts: written once by their key, and found among those that readings showed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from quota_web.store.database import insert_of
from quota_web.store.event_log import LoggedEvent, logged
from quota_web.store.models import cycle, event, limit_window

#: The actor of what was judged to be an alert.
ACTOR = "alerts"
#: Resets are told at most so long after they came.
_TOLD_WITHIN_S = 2 * 86_400


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An event as it is stored; None for the account where it concerns all of them."""

    kind: str
    account_id: int | None
    window_id: int | None
    window: str | None
    at: int
    #: Equal for what another process told already.
    dedupe: str
    data: Mapping[str, Any] = field(default_factory=dict)


def add(conn: Connection, new: NewAlert) -> LoggedEvent | None:
    """Store an event; None where it was told already."""
    values = {
        "at": new.at,
        "kind": new.kind,
        "actor": ACTOR,
        "account_id": new.account_id,
        "window_id": new.window_id,
        "data": json.dumps(new.data, ensure_ascii=False, separators=(",", ":")),
        "dedupe": new.dedupe,
        "told_at": new.at,
    }
    row = insert_of(conn.dialect.name)(event).values(values)
    row = row.on_conflict_do_nothing(index_elements=["dedupe"]).returning(event.c.id)
    event_id = conn.execute(row).scalar()
    if event_id is None:
        return None
    return LoggedEvent(event_id, new.at, new.kind, new.account_id, new.window, new.data, None)


def is_told(conn: Connection, dedupe: str) -> bool:
    """Whether the event of that key was stored."""
    return conn.execute(select(event.c.id).where(event.c.dedupe == dedupe)).first() is not None


_e, _w = event.c, limit_window.c
_LOGGED = select(
    _e.id, _e.at, _e.kind, _e.account_id, _w.key, _e.data, _e.withdrawn_at
).select_from(event.outerjoin(limit_window, _w.id == _e.window_id))
_STANDING = _LOGGED.where(_e.withdrawn_at.is_(None))
_TOLD = _STANDING.where(
    _e.at >= bindparam("since"),
    _e.told_at == bindparam("told_at"),
    _e.kind.in_(bindparam("kinds", expanding=True)),
    # `+ 0`: by their moments, as in event_log.py, and not by the index of accounts.
    (_e.account_id + 0).in_(bindparam("ids", expanding=True)) | _e.account_id.is_(None),
)
_NEWEST = (
    _STANDING.where(_e.account_id == bindparam("account_id"), _e.kind == bindparam("kind"))
    .order_by(_e.id.desc())
    .limit(1)
)


def told(
    conn: Connection, kinds: Sequence[str], account_ids: Sequence[int], at: int
) -> list[LoggedEvent]:
    """Events of these kinds that readings showed at that moment: those of these accounts, and
    those that came to all.
    """
    asked = {"since": at - _TOLD_WITHIN_S, "told_at": at, "kinds": kinds, "ids": account_ids}
    # Sorted here: for the order of ids SQLite would walk through all events.
    return sorted((logged(*row) for row in conn.execute(_TOLD, asked).all()), key=lambda e: e.id)


def newest(conn: Connection, account_id: int, kind: str) -> LoggedEvent | None:
    """The newest event of a kind that stands."""
    row = conn.execute(_NEWEST, {"account_id": account_id, "kind": kind}).first()
    return None if row is None else logged(*row)


def used_at_resets(conn: Connection, ends: Sequence[int]) -> float:
    """The most that was used in a cycle that ended by a reset for all at one of these moments."""
    used = select(func.max(cycle.c.used_at_reset)).where(cycle.c.how == "provider")
    return conn.execute(used.where(cycle.c.ended_at.in_(ends))).scalar() or 0.0
