"""Judges as they are stored, and what they tell as rows: the same for a few readings and for all.

Accounts go by their ids here, as text, because names may change.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import account_identity
from quota_web.foresight.absence_backfill import Row, with_absences
from quota_web.foresight.causes import AccountJudge
from quota_web.foresight.detector_state import HOUR, VERSION
from quota_web.foresight.event_detection import Judge
from quota_web.foresight.event_types import Cycle, Event, Judgement, Kind
from quota_web.foresight.reset_detection import DUE_EARLY_S, WindowJudge
from quota_web.store.detected_events import JudgedCycle, JudgedEvent, Standing

#: What reading a stored judge raises where another version wrote it, or it is damaged.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError)
#: After every moment.
NEVER = 2**62


@dataclass(slots=True)
class Stored:
    """Judges with the rows of their windows."""

    judge: Judge = field(default_factory=Judge)
    #: Window ids by account and key.
    window_ids: dict[tuple[str, str], int] = field(default_factory=dict)
    #: The last reading that each window's judge has seen, by window id.
    at: dict[int, int] = field(default_factory=dict)
    #: Accounts with windows that were read and not judged, or by other rules: they have no judge.
    unjudged: set[str] = field(default_factory=set)
    #: Where the newest row that was fed from the database was an absence: its moment.
    last_absence: dict[int, int] = field(default_factory=dict)
    #: The facts of accounts as they are stored: plans hardly change, readings do.
    facts: dict[str, str] = field(default_factory=dict)

    def take(self, other: "Stored", names: Iterable[str]) -> None:
        """Take over the judges of these accounts from *other*."""
        for name in names:
            self.judge.accounts[name] = other.judge.accounts[name]
            self.unjudged.discard(name)
        self.window_ids |= other.window_ids
        self.at |= other.at


def load(
    conn: Connection,
    account_ids: Sequence[int] | None = None,
    *,
    known: Container[int] | None = None,
    lock: bool = False,
) -> Stored:
    """The judges of these accounts, or for None of all.

    *known* are the windows that were read before; None: those that have a reading.
    """
    rows = store.detector_states.states(conn, account_ids, lock=lock)
    stored = Stored(Judge(shared_logins(conn) if account_ids is None else None))
    for row in rows:
        name = str(row.account_id)
        stored.window_ids[name, row.key] = row.window_id
        try:
            account = _account(stored, name, row.facts)
        except UNREADABLE:
            stored.unjudged.add(name)
            continue
        if row.state is None or row.at is None:
            was_read = row.taken_at is not None or row.gone_at is not None
            if was_read if known is None else row.window_id in known:
                stored.unjudged.add(name)
            continue
        try:
            account.windows[row.key] = WindowJudge.from_json(row.state)
        except UNREADABLE:
            stored.unjudged.add(name)
            continue
        stored.at[row.window_id] = row.at
    for name in stored.unjudged:
        stored.judge.accounts.pop(name, None)
    for (name, _), window_id in stored.window_ids.items():
        if name in stored.unjudged:
            stored.at.pop(window_id, None)
    return stored


def shared_logins(conn: Connection) -> dict[str, str]:
    """The login of each account that shares it with another one, as the id of one of them."""
    accounts = store.accounts.list_all(conn)
    repeated = account_identity.repeated((str(a.id), a.login) for a in accounts)
    return repeated | {holder: holder for holder in repeated.values()}


def _account(stored: Stored, name: str, facts: str | None) -> AccountJudge:
    if name not in stored.judge.accounts and facts is not None:
        stored.judge.accounts[name] = AccountJudge.from_json(facts)
        stored.facts[name] = facts
    return stored.judge.account(name)


def save(conn: Connection, stored: Stored, names: Iterable[str] | None = None) -> None:
    """Write the states of these accounts, or for None of all."""
    chosen = list(stored.judge.accounts) if names is None else list(names)
    states, facts = [], []
    for name in chosen:
        account = stored.judge.accounts[name]
        text = account.facts_to_json()
        if stored.facts.get(name) != text:
            facts.append((int(name), text))
        for key, window in account.windows.items():
            window_id = stored.window_ids[name, key]
            at = stored.at.get(window_id, window.last_at())
            states.append((window_id, at, VERSION, window.to_json()))
    store.detector_states.put_states(conn, states)
    store.detector_states.put_facts(conn, facts)


def open_cycles(conn: Connection, account_ids: Sequence[int]) -> list[tuple[int, str, Cycle]]:
    """Cycles of these accounts that have not ended: account id, window's key, the cycle; in the
    order of accounts and windows.
    """
    stored = load(conn, account_ids)
    found = stored.judge.open_cycles()
    ids = {key: window_id for key, window_id in stored.window_ids.items() if key in found}
    return [
        (int(key[0]), key[1], found[key]) for key in sorted(ids, key=lambda k: (int(k[0]), ids[k]))
    ]


def feed_facts(account: AccountJudge, at: int, plan: str | None, reset_credits: int | None) -> None:
    """Take up what an answer said beside its windows, where it said it."""
    if plan is not None:
        account.feed_plan(at, plan)
    if reset_credits is not None:
        account.feed_credits(at, reset_credits)


def feed_rows(
    present: Stored,
    account: AccountJudge,
    windows: dict[int, tuple[str, int | None]],
    rows: Sequence[tuple[int, int, float | None, int | None]],
) -> None:
    """Feed stored readings of one account's *windows* (key and length by id), oldest first, those
    left out that were seen before.
    """
    answers = sorted({at for _, at, _, _ in rows})
    by_window: dict[int, list[Row]] = defaultdict(list)
    for window_id, at, used, resets_at in rows:
        if at > present.at.get(window_id, -1):
            by_window[window_id].append((at, used, resets_at))
    for window_id, (key, length_s) in windows.items():
        mine, last = by_window[window_id], present.last_absence.pop(window_id, None)
        # An absence before these rows may be one of two, of which older programs stored one.
        rows_before = [] if last is None else [(last, None, None)]
        if not mine and last is None:
            continue
        all_rows = with_absences([*rows_before, *mine], answers)
        account.window(key, length_s).feed(row for row in all_rows if row[0] != last)
        newest = mine[-1] if mine else (last or 0, None, None)
        present.at[window_id] = newest[0]
        if newest[1] is None:
            present.last_absence[window_id] = newest[0]


def has_early_reset(account: AccountJudge) -> bool:
    """Whether an early reset of it is not settled: the rule of provider-wide ones needs all."""
    return any(
        account.cause(broke).kind is Kind.RESET_EARLY
        for window in account.windows.values()
        for broke in window.breaks + window.withdrawn
    )


def tell(
    conn: Connection,
    stored: Stored,
    now: int,
    *,
    of_all: bool,
    fed: Container[str] | None = None,
    standing: Sequence[Standing] | None = None,
) -> int:
    """Let the stored events and cycles be what these judges say now; returns how many rows changed.

    *of_all*: they are the judges of all accounts; else nothing is said of events that came to all.

    Where others may commit what they judged meanwhile, nothing newer than these judges may be
    taken back: *fed* are the accounts whose states are locked (None: all), cycles of others are
    not dropped; *standing* are the events from before the judges were loaded (None: read now), no
    later one is withdrawn.
    """
    accounts = stored.judge.accounts
    said = stored.judge.judgement(now)
    events = rows_of(said, stored.window_ids)
    if not of_all:
        events = [e for e in events if e.account_id is not None]
    changed = store.detected_events.put_events(conn, events, VERSION)
    if standing is None:
        ids = None if of_all else [int(name) for name in accounts]
        standing = store.detected_events.standing(conn, _settled_to(stored), ids)
    changed += _withdraw_missing(conn, stored, standing, {e.key for e in events}, now)
    since = {
        window_id: accounts[name].settled_to + DUE_EARLY_S if fed is None or name in fed else NEVER
        for (name, _), window_id in stored.window_ids.items()
        if name in accounts
    }
    cycles = cycles_of(said.cycles, stored.window_ids)
    return changed + store.detected_events.put_cycles(conn, cycles, since, VERSION)


def _settled_to(stored: Stored) -> int:
    return min((a.settled_to for a in stored.judge.accounts.values()), default=-1)


def _withdraw_missing(
    conn: Connection, stored: Stored, standing: Sequence[Standing], keys: set[str], now: int
) -> int:
    """Withdraw what was told and is not said any more."""
    accounts, settled_to = stored.judge.accounts, _settled_to(stored)
    gone = []
    for row in standing:
        if row.key in keys or row.at <= settled_to:
            continue
        if row.account_id is None:
            is_ours = not stored.unjudged
        else:
            one = accounts.get(str(row.account_id))
            # A reset may be seen, and settled, shortly before the moment that it is dated to.
            is_ours = one is not None and row.at > one.settled_to + DUE_EARLY_S
        if is_ours:
            gone.append(row)
    return store.detected_events.withdraw(conn, gone, now)


def rows_of(said: Judgement, window_ids: Mapping[tuple[str, str], int]) -> list[JudgedEvent]:
    """The judgement's events as rows."""
    return [_row_of(one, window_ids) for one in said.events]


