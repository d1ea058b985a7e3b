"""The refresh act: asks the upstream for accounts and stores what it says, yielding a result for each as it comes.

The schedule, the button and every command are this one act; they differ in whom they name and in what they print.

1. Whoever need not be asked is answered from what is stored: paused, refused, expired, exhausted, told to wait.
2. The rest is claimed in the database, never more than there are free slots, so that no other process asks them too.
3. Threads ask. They touch neither the database nor the app.
4. The calling thread stores whatever has come back in one transaction, claims for the slots that became free, and yields.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from sqlalchemy import Connection

from quota_web import due, quota
from quota_web.codex.client import Answer, UsageClient
from quota_web.due import Pace
from quota_web.errors import AccountNotFound
from quota_web.faults import Fault
from quota_web.quota import CACHE, NETWORK, Facts, Reading, Snapshot, Status
from quota_web.store import accounts as store
from quota_web.store import engine, latest, site, snapshots
from quota_web.store.accounts import DEMO, Account, Scope, Sealed
from quota_web.store.latest import KnownWindow
from quota_web.store.sealing import Sealer, Unreadable
from quota_web.store.snapshots import Outcome

#: A claim outlives the longest attempt by a margin; a process that died gives its accounts free after that.
ATTEMPT_DEADLINE = 120
CLAIM_LASTS = ATTEMPT_DEADLINE + 30
#: How many results share a transaction at most.
BATCH = 64
#: How long a person waits for an account that somebody else is asking right now.
AWAIT_FOR, AWAIT_PAUSE = 25.0, 0.1
#: A button pressed again within this many seconds joins the refresh before instead of asking anew.
JOIN_WITHIN = 30


@dataclass(frozen=True, slots=True)
class Result:
    """What a refresh came to for one account."""

    account_id: int
    name: str
    status: Status
    fault: Fault | None
    #: `network`, `cache`, or None where nothing was sent for another reason.
    source: str | None
    #: The raw answer, where it was asked for.
    answer: Answer | None = None


@dataclass(slots=True)
class Crew:
    """Who does the work: the client, how many requests at once, and what tells it to stop."""

    client: UsageClient
    sealer: Sealer
    pace: Pace
    slots: int
    now: Callable[[], int]
    stop: threading.Event = field(default_factory=threading.Event)
    #: Keep answers whole, for `--raw-json` and `--raw-headers`.
    keep_raw: bool = False
    #: Bounds the live claims of all processes together (the schedule's limit); None: no bound.
    limit: int | None = None


def select(scope: Scope, names: Sequence[str] = ()) -> tuple[list[Account], list[AccountNotFound]]:
    """The accounts of *scope*, or those of *names*; with the names that nobody has."""
    missing: list[AccountNotFound] = []
    with engine.reading() as conn:
        if not names:
            return store.every(conn, scope), []
        found: dict[int, Account] = {}
        for name in names:
            try:
                one = store.by_name(conn, name, scope)
                found[one.id] = one
            except AccountNotFound as error:
                missing.append(error)
    return list(found.values()), missing


def not_joined(scope: Scope, name: str, now: int) -> list[Account]:
    """The accounts that a pressed button asks for: all, or that of *name*, save those that were asked a moment ago and invented ones.

    Raises AccountNotFound.
    """
    chosen, missing = select(scope, [name] if name else [])
    if missing:
        raise missing[0]
    return [a for a in chosen if a.origin != DEMO and (a.attempted_at is None or not 0 <= now - a.attempted_at < JOIN_WITHIN)]


def request(chosen: Sequence[Account], now: int) -> None:
    """Ask whoever runs the schedule to refresh *chosen* as soon as it can."""
    with engine.transaction() as tx:
        for found in chosen:
            store.change(tx, found.id, requested_at=now)


def refresh(crew: Crew, chosen: Sequence[Account], *, force: bool = False) -> Iterator[Result]:
    """Refresh *chosen* as a person asks for it: everybody who can be asked at all, save who is exhausted or told to wait.

    With *force*, or to keep raw answers, those two are asked as well. Results come in no particular order.
    """
    sorted_out = _sort_out(crew, chosen, force=force or crew.keep_raw)
    yield from sorted_out.results
    run = _Run(crew)
    yield from run.ask(sorted_out.to_ask)
    yield from _await_others(crew, run.held_elsewhere)


def refresh_due(crew: Crew, scope: Scope) -> Iterator[Result]:
    """Refresh the accounts of *scope* whose time has come, as the schedule does."""
    now = crew.now()
    with engine.reading() as conn:
        state = site.read(conn)
        blocked = state.address_blocked_until
        if blocked is not None and now < blocked <= now + due.BACKOFF_FORBIDDEN_LAST:
            return
        candidates = [a for a in store.every(conn, scope) if _is_due(a, now)]
    sorted_out = _sort_out(crew, sorted(candidates, key=lambda a: a.next_due_at or 0), by_schedule=True)
    yield from sorted_out.results
    yield from _Run(crew).ask(sorted_out.to_ask)


def _is_due(found: Account, now: int) -> bool:
    """Whether the schedule asks for an account now. A due time further ahead than any wait is left from a clock that jumped."""
    if found.paused_at is not None or found.last_status is Status.INVALID_CREDENTIALS or found.origin == DEMO:
        return False
    if found.requested_at is not None:
        return True
    if found.next_due_at is None:
        return found.last_status is Status.PENDING
    return found.next_due_at <= now or found.next_due_at > now + max(due.EXHAUSTED_INTERVAL, found.interval_s or 0) * 2


@dataclass(slots=True)
class _SortedOut:
    results: list[Result]
    to_ask: list[Account]


def _sort_out(crew: Crew, chosen: Sequence[Account], *, force: bool = False, by_schedule: bool = False) -> _SortedOut:
    """Part those who must be asked from those whose answer is known already, and store what that changes.

    The schedule asks an exhausted account too when its time has come, unless it only answers a person's request.
    """
    now, ids = crew.now(), [a.id for a in chosen]
    with engine.reading() as conn:
        sealed, windows, facts = store.credentials(conn, ids), latest.windows(conn, ids), latest.facts(conn, ids)
    out = _SortedOut([], [])
    for found in chosen:
        known = [w.reading for w in windows.get(found.id, []) if w.gone_at is None]
        fault = _refusal(found, sealed.get(found.id), now)
        if found.paused_at is not None:
            out.results.append(Result(found.id, found.name, Status.PAUSED, None, None))
        elif found.origin == DEMO:
            out.results.append(Result(found.id, found.name, found.last_status, found.fault, CACHE if found.fault is None else None))
        elif fault is not None:
            out.results.append(Result(found.id, found.name, fault.status, fault, None))
        elif not force and _waits(found, now):
            out.results.append(Result(found.id, found.name, found.last_status, found.fault, None))
        elif not force and (not by_schedule or found.requested_at is not None) and _is_cached(found, facts.get(found.id), known, now):
            out.results.append(Result(found.id, found.name, Status.OK, None, CACHE))
        else:
            out.to_ask.append(found)
    _note(out.results, {a.id: a for a in chosen}, now)
    return out


def _refusal(found: Account, sealed: Sealed | None, now: int) -> Fault | None:
    """Why an account cannot be asked by anybody, if so."""
    if found.last_status is Status.INVALID_CREDENTIALS and found.fault is not None:
        return found.fault
    if sealed is None:
        return Fault("missing_access_token")
    if sealed.access_expires_at is not None and sealed.access_expires_at <= now:
        return Fault("token_expired", {"at": sealed.access_expires_at})
    return None


def _waits(found: Account, now: int) -> bool:
    """Whether the upstream told us to wait and the wait is not over."""
    return found.last_status is Status.RATE_LIMITED and found.next_due_at is not None and now < found.next_due_at <= now + due.RETRY_AFTER_MOST


def _is_cached(found: Account, facts: Facts | None, known: Sequence[Reading], now: int) -> bool:
    """Whether the stored reading answers a refresh: a window that blocks is exhausted and its reset is still ahead."""
    return facts is not None and found.last_status is Status.OK and quota.cached_until(facts, known, now) is not None


def _note(results: Sequence[Result], chosen: Mapping[int, Account], now: int) -> None:
    """Store what became of those who were not asked: answered from the cache, newly refused, a person's request done."""
    refused = [r for r in results if r.fault is not None and chosen[r.account_id].fault != r.fault]
    settled = [r for r in results if r.source == CACHE or chosen[r.account_id].requested_at is not None]
    if not refused and not settled:
        return
    with engine.transaction() as tx:
        for result in settled:
            store.change(tx, result.account_id, requested_at=None, cached_at=now if result.source == CACHE else chosen[result.account_id].cached_at)
        for result in refused:
            store.set_fault(tx, result.account_id, result.fault)
        site.bump(tx, now)


