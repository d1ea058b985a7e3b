"""One run of requests: claims on accounts, the threads that send, and the one transaction for all
answers that are back.

Which accounts are refreshed is refresh_service.py's to say.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex.fetch_result import FetchResult
from quota_web.core.errors import BadDatabase, DatabaseBusy
from quota_web.core.faults import Fault
from quota_web.core.policy import Intervals
from quota_web.core.quota import NETWORK, Status
from quota_web.refresh import outcomes
from quota_web.refresh.hooks import Hooks, Recorded
from quota_web.store.accounts import (
    Account,
)
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, DecryptionFailed, TokenCipher

if TYPE_CHECKING:
    from quota_web.codex.client import UsageClient

#: A claim is renewed while its run lives. What a process of another host had claimed when it
#: died is free after CLAIM_LASTS seconds, and so is its part in the schedule's limit; waits for a
#: busy database and clocks that differ fit in between.
CLAIM_LASTS, RENEW_S = 60, 10.0
#: How many results share a transaction at most.
BATCH = 64
#: How often a wait for results looks whether the program is to stop, and how long it then still
#: waits for requests that were cut.
STOP_PAUSE, STOP_FOR = 0.5, 2.5
#: How often storing the answers is tried while another process writes; each try waits as long as
#: the database's own time limit.
STORE_TRIES = 4


RENEWING = Fault("renewing")


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh came to for one account."""

    account_id: int
    name: str
    status: Status
    fault: Fault | None
    #: `network`, `cache`, or None where nothing was sent for another reason.
    source: str | None
    #: The raw answer, where the caller keeps it.
    answer: FetchResult | None = None


@dataclass(slots=True)
class RefreshContext:
    """What a refresh works with: the client, how many requests at once, what tells it to stop."""

    client: "UsageClient"
    cipher: TokenCipher
    pace: Intervals
    slots: int
    now: Callable[[], int]
    stop: threading.Event = field(default_factory=threading.Event)
    #: Keep answers whole, for `--raw-json` and `--raw-headers`.
    keep_raw: bool = False
    #: When a person's command was given: an answer that another process got later
    #: is the answer to it.
    since: int | None = None
    #: Bounds the live claims of all processes together (the schedule's limit); None: no bound.
    limit: int | None = None
    #: How long answers may wait for those of the other slots, to be stored together. A few
    #: milliseconds cost no time (measured: bench.refresh) and save a quarter of the work; no person
    #: waits for the schedule, so it takes longer.
    gather_s: float = 0.005
    #: For how long the stored reading of an exhausted account answers instead of a request.
    cache_s: int = 0
    #: Whether sign-ins are renewed: then one that is to be renewed has not ended yet.
    renews: bool = True
    #: What other rooms do with each refused token and each batch of results.
    hooks: Hooks = field(default_factory=Hooks)


@dataclass(frozen=True, slots=True)
class _Fetched:
    account: Account
    answer: FetchResult


@dataclass(slots=True)
class _Claimed:
    """The accounts that were looked at for the free slots: those to fetch now, and those that
    another process has or just had.
    """

    ready: list[tuple[Account, EncryptedCredential]] = field(default_factory=list)
    held: list[Account] = field(default_factory=list)
    looked_at: int = 0


