"""Events and cycles that were judged from readings: found by their key, added, withdrawn, replaced.

The key of an event (`kind:account:window:at`) is the same however often its readings are judged, so
that what is judged again finds its row, which keeps its id.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from quota_web.store.database import insert_of
from quota_web.store.models import cycle, event

#: The actor of what readings showed.
ACTOR = "readings"
#: The kind of the notice that an event was withdrawn; `data.of` is the event's id.
WITHDRAWN = "withdrawn"
#: Keys a statement; SQLite takes some thousand values at most.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class JudgedEvent:
    """An event as it is stored; None for the account where it came to all of them."""

    kind: str
    account_id: int | None
    window_id: int | None
    at: int
    told_at: int
    withdrawn_at: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        account, window = (self.account_id or "", self.window_id or "")
        return f"{self.kind}:{account}:{window}:{self.at}"


@dataclass(frozen=True, slots=True)
class JudgedCycle:
    """A closed cycle as it is stored."""

    window_id: int
    started_at: int
    ended_at: int
    how: str
    used_at_reset: float
    peak: float
    ran_out_at: int | None
    zero_s: int
    readings: int
    gap_s: int
    is_lower_bound: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored event that has not been withdrawn."""

    id: int
    key: str
    account_id: int | None
    window_id: int | None
    at: int


def put_events(conn: Connection, events: Iterable[JudgedEvent], rule: int) -> int:
    """Add the events that are missing and correct those that are there; returns how many changed.

    What is withdrawn now and was not before gets a notice of it.
    """
    wanted = {e.key: e for e in sorted(events, key=lambda e: e.withdrawn_at is None)}
    there = _there(conn, list(wanted))
    missing = [e for key, e in wanted.items() if key not in there]
    _insert(conn, sorted(missing, key=lambda e: (e.told_at, e.at, e.key)), rule)
    changed = len(missing)
    for key, row in there.items():
        one = wanted[key]
        values: dict[str, Any] = {}
        if (row.withdrawn_at is None) != (one.withdrawn_at is None):
            values["withdrawn_at"] = one.withdrawn_at
        if row.data != (data := _json(one.data)):
            values["data"] = data
        if values:
            conn.execute(update(event).where(event.c.id == row.id).values(**values, rule=rule))
            changed += 1
        if values.get("withdrawn_at") is not None:
            _notice(conn, row.id, one.account_id, one.window_id, values["withdrawn_at"])
    return changed


def _there(conn: Connection, keys: Sequence[str]) -> dict[str, Any]:
    e = event.c
    found: dict[str, Any] = {}
    for some in pieces(keys):
        query = select(e.id, e.dedupe, e.withdrawn_at, e.data).where(e.dedupe.in_(some))
        found |= {row.dedupe: row for row in conn.execute(query)}
    return found


def _insert(conn: Connection, events: Sequence[JudgedEvent], rule: int) -> None:
    rows = [
        {
            "at": e.at,
            "kind": e.kind,
            "actor": ACTOR,
            "account_id": e.account_id,
            "window_id": e.window_id,
            "data": _json(e.data),
            "dedupe": e.key,
            "told_at": e.told_at,
            "withdrawn_at": e.withdrawn_at,
            "rule": rule,
        }
        for e in events
    ]
    if rows:
        # Another process may have told the same at this moment.
        new = insert_of(conn.dialect.name)(event).on_conflict_do_nothing(index_elements=["dedupe"])
        conn.execute(new, rows)


def standing(conn: Connection, since: int, account_ids: Sequence[int] | None) -> list[Standing]:
    """Judged events from after *since* of these accounts, or for None of all and those that came
    to all.
    """
    e = event.c
    query = select(e.id, e.dedupe, e.account_id, e.window_id, e.at).where(
        e.at > since, e.rule.is_not(None), e.withdrawn_at.is_(None)
    )
    if account_ids is not None:
        query = query.where(e.account_id.in_(account_ids))
    return [Standing(*row) for row in conn.execute(query.order_by(e.id))]