@dataclass(frozen=True, slots=True)
class _Asked:
    account: Account
    answer: Answer


class _Run:
    """One refresh under way: its claim, the threads that ask, and what they have brought back."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._claim_id = secrets.randbits(62)
        self._done: SimpleQueue[_Asked | BaseException] = SimpleQueue()
        self._in_flight: dict[int, Account] = {}
        self._to_ask: deque[Account] = deque()
        self.held_elsewhere: list[Account] = []

    def ask(self, accounts: Iterable[Account]) -> Iterator[Result]:
        """Ask for *accounts*, store the answers and yield the results. What is claimed is given back, however this ends."""
        self._to_ask.extend(accounts)
        if not self._to_ask:
            return
        pool = ThreadPoolExecutor(min(self._crew.slots, len(self._to_ask)), thread_name_prefix="ask")
        try:
            yield from self._results(pool)
        finally:
            if self._in_flight:
                with engine.transaction() as tx:
                    store.release(tx, self._claim_id)
            pool.shutdown(wait=False, cancel_futures=True)

    def _results(self, pool: ThreadPoolExecutor) -> Iterator[Result]:
        asked: list[_Asked] = []
        while True:
            results, claimed = self._turn(asked)
            for found, sealed in claimed:
                pool.submit(self._ask_one, found, sealed)
            yield from results
            if not self._in_flight:
                return
            asked = self._gather()

    def _turn(self, asked: list[_Asked]) -> tuple[list[Result], list[tuple[Account, Sealed]]]:
        """One transaction: store what came back, then claim as many accounts as there are free slots."""
        crew = self._crew
        with engine.transaction() as tx:
            results = self._store(tx, asked) if asked else []
            free = 0 if crew.stop.is_set() else crew.slots - len(self._in_flight)
            if crew.limit is not None and free and self._to_ask:
                free = min(free, crew.limit - store.live_claims(tx, crew.now(), CLAIM_LASTS))
            claimed = self._claim(tx, free) if free > 0 and self._to_ask else []
            if asked:
                site.bump(tx, crew.now())
        return results, claimed

    def _claim(self, tx: Connection, free: int) -> list[tuple[Account, Sealed]]:
        wanted = {a.id: a for a in (self._to_ask.popleft() for _ in range(min(free, len(self._to_ask))))}
        mine = store.claim(tx, wanted, self._claim_id, self._crew.now(), CLAIM_LASTS)
        self.held_elsewhere += [a for a in wanted.values() if a.id not in mine]
        # Read again under the claim: somebody may have asked, or changed the token, since the accounts were chosen.
        fresh, sealed = store.by_ids(tx, mine), store.credentials(tx, mine)
        done = [i for i in mine if i not in fresh or i not in sealed or fresh[i].attempted_at != wanted[i].attempted_at]
        if done:
            store.release(tx, self._claim_id, done)
            self.held_elsewhere += [wanted[i] for i in done]
        ready = [(fresh[i], sealed[i]) for i in mine if i not in done]
        self._in_flight.update({a.id: a for a, _ in ready})
        return ready

    def _ask_one(self, found: Account, sealed: Sealed) -> None:
        """Runs in a thread of the pool."""
        crew = self._crew
        try:
            token = crew.sealer.open(sealed.access_sealed)
            answer = crew.client.fetch(found.chatgpt_account_id or "", token, sealed.fedramp, now=crew.now, keep_raw=crew.keep_raw)
            self._done.put(_Asked(found, answer))
        except Unreadable:
            self._done.put(_Asked(found, _unopened()))
        except BaseException as error:  # a bug: raised again in the thread that waits for results
            self._done.put(error)

    def _gather(self) -> list[_Asked]:
        """Wait for a result and take along whatever else is there.

        Nothing is waited for on purpose: while one transaction runs, the results of the next one gather by themselves,
        and a slot that waits for company would stay empty.
        """
        gathered = [self._done.get()]
        while len(gathered) < BATCH and not self._done.empty():
            gathered.append(self._done.get())
        asked = []
        for one in gathered:
            if isinstance(one, BaseException):
                raise one
            asked.append(one)
        return asked

    def _store(self, tx: Connection, asked: list[_Asked]) -> list[Result]:
        for one in asked:
            self._in_flight.pop(one.account.id, None)
        answered = [a for a in asked if not a.answer.dropped]
        ids = [a.account.id for a in answered]
        windows, facts = latest.windows(tx, ids), latest.facts(tx, ids)
        now = self._crew.now()
        outcomes = [_outcome(tx, a, windows.get(a.account.id, []), self._crew.pace, now) for a in answered]
        stored = snapshots.record(tx, outcomes, self._claim_id, windows, facts)
        _mind_address(tx, outcomes, now)
        cut = [a.account.id for a in asked if a.answer.dropped]
        if cut:
            store.release(tx, self._claim_id, cut)
        by_id = {a.account.id: a.answer for a in answered}
        return [Result(o.account.id, o.account.name, o.status, o.fault, NETWORK, by_id[o.account.id]) for o in outcomes if o.account.id in stored]


def _unopened() -> Answer:
    fault = Fault("sealed_unreadable")
    return Answer(fault.status, fault=fault)


def _outcome(tx: Connection, asked: _Asked, known: Sequence[KnownWindow], pace: Pace, now: int) -> Outcome:
    """What an answer means for its account: what is stored, and when it is asked next."""
    found, answer = asked.account, asked.answer
    snapshot, fault = answer.snapshot, answer.fault
    if snapshot is not None and _is_somebody_else(tx, found, snapshot):
        snapshot, fault = None, Fault("bad_response", {"reason": "it speaks of another account", "http_status": 200})
    if snapshot is None:
        fault = fault or Fault("bad_response", {"reason": "it says nothing"})
        failures = found.failures + 1
        due_at = due.after_failure(found.id, fault.status, failures, answer.retry_after_s, now)
        return Outcome(found, now, None, fault, answer.duration_ms, failures, found.interval_s or pace.idle, due_at)
    block = quota.block_state(snapshot.facts, snapshot.readings, now)
    interval_s, due_at = due.after_success(found.id, pace, _rose_at(snapshot, known, now), [r.resets_at for r in snapshot.readings], block, now)
    return Outcome(found, now, snapshot, None, answer.duration_ms, 0, interval_s, due_at)


def _rose_at(snapshot: Snapshot, known: Sequence[KnownWindow], now: int) -> list[int | None]:
    """When each window last rose, this answer included."""
    before = {w.reading.key: w for w in known if w.gone_at is None and w.taken_at is not None}
    risen = [r.key for r in snapshot.readings if r.key in before and r.used_percent > before[r.key].reading.used_percent]
    return [now if w.reading.key in risen else w.rose_at for w in before.values()]


def _is_somebody_else(tx: Connection, found: Account, snapshot: Snapshot) -> bool:
    """Whether an answer names another user than the account's.

    The token's own claim settles it; else the user that earlier answers named. A first answer is only doubted
    when the user it names is, by its token, that of another account here: numbers must never cross over.
    """
    user = snapshot.identity.user_id
    if user is None or user == found.chatgpt_user_id:
        return False
    if found.answer_user_id is not None:
        return user != found.answer_user_id
    return found.chatgpt_user_id is not None and store.user_is_another(tx, found.id, user)


def _mind_address(tx: Connection, outcomes: Sequence[Outcome], now: int) -> None:
    """Leave the upstream alone for everybody's sake while it refuses this machine's address; one answer lifts that."""
    if any(o.snapshot is not None for o in outcomes):
        if site.read(tx).address_blocked_until is not None:
            site.block_address(tx, None)
        return
    refused = [o.failures for o in outcomes if o.status is Status.ADDRESS_BLOCKED]
    if refused:
        site.block_address(tx, now + due.address_block_seconds(max(refused)))


def _await_others(crew: Crew, held: Sequence[Account]) -> Iterator[Result]:
    """Wait for accounts that somebody else is asking, and yield what that came to."""
    until = time.monotonic() + AWAIT_FOR
    waiting = {a.id: a for a in held}
    while waiting and time.monotonic() < until and not crew.stop.is_set():
        crew.stop.wait(AWAIT_PAUSE)
        with engine.reading() as conn:
            now_known = store.by_ids(conn, waiting)
        for account_id in list(waiting):
            found = now_known.get(account_id)
            if found is None or found.claim_id is None:
                del waiting[account_id]
            if found is not None and found.claim_id is None:
                yield Result(found.id, found.name, found.last_status, found.fault, NETWORK)
    for found in waiting.values():
        yield Result(found.id, found.name, found.last_status, found.fault, None)