class RefreshRun:
    """One refresh under way: its claim, its threads, and the answers that are back."""

    def __init__(self, context: RefreshContext) -> None:
        self._context = context
        self._claim_id = secrets.randbits(62)
        self._done: SimpleQueue[_Fetched | BaseException] = SimpleQueue()
        self._in_flight: dict[int, Account] = {}
        self._waiting: deque[Account] = deque()
        self._renewed_at = time.monotonic()
        #: Accounts that this run has no result for, because another process had or took them.
        self.held_elsewhere: list[Account] = []

    def run(self, accounts: Iterable[Account]) -> Iterator[RefreshResult]:
        """Send a request for each of *accounts*, store the answers and yield the results.

        What is claimed is given back, however this ends.
        """
        self._waiting.extend(accounts)
        if not self._waiting:
            return
        free_dead_claims()
        holder = store.locks.RunLock(self._claim_id)
        pool = ThreadPoolExecutor(
            min(self._context.slots, len(self._waiting)), thread_name_prefix="fetch"
        )
        try:
            yield from self._results(pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._give_back(holder)

    def _give_back(self, holder: store.locks.RunLock) -> None:
        """Release what is still claimed; where that cannot be stored, the next look does it."""
        is_released = not self._in_flight
        try:
            if self._in_flight:
                with store.database.transaction() as tx:
                    store.claims.release(tx, self._claim_id)
                is_released = True
        finally:
            holder.leave(is_released=is_released)

    def _results(self, pool: ThreadPoolExecutor) -> Iterator[RefreshResult]:
        fetched: list[_Fetched] = []
        while True:
            results, claimed = self._turn(fetched)
            for found, sealed in claimed:
                pool.submit(self._fetch_one, found, sealed)
            yield from results
            if not self._in_flight:
                return
            if not fetched:
                self._context.hooks.sent()
            fetched = self._gather()
            if not fetched:
                return

    def _turn(
        self, fetched: list[_Fetched]
    ) -> tuple[list[RefreshResult], list[tuple[Account, EncryptedCredential]]]:
        """One transaction: store what came back, then claim as many accounts as there are free
        slots.

        Nothing of this run changes before the transaction has committed, so that it can be tried
        again.
        """
        for tries_left in reversed(range(STORE_TRIES)):
            try:
                recorded: list[Recorded] = []
                with store.database.transaction() as tx:
                    results = self._store(tx, fetched, recorded) if fetched else []
                    claimed = self._claim(tx, self._free_slots(tx, len(fetched)))
                    if fetched:
                        store.site_state.bump_version(tx, self._context.now())
                break
            except DatabaseBusy:
                if not tries_left:
                    raise
        self._context.hooks.after(recorded)
        stored = {r.account_id for r in results}
        for one in fetched:
            del self._in_flight[one.account.id]
        self.held_elsewhere += [
            one.account
            for one in fetched
            if not one.answer.dropped and one.account.id not in stored
        ]
        self.held_elsewhere += claimed.held
        for _ in range(claimed.looked_at):
            self._waiting.popleft()
        if self._context.limit is not None and any(
            r.status is Status.ADDRESS_BLOCKED for r in results
        ):
            # The schedule stops here; what a person requested is tried all the same.
            self._waiting = deque(a for a in self._waiting if a.requested_at is not None)
        self._in_flight.update({found.id: found for found, _ in claimed.ready})
        return results, claimed.ready

    def _free_slots(self, tx: Connection, come_back: int) -> int:
        context = self._context
        free = (
            0
            if context.stop.is_set() or not self._waiting
            else context.slots - len(self._in_flight) + come_back
        )
        if context.limit is None or free <= 0:
            return free
        return min(free, context.limit - store.claims.live(tx, context.now(), CLAIM_LASTS))

    def _claim(self, tx: Connection, free: int) -> _Claimed:
        claimed = _Claimed()
        while len(claimed.ready) < free:
            place = claimed.looked_at
            wanted = {
                a.id: a for a in islice(self._waiting, place, place + free - len(claimed.ready))
            }
            if not wanted:
                break
            claimed.looked_at += len(wanted)
            self._claim_some(tx, wanted, claimed)
        return claimed

    def _claim_some(self, tx: Connection, wanted: dict[int, Account], claimed: _Claimed) -> None:
        mine = store.claims.take(tx, wanted, self._claim_id, self._context.now(), CLAIM_LASTS)
        # Read again under the claim: since it was chosen, an account may have been refreshed or
        # paused, or its token changed.
        fresh, sealed = store.accounts.get_by_ids(tx, mine), store.credentials.get_by_ids(tx, mine)
        ready = [
            i for i in mine if i in fresh and i in sealed and _is_as_chosen(fresh[i], wanted[i])
        ]
        passed = set(mine).difference(ready)
        if passed:
            store.claims.release(tx, self._claim_id, passed)
        claimed.ready += [(fresh[i], sealed[i]) for i in wanted if i in ready]
        claimed.held += [a for i, a in wanted.items() if i not in ready]

    def _fetch_one(self, found: Account, sealed: EncryptedCredential) -> None:
        """Runs in a thread of the pool."""
        try:
            answer = self._fetch(found, sealed)
            if answer.status is Status.EXPIRED and answer.fault is not None:
                after = self._context.hooks.refused(found)
                if after.credential is not None:
                    answer = self._fetch(found, after.credential)
                elif after.is_awaited:
                    answer = replace(answer, fault=RENEWING, awaits_renewal=True)
            self._done.put(_Fetched(found, answer))
        except DecryptionFailed:
            self._done.put(_Fetched(found, _unopened()))
        except BaseException as error:  # noqa: BLE001 - a bug: raised again in the thread that waits for results
            self._done.put(error)

    def _fetch(self, found: Account, sealed: EncryptedCredential) -> FetchResult:
        context = self._context
        return context.client.fetch(
            found.chatgpt_account_id or "",
            context.cipher.open(sealed.access_sealed, found.id, ACCESS),
            sealed.fedramp,
            now=context.now,
            keep_raw=context.keep_raw,
        )

    def _gather(self) -> list[_Fetched]:
        """Wait for a result and take along whatever else is there.

        Where a person waits for the results, that is a moment only: while one transaction runs, the
        results of the next one gather by themselves, and a slot that waits for company stays empty.
        """
        gathered = self._first()
        until = time.monotonic() + self._context.gather_s
        while 0 < len(gathered) < min(BATCH, len(self._in_flight)):
            try:
                gathered.append(self._done.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                break
        fetched = []
        for one in gathered:
            if isinstance(one, BaseException):
                raise one
            fetched.append(one)
        return fetched

    def _first(self) -> list[_Fetched | BaseException]:
        """The next result. At a stop the sockets are cut, so it comes soon or, where a name is just
        being looked up, never: then nothing.
        """
        give_up_at = float("inf")
        while time.monotonic() < give_up_at:
            self._renew()
            try:
                return [self._done.get(timeout=STOP_PAUSE)]
            except Empty:
                if self._context.stop.is_set():
                    give_up_at = min(give_up_at, time.monotonic() + STOP_FOR)
        return []

    def _renew(self) -> None:
        """Keep the claims from running out while requests take long."""
        if time.monotonic() - self._renewed_at < RENEW_S:
            return
        self._renewed_at = time.monotonic()
        # What cannot be written now is tried again; whether the answers can be stored is another
        # matter.
        with suppress(BadDatabase), store.database.transaction() as tx:
            store.claims.renew(tx, self._claim_id, self._context.now())

    def _store(
        self, tx: Connection, fetched: list[_Fetched], recorded: list[Recorded]
    ) -> list[RefreshResult]:
        answered = [a for a in fetched if not a.answer.says_nothing]
        ids = [a.account.id for a in answered]
        windows, facts = store.windows.windows(tx, ids), store.windows.facts(tx, ids)
        now = self._context.now()
        found = [
            outcomes.outcome_of(
                tx, a.account, a.answer, windows.get(a.account.id, []), self._context.pace, now
            )
            for a in answered
        ]
        mine = store.recording.record(tx, found, self._claim_id, windows, facts)
        stored = [o for o in found if o.account.id in mine]
        outcomes.note_address(tx, stored, now)
        for one in stored:
            known = windows.get(one.account.id, [])
            recorded.append(Recorded(one, known, facts.get(one.account.id)))
        self._context.hooks.record(tx, recorded)
        unsaid = [a for a in fetched if a.answer.says_nothing]
        if unsaid:
            store.claims.release(tx, self._claim_id, [a.account.id for a in unsaid])
        by_id = {a.account.id: a.answer for a in answered}
        waiting = [a for a in unsaid if a.answer.awaits_renewal]
        return [
            *(
                RefreshResult(
                    o.account.id, o.account.name, o.status, o.fault, NETWORK, by_id[o.account.id]
                )
                for o in stored
            ),
            *(_waiting(a) for a in waiting),
        ]


def _waiting(one: _Fetched) -> RefreshResult:
    account, answer = one.account, one.answer
    return RefreshResult(account.id, account.name, Status.EXPIRED, RENEWING, NETWORK, answer)


def free_dead_claims() -> bool:
    """Release the claims of processes that have died; returns whether there were any."""
    with store.locks.dead_runs() as claims:
        if claims:
            with store.database.transaction() as tx:
                for claim_id in claims:
                    store.claims.release(tx, claim_id)
        return bool(claims)


def _is_as_chosen(fresh: Account, chosen: Account) -> bool:
    return (fresh.attempted_at, fresh.paused_at, fresh.fault) == (
        chosen.attempted_at,
        chosen.paused_at,
        chosen.fault,
    )


def _unopened() -> FetchResult:
    fault = Fault("sealed_unreadable")
    return FetchResult(fault.status, fault=fault)
