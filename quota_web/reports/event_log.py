"""What happened: events and cycles as pages, API, CSV and commands show them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quota_web import store
from quota_web.core import event_visibility
from quota_web.core.errors import BadQuery
from quota_web.core.language import mark
from quota_web.core.times import iso
from quota_web.foresight import Cycle, detector_persistence
from quota_web.store.accounts import Scope
from quota_web.store.event_log import EventQuery, LoggedEvent, StoredCycle

DEFAULT_LIMIT, MOST = 100, 1_000
#: Rows that are read at once.
PAGE = 1_000
#: After every end of a cycle.
FOREVER = 2**62
_MOST_AFTER = 2**62

EVENT_COLUMNS = ("id", "at", "kind", "account", "window", "data", "withdrawn_at")
#: What is a moment in the data of an event.
_MOMENTS = (
    "resets_before",
    "resets_after",
    "last_before",
    "first_after",
    "resets_at",
    "blocked_until",
    "since",
    "failing_since",
    "last_reading_at",
    "ends_at",
    "expires_at",
)
CYCLE_COLUMNS = (
    "account",
    "window",
    "started_at",
    "ended_at",
    "how",
    "used_at_reset_percent",
    "is_lower_bound",
    "peak_percent",
    "wasted_percent",
    "ran_out_at",
    "hours_at_zero",
    "readings",
)


@dataclass(frozen=True, slots=True)
class Log:
    """Which events of which accounts; checked."""

    query: EventQuery
    #: Account names by id.
    names: Mapping[int, str]
    after: int = 0
    limit: int = DEFAULT_LIMIT
    #: Of a login that has several names: the one under which it is counted, by each other one.
    holders: Mapping[str, str] = field(default_factory=dict)


def parse_log(
    scope: Scope,
    args: Mapping[str, str],
    kinds: Sequence[str],
    accounts: Sequence[str],
    visible: frozenset[str] = event_visibility.OPEN,
) -> Log:
    """The words of an address as a Log of *visible* kinds; raises BadQuery and AccountNotFound."""
    unknown = [kind for kind in kinds if kind not in visible]
    if unknown:
        kinds_there = ", ".join(sorted(visible))
        raise BadQuery("kind", mark("kind must be one of %(kinds)s"), kinds=kinds_there)
    names, ids, holders = _accounts(scope, accounts)
    everything = not accounts and scope == Scope()
    query = EventQuery(sorted(kinds or visible), None if everything else ids, with_all=not accounts)
    after = _number(args, "after", 0, _MOST_AFTER)
    limit = _number(args, "limit", DEFAULT_LIMIT, MOST)
    if not limit:
        raise BadQuery("limit", mark("limit must be a whole number from 1 to %(most)s"), most=MOST)
    return Log(query, names, after, limit, holders)


def _accounts(
    scope: Scope, wanted: Sequence[str]
) -> tuple[dict[int, str], list[int], dict[str, str]]:
    """Names by id; the ids that are wanted; and the first name of each login that has several."""
    with store.database.reading() as conn:
        accounts = store.accounts.list_all(conn, scope)
        ids = [store.accounts.get_by_name(conn, name, scope).id for name in wanted]
    names = {a.id: a.name for a in accounts}
    repeated = store.accounts.repeated(accounts)
    return names, ids or list(names), {names[i]: a.name for i, a in repeated.items()}


def _number(args: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        told = mark("%(name)s must be a whole number up to %(most)s")
        raise BadQuery(name, told, name=name, most=most)
    return int(text)


def page(log: Log) -> list[LoggedEvent]:
    """One page of the log, by ascending ids."""
    with store.database.reading() as conn:
        return store.event_log.events(conn, log.query, log.after, log.limit)


def latest(log: Log) -> list[LoggedEvent]:
    """One page of the log, newest first; with *after* those older than the event of that id."""
    with store.database.reading() as conn:
        return store.event_log.latest(conn, log.query, log.limit, log.after or None)


def since(
    scope: Scope, names: Mapping[int, str], kinds: Sequence[str], start: int, most: int
) -> list[LoggedEvent]:
    """The newest events of these *kinds* from *start* on, newest first; *names* are those of all
    accounts of the scope by id.
    """
    ids = None if scope == Scope() else list(names)
    with store.database.reading() as conn:
        return store.event_log.latest(conn, EventQuery(kinds, ids, since=start), most)


def upstream_names(keys: Iterable[str]) -> dict[str, str]:
    """What answers call the windows of these keys, by key."""
    with store.database.reading() as conn:
        return store.event_log.upstream_names(conn, sorted(keys))


def actors(ids: Sequence[int]) -> dict[int, str]:
    """Which actor did it, by the event's id: for browser sessions alone."""
    with store.database.reading() as conn:
        return store.event_log.actors(conn, ids)


