"""Queries on sign-ins to ChatGPT that are under way. What is secret in them is sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from quota_web.store.accounts import new_id
from quota_web.store.sign_in_tables import sign_in


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in's row. Times are epoch seconds."""

    id: int
    session_hash: str | None
    method: str
    account_id: int | None
    name: str
    device_sealed: bytes | None
    verifier_sealed: bytes | None
    tokens_sealed: bytes | None
    state_hash: str | None
    state_sealed: bytes | None
    user_code: str | None
    interval_s: int
    next_poll_at: int | None
    claim: int | None
    claimed_at: int | None
    created_at: int
    expires_at: int
    outcome: str | None
    code: str | None

    def is_open(self, now: int) -> bool:
        return self.outcome is None and now < self.expires_at


_IS_OPEN = sign_in.c.outcome.is_(None)
# Made once, since each tick asks.
_ANY_OPEN = select(sign_in.c.id).where(_IS_OPEN).limit(1)


def add(conn: Connection, **values: Any) -> int:
    """Add a sign-in; its secrets follow by `update_one`, since they are sealed for its id."""
    return new_id(conn.execute(insert(sign_in).values(values)))


def update_one(conn: Connection, sign_in_id: int, **values: Any) -> None:
    conn.execute(update(sign_in).where(sign_in.c.id == sign_in_id).values(values))


def get(conn: Connection, sign_in_id: int) -> SignIn | None:
    row = conn.execute(select(sign_in).where(sign_in.c.id == sign_in_id)).first()
    return None if row is None else SignIn(*row)


def counts(conn: Connection, since: int, now: int) -> tuple[int, int]:
    """How many are open at *now*, and how many were begun after *since*."""
    c = sign_in.c
    is_open = and_(_IS_OPEN, c.expires_at > now)
    query = select(func.count()).select_from(sign_in)
    return (
        int(conn.execute(query.where(is_open)).scalar_one()),
        int(conn.execute(query.where(c.created_at > since)).scalar_one()),
    )


def due(conn: Connection, now: int) -> Sequence[int]:
    """The open ones by code whose answer may be asked for again."""
    c = sign_in.c
    query = select(c.id).where(_IS_OPEN, c.claim.is_(None), c.next_poll_at <= now)
    return list(conn.execute(query.order_by(c.next_poll_at)).scalars())


def claim_poll(conn: Connection, sign_in_id: int, now: int, pause_s: int) -> bool:
    """Put the next poll off by *pause_s*; True for the one process that may send this one."""
    c = sign_in.c
    taken = conn.execute(
        update(sign_in)
        .where(c.id == sign_in_id, _IS_OPEN, c.claim.is_(None))
        .where(c.next_poll_at <= now, c.expires_at > now)
        .values(next_poll_at=now + pause_s)
    )
    return taken.rowcount == 1


def claim_exchange(conn: Connection, sign_in_id: int, claim: int, now: int) -> bool:
    """Write down that the code is exchanged; True for the one process that may send it."""
    c = sign_in.c
    taken = conn.execute(
        update(sign_in)
        .where(c.id == sign_in_id, _IS_OPEN, c.claim.is_(None), c.expires_at > now)
        .values(claim=claim, claimed_at=now)
    )
    return taken.rowcount == 1


def end(conn: Connection, sign_in_id: int, outcome: str, code: str | None = None) -> bool:
    """Give an open one its outcome and drop its secrets; False where it has one already."""
    ended = conn.execute(
        update(sign_in)
        .where(sign_in.c.id == sign_in_id, _IS_OPEN)
        .values(outcome=outcome, code=code, **_WITHOUT_SECRETS)
    )
    return ended.rowcount == 1


_WITHOUT_SECRETS: dict[str, Any] = {
    "device_sealed": None,
    "verifier_sealed": None,
    "tokens_sealed": None,
    "state_sealed": None,
}


def end_overdue(conn: Connection, now: int, lost_before: int) -> int:
    """End those whose time is over, and those whose exchange was claimed before *lost_before* by a
    process that must have died; returns how many.
    """
    lost = conn.execute(
        update(sign_in)
        .where(_is_lost(lost_before))
        .values(outcome="failed", code="answer_lost", **_WITHOUT_SECRETS)
    ).rowcount
    late = conn.execute(
        update(sign_in)
        .where(_is_late(now))
        .values(outcome="expired", code=None, **_WITHOUT_SECRETS)
    ).rowcount
    return int(lost) + int(late)


def has_overdue(conn: Connection, now: int, lost_before: int) -> bool:
    """Whether `end_overdue` would end any."""
    query = select(sign_in.c.id).where(or_(_is_lost(lost_before), _is_late(now)))
    return conn.execute(query.limit(1)).first() is not None


def _is_lost(before: int) -> ColumnElement[bool]:
    return and_(_IS_OPEN, sign_in.c.claimed_at < before)


def _is_late(now: int) -> ColumnElement[bool]:
    return and_(_IS_OPEN, sign_in.c.claim.is_(None), sign_in.c.expires_at <= now)


def forget(conn: Connection, before: int) -> int:
    """Delete what was begun before that moment."""
    return int(conn.execute(sign_in.delete().where(sign_in.c.created_at < before)).rowcount)


def has_any(conn: Connection) -> bool:
    """Whether any is open, whatever its time."""
    return conn.execute(_ANY_OPEN).first() is not None