def _row_of(one: Event, window_ids: Mapping[tuple[str, str], int]) -> JudgedEvent:
    window = one.account is not None and one.window is not None
    data = {name: _plain(value) for name, value in one.data.items()}
    if one.kind is Kind.RESET_PROVIDER:
        data["parts"] = [[int(account), key, at] for account, key, at in data["parts"]]
    return JudgedEvent(
        str(one.kind),
        None if one.account is None else int(one.account),
        window_ids[one.account or "", one.window or ""] if window else None,
        one.at,
        one.told_at,
        one.withdrawn_at,
        data,
    )


def _plain(value: Any) -> Any:
    """A whole number without its fraction, as answers give it: the same however it was stored."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def cycles_of(
    cycles: Mapping[tuple[str, str], Sequence[Cycle]], window_ids: Mapping[tuple[str, str], int]
) -> list[JudgedCycle]:
    """Closed cycles as rows."""
    return [
        JudgedCycle(
            window_ids[key],
            one.started_at,
            one.ended_at or 0,
            str(one.how),
            one.used_at_reset or 0.0,
            one.peak,
            one.ran_out_at,
            round(one.hours_at_zero * HOUR),
            one.readings,
            one.gap_s,
            one.is_lower_bound,
        )
        for key, rows in cycles.items()
        for one in rows
    ]