def every(log: Log) -> Iterator[LoggedEvent]:
    """All events of the log, read in pages."""
    after, rows = log.after, []
    while True:
        with store.database.reading() as conn:
            rows = store.event_log.events(conn, log.query, after, PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def event_json(one: LoggedEvent, names: Mapping[int, str]) -> dict[str, Any]:
    """An event as the API answers it: a deleted account goes by the name of then."""
    data = dict(one.data)
    if one.kind == "reset_provider":
        parts = [part for part in data.get("parts", []) if part[0] in names]
        data["parts"] = [[names[account], window, iso(at)] for account, window, at in parts]
    for name in _MOMENTS:
        if isinstance(data.get(name), int):
            data[name] = iso(data[name])
    if "runs_out_between" in data:
        data["runs_out_between"] = [iso(at) for at in data["runs_out_between"]]
    account = None if one.account_id is None else names.get(one.account_id, data.get("name"))
    return {
        "id": one.id,
        "at": iso(one.at),
        "kind": one.kind,
        "account": account,
        "window": one.window,
        "data": data,
        "withdrawn_at": iso(one.withdrawn_at),
    }


@dataclass(frozen=True, slots=True)
class CycleQuery:
    """Which cycles: of these accounts (names by id) and windows, ended in [start, end)."""

    names: Mapping[int, str]
    keys: Sequence[str] | None
    start: int
    end: int
    #: Also the cycles that run now, after all others.
    with_open: bool = False


def cycle_query(
    scope: Scope, accounts: Sequence[str], keys: Sequence[str], start: int, end: int | None
) -> CycleQuery:
    """Without an *end* the running cycles are among them. Raises AccountNotFound."""
    names, ids, _ = _accounts(scope, accounts)
    chosen = {i: names[i] for i in ids if i in names}
    return CycleQuery(chosen, keys or None, start, FOREVER if end is None else end, end is None)


def cycles(asked: CycleQuery) -> Iterator[dict[str, Any]]:
    """Cycles as the API answers them: closed ones, read in pages, then those that run."""
    behind = (-1, -1)
    while True:
        with store.database.reading() as conn:
            rows = store.event_log.cycles(
                conn, list(asked.names), asked.keys, asked.start, asked.end, behind, PAGE
            )
        yield from (cycle_json(row, asked.names) for row in rows)
        if len(rows) < PAGE:
            break
        behind = rows[-1].window_id, rows[-1].ended_at
    if asked.with_open:
        with store.database.reading() as conn:
            running = detector_persistence.open_cycles(conn, list(asked.names))
        for account_id, key, one in running:
            if asked.keys is None or key in asked.keys:
                yield _open_json(asked.names[account_id], key, one)


def cycle_json(one: StoredCycle, names: Mapping[int, str]) -> dict[str, Any]:
    """A cycle as the API answers it."""
    return {
        "account": names[one.account_id],
        "window": one.window,
        "started_at": iso(one.started_at),
        "ended_at": iso(one.ended_at),
        "how": one.how,
        "used_at_reset_percent": one.used_at_reset,
        "is_lower_bound": one.is_lower_bound,
        "peak_percent": one.peak,
        "wasted_percent": max(0.0, 100 - one.used_at_reset),
        "ran_out_at": iso(one.ran_out_at),
        "hours_at_zero": round(one.zero_s / 3_600, 3),
        "readings": one.readings,
    }


def _open_json(account: str, window: str, one: Cycle) -> dict[str, Any]:
    """The same of a cycle that runs: what is known at its end alone is None."""
    return {
        "account": account,
        "window": window,
        "started_at": iso(one.started_at),
        "ended_at": None,
        "how": str(one.how),
        "used_at_reset_percent": None,
        "is_lower_bound": False,
        "peak_percent": one.peak,
        "wasted_percent": None,
        "ran_out_at": iso(one.ran_out_at),
        "hours_at_zero": round(one.hours_at_zero, 3),
        "readings": one.readings,
    }
