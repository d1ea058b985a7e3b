"""Refreshes accounts: sends the requests, stores the answers, and yields a result for each account
as it comes.

The schedule, the button and every command call this; they differ in which accounts they name and
in what they print.

1. An account that needs no request gets its stored result: paused, refused, expired, exhausted,
   told to wait.
2. The others are claimed in the database, never more than there are free slots, so that no other
   process sends a request for them, too.
3. Threads send the requests. They touch neither the database nor the app.
4. The calling thread stores the answers that are back in one transaction, claims accounts for the
   slots that became free, and yields.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.core import policy, quota
from quota_web.core.errors import AccountNotFound
from quota_web.core.faults import Fault
from quota_web.core.quota import CACHE, NETWORK, Facts, Reading, Status
from quota_web.refresh import queue
from quota_web.refresh.worker import (
    CLAIM_LASTS,
    RENEWING,
    RefreshContext,
    RefreshResult,
    RefreshRun,
    free_dead_claims,
)
from quota_web.store.accounts import (
    DEMO,
    Account,
    Scope,
)
from quota_web.store.credentials import EncryptedCredential

__all__ = [
    "RefreshContext",
    "RefreshResult",
    "not_joined",
    "refresh",
    "refresh_due",
    "refresh_scheduled",
    "request",
    "select",
]

#: Seconds to wait for an account that another process is refreshing right now, and between looks.
AWAIT_FOR, AWAIT_PAUSE = 25.0, 0.1
#: A button pressed again within this many seconds joins the refresh before and sends nothing.
JOIN_WITHIN = 30
#: A pressed button refreshes an exhausted account whose reading is older than this many seconds.
BUTTON_CACHE_S = 60


def select(scope: Scope, names: Sequence[str] = ()) -> tuple[list[Account], list[AccountNotFound]]:
    """The accounts of *scope*, or those of *names*; with the names that no account has."""
    missing: list[AccountNotFound] = []
    with store.database.reading() as conn:
        if not names:
            return store.accounts.list_all(conn, scope), []
        found: dict[int, Account] = {}
        for name in names:
            try:
                one = store.accounts.get_by_name(conn, name, scope)
                found[one.id] = one
            except AccountNotFound as error:
                missing.append(error)
    return list(found.values()), missing


def not_joined(scope: Scope, name: str, now: int) -> list[Account]:
    """The accounts that a pressed button refreshes: all, or that of *name*, save those refreshed
    a moment ago and the demo's.

    Raises AccountNotFound.
    """
    chosen, missing = select(scope, [name] if name else [])
    if missing:
        raise missing[0]
    return [
        a
        for a in chosen
        if a.origin != DEMO
        and (a.attempted_at is None or not 0 <= now - a.attempted_at < JOIN_WITHIN)
    ]


def request(chosen: Sequence[Account], now: int) -> None:
    """Let the schedule, in whichever process it runs, refresh *chosen* as soon as it can."""
    with store.database.transaction() as tx:
        still = store.accounts.get_by_ids(tx, [a.id for a in chosen])
        for account_id in still:
            store.accounts.update_account(tx, account_id, requested_at=now)
        store.site_state.touch(tx)


def refresh(
    context: RefreshContext, chosen: Sequence[Account], *, force: bool = False
) -> Iterator[RefreshResult]:
    """Refresh *chosen* for a person: all that can be refreshed, save exhausted accounts and those
    that were told to wait.

    With *force*, or to keep raw answers, these two are refreshed as well. Results come in no
    particular order.
    """
    force = force or context.keep_raw
    sorted_out, run = _sort_out(context, chosen, force=force), RefreshRun(context)
    yield from sorted_out.results
    yield from run.run(sorted_out.to_fetch)
    yield from _await_others(context, run.held_elsewhere, force)


def refresh_due(context: RefreshContext, scope: Scope) -> Iterator[RefreshResult]:
    """Refresh the accounts of *scope* that are due or were requested by the button."""
    found = queue.due_accounts(scope, context.pace, CLAIM_LASTS, context.now())
    yield from refresh_scheduled(context, [*found.requested, *found.due])


def refresh_scheduled(
    context: RefreshContext, chosen: Sequence[Account]
) -> Iterator[RefreshResult]:
    """Refresh *chosen* as the schedule does: exhausted accounts, too, if they are due; an account
    that another process refreshes is not waited for.
    """
    sorted_out = _sort_out(context, chosen, by_schedule=True)
    yield from sorted_out.results
    yield from RefreshRun(context).run(sorted_out.to_fetch)


@dataclass(slots=True)
class _SortedOut:
    results: list[RefreshResult]
    to_fetch: list[Account]


def _sort_out(
    context: RefreshContext,
    chosen: Sequence[Account],
    *,
    force: bool = False,
    by_schedule: bool = False,
) -> _SortedOut:
    """Part the accounts that need a request from those whose result is known already, and store
    what that changes.

    The schedule refreshes a due account also while it is exhausted, unless only a person's request
    made it due.
    """
    now, ids = context.now(), [a.id for a in chosen]
    with store.database.reading() as conn:
        sealed, windows, facts = (
            store.credentials.get_by_ids(conn, ids),
            store.windows.windows(conn, ids),
            store.windows.facts(conn, ids),
        )
    out = _SortedOut([], [])
    for found in chosen:
        known = [w.reading for w in windows.get(found.id, []) if w.gone_at is None]
        cache_s = 0 if by_schedule and found.requested_at is None else context.cache_s
        fault = _refusal(found, sealed.get(found.id), context, by_schedule, now)
        if found.paused_at is not None:
            out.results.append(RefreshResult(found.id, found.name, Status.PAUSED, None, None))
        elif found.origin == DEMO:
            out.results.append(
                RefreshResult(
                    found.id,
                    found.name,
                    found.last_status,
                    found.fault,
                    CACHE if found.fault is None else None,
                )
            )
        elif fault is not None:
            out.results.append(RefreshResult(found.id, found.name, fault.status, fault, None))
        elif _is_answered(found, context, now):
            out.results.append(_by_others(found))
        elif not force and _waits(found, now):
            out.results.append(
                RefreshResult(found.id, found.name, found.last_status, found.fault, None)
            )
        elif not force and _is_cached(found, facts.get(found.id), known, cache_s, now):
            out.results.append(RefreshResult(found.id, found.name, Status.OK, None, CACHE))
        else:
            out.to_fetch.append(found)
    _note(out.results, {a.id: a for a in chosen}, now)
    return out


def _refusal(
    found: Account,
    sealed: EncryptedCredential | None,
    context: RefreshContext,
    by_schedule: bool,
    now: int,
) -> Fault | None:
    """Why no request can be sent for an account; None if one can."""
    # A token that could not be opened is tried again: the key may be back, and nothing is sent if
    # it is not.
    if (
        found.last_status is Status.INVALID_CREDENTIALS
        and found.fault is not None
        and found.fault.code != "sealed_unreadable"
    ):
        return found.fault
    if sealed is None:
        return Fault("missing_access_token")
    if found.chatgpt_account_id is None:
        return Fault("missing_account_id")
    is_over = sealed.access_expires_at is not None and sealed.access_expires_at <= now
    if context.renews and sealed.is_renewing(now) and (is_over or by_schedule):
        return RENEWING
    return Fault("token_expired", {"at": sealed.access_expires_at or now}) if is_over else None


def _is_answered(found: Account, context: RefreshContext, now: int) -> bool:
    """Whether another process refreshed it after the command was given: it may start late."""
    if context.since is None or context.keep_raw or found.attempted_at is None:
        return False
    return context.since < found.attempted_at <= now and found.last_status is not Status.PENDING


def _by_others(found: Account) -> RefreshResult:
    return RefreshResult(found.id, found.name, found.last_status, found.fault, NETWORK)


def _waits(found: Account, now: int) -> bool:
    """Whether the upstream told us to wait and the wait is not over."""
    return (
        found.last_status is Status.RATE_LIMITED
        and found.next_due_at is not None
        and now < found.next_due_at <= now + policy.RETRY_AFTER_MOST
    )


def _is_cached(
    found: Account,
    facts: Facts | None,
    known: Sequence[Reading],
    cache_s: int,
    now: int,
) -> bool:
    """Whether the stored reading answers a refresh."""
    if facts is None or found.taken_at is None or found.last_status is not Status.OK:
        return False
    return quota.cached_until(facts, known, found.taken_at, now, cache_s) is not None


def _note(results: Sequence[RefreshResult], chosen: Mapping[int, Account], now: int) -> None:
    """Store what became of the accounts that needed no request: answered from the cache, newly
    refused, a person's request done.
    """
    renewing = [r for r in results if r.fault == RENEWING]
    refused = [r for r in results if r.fault not in (None, RENEWING, chosen[r.account_id].fault)]
    cached = [r for r in results if r.source == CACHE and chosen[r.account_id].cached_at is None]
    requested = [r for r in results if chosen[r.account_id].requested_at is not None]
    if not refused and not cached and not requested and not renewing:
        return
    with store.database.transaction() as tx:
        still = store.accounts.get_by_ids(tx, [r.account_id for r in results])
        for columns, which in (
            ({"cached_at": now}, cached),
            ({"requested_at": None}, requested),
            ({"next_due_at": now + policy.RENEWING_PAUSE}, renewing),
        ):
            for result in which:
                if result.account_id in still:
                    store.accounts.update_account(tx, result.account_id, **columns)
        for result in refused:
            if result.account_id in still:
                store.accounts.set_fault(tx, result.account_id, result.fault)
        store.site_state.bump_version(tx, now)


def _await_others(
    context: RefreshContext, held: Sequence[Account], force: bool
) -> Iterator[RefreshResult]:
    """Wait for accounts that other processes are refreshing, and yield their results; what these
    gave up is refreshed here.
    """
    until = time.monotonic() + AWAIT_FOR
    waiting = {a.id: a for a in held}
    while waiting and time.monotonic() < until and not context.stop.is_set():
        free_dead_claims()
        with store.database.reading() as conn:
            known = store.accounts.get_by_ids(conn, waiting)
        free = {i: a for i, a in known.items() if not a.is_claimed(context.now(), CLAIM_LASTS)}
        # No answer came; or one did, but a caller that prints raw answers needs its own.
        again = [
            a
            for i, a in free.items()
            if context.keep_raw or a.attempted_at == waiting[i].attempted_at
        ]
        waiting = {i: a for i, a in waiting.items() if i in known and i not in free}
        for answered in set(free).difference(a.id for a in again):
            found = free[answered]
            yield _by_others(found)
        if again:
            sorted_out, run = _sort_out(context, again, force=force), RefreshRun(context)
            yield from sorted_out.results
            yield from run.run(sorted_out.to_fetch)
            waiting |= {a.id: a for a in run.held_elsewhere}
        if waiting:
            context.stop.wait(AWAIT_PAUSE)
    for found in waiting.values():
        yield RefreshResult(found.id, found.name, found.last_status, found.fault, None)
