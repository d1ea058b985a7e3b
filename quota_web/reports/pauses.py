"""When accounts were paused, by the events of people who paused and resumed them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from quota_web import store
from quota_web.store.accounts import Account
from quota_web.store.event_log import EventQuery, LoggedEvent

KINDS = ("account_paused", "account_resumed")
#: So many pauses and resumptions of all accounts are looked at, the newest.
MOST = 2_000

#: From when to when.
Span = tuple[int, int]


def pauses(conn: Connection, accounts: Sequence[Account], now: int) -> dict[int, list[Span]]:
    """When each of these accounts was paused, oldest first, by its id; one that is paused is so
    until *now*.
    """
    ids = [a.id for a in accounts]
    asked = EventQuery(KINDS, ids, with_all=False)
    told: dict[int, list[LoggedEvent]] = {}
    for one in store.event_log.latest(conn, asked, MOST):
        told.setdefault(one.account_id or 0, []).insert(0, one)
    found = {a.id: _spans(told.get(a.id, ()), a.paused_at, now) for a in accounts}
    return {account_id: spans for account_id, spans in found.items() if spans}


def _spans(told: Sequence[LoggedEvent], paused_at: int | None, now: int) -> list[Span]:
    spans: list[Span] = []
    since: int | None = None
    for one in told:
        if one.kind == KINDS[0]:
            since = one.at if since is None else since
        elif since is not None:
            spans.append((since, one.at))
            since = None
    if paused_at is not None:
        spans.append((paused_at if since is None else since, max(now, paused_at) + 1))
    return spans