def withdraw(conn: Connection, rows: Iterable[Standing], now: int) -> int:
    """Mark events that turned out not to have been so; returns how many."""
    count = 0
    for row in rows:
        e = event.c
        stands = update(event).where(e.id == row.id, e.withdrawn_at.is_(None))
        # Another process may have withdrawn it since it was read.
        if conn.execute(stands.values(withdrawn_at=now)).rowcount:
            _notice(conn, row.id, row.account_id, row.window_id, now)
            count += 1
    return count


def _notice(
    conn: Connection, of: int, account_id: int | None, window_id: int | None, at: int
) -> None:
    conn.execute(
        insert(event).values(
            at=at,
            kind=WITHDRAWN,
            actor=ACTOR,
            account_id=account_id,
            window_id=window_id,
            data=_json({"of": of}),
            told_at=at,
        )
    )


def put_cycles(
    conn: Connection,
    cycles: Iterable[JudgedCycle],
    since: Mapping[int, int],
    rule: int,
    read_from: Mapping[int, int] | None = None,
) -> int:
    """Let the cycles of each window in *since* that ended after that moment be these; returns how
    many rows changed.

    *read_from*: from when on readings are there. A cycle that began before keeps its row.
    """
    wanted = {(c.window_id, c.ended_at): c for c in cycles}
    first = min([c.ended_at - 1 for c in wanted.values()] + list(since.values()), default=0)
    there = _cycles_there(conn, list(since), first)
    gone = [
        row.id
        for (window_id, ended_at), row in there.items()
        if (window_id, ended_at) not in wanted and ended_at > since[window_id]
    ]
    drop_cycles(conn, gone)
    new = [one for key, one in wanted.items() if key not in there]
    changed = len(gone) + len(new)
    for key, one in wanted.items():
        if key in there and _cycle_of(there[key]) != one:
            if there[key].started_at < (read_from or {}).get(one.window_id, 0):
                continue
            values = asdict(one) | {"rule": rule}
            conn.execute(update(cycle).where(cycle.c.id == there[key].id).values(values))
            changed += 1
    _insert_cycles(conn, new, rule)
    return changed


def drop_cycles(conn: Connection, ids: Sequence[int]) -> None:
    """Delete cycles that turned out not to have been."""
    for some in pieces(ids):
        conn.execute(cycle.delete().where(cycle.c.id.in_(some)))


def last_numbers(conn: Connection, window_ids: Sequence[int]) -> dict[int, int]:
    """The number of the newest closed cycle of each of these windows, by its id."""
    query = select(cycle.c.window_id, func.max(cycle.c.number)).group_by(cycle.c.window_id)
    return {
        row[0]: row[1]
        for some in pieces(window_ids)
        for row in conn.execute(query.where(cycle.c.window_id.in_(some)))
    }


def cycle_keys(conn: Connection, window_id: int, since: int) -> dict[int, tuple[int, int]]:
    """Of a window's cycles that began from *since* on: start and end by id."""
    c = cycle.c
    query = select(c.id, c.started_at, c.ended_at)
    rows = conn.execute(query.where(c.window_id == window_id, c.started_at >= since))
    return {row[0]: (row[1], row[2]) for row in rows}


def _cycles_there(
    conn: Connection, window_ids: Sequence[int], after: int
) -> dict[tuple[int, int], Any]:
    found: dict[tuple[int, int], Any] = {}
    for some in pieces(window_ids):
        query = select(cycle).where(cycle.c.window_id.in_(some), cycle.c.ended_at > after)
        found |= {(row.window_id, row.ended_at): row for row in conn.execute(query)}
    return found


def _cycle_of(row: Any) -> JudgedCycle:
    return JudgedCycle(*(getattr(row, name) for name in JudgedCycle.__slots__))


def _insert_cycles(conn: Connection, cycles: Sequence[JudgedCycle], rule: int) -> None:
    if not cycles:
        return
    last = last_numbers(conn, list({c.window_id for c in cycles}))
    rows = []
    for one in sorted(cycles, key=lambda c: c.ended_at):
        last[one.window_id] = last.get(one.window_id, 0) + 1
        rows.append(asdict(one) | {"number": last[one.window_id], "rule": rule})
    conn.execute(insert(cycle), rows)


def pieces(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """*values* in pieces that fit a statement."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
