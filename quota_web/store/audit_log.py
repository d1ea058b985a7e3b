"""What happened and which actor did it: the audit.

Values, above all tokens, are never stored here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from quota_web.store.models import event


@dataclass(frozen=True, slots=True)
class AuditEvent:
    at: int
    kind: str
    actor: str
    account_id: int | None
    data: Mapping[str, str | int]


def add(
    conn: Connection,
    at: int,
    kind: str,
    actor: str,
    account_id: int | None = None,
    **data: str | int,
) -> None:
    """Note one event in the transaction of the act itself, so that neither is there without the
    other.
    """
    conn.execute(
        insert(event).values(
            at=at,
            kind=kind,
            actor=actor[:120],
            account_id=account_id,
            data=json.dumps(data, ensure_ascii=False),
        )
    )


def is_any_since(conn: Connection, kinds: Sequence[str], since: int) -> bool:
    """Whether one of *kinds* was seen from *since* on, and not withdrawn."""
    those = event.c.kind.in_(list(kinds)) & (event.c.at >= since) & event.c.withdrawn_at.is_(None)
    return conn.execute(select(event.c.id).where(those).limit(1)).first() is not None


def newest(conn: Connection, limit: int = 50) -> list[AuditEvent]:
    rows = conn.execute(
        select(event.c.at, event.c.kind, event.c.actor, event.c.account_id, event.c.data)
        .order_by(event.c.id.desc())
        .limit(limit)
    )
    return [
        AuditEvent(row.at, row.kind, row.actor, row.account_id, json.loads(row.data or "{}"))
        for row in rows
    ]
