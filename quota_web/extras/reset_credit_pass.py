"""Act: ask for the lists of banked resets of accounts whose quota was just read, one after the
other. What fails changes nothing.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.codex import reset_credits
from quota_web.codex.classify import Classification
from quota_web.codex.payload import BadPayload
from quota_web.codex.reset_credits import ResetList
from quota_web.core import clock
from quota_web.extras import asking, reset_listing
from quota_web.services import Services, services
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.recording import Recorded
from quota_web.store.reset_credits import ListState

logger = logging.getLogger(__name__)

#: How long one pass may take; what is left is asked for after a later refresh.
PASS_S = 15.0
_NOTHING = ResetList((), frozenset())


@dataclass(frozen=True, slots=True)
class _Due:
    account: Account
    sealed: EncryptedCredential
    count: int
    state: ListState


class ResetCreditPass:
    """The accounts that were answered since the last pass, in one process."""

    def __init__(self, now: Callable[[], int] = clock.now) -> None:
        self._now = now
        #: The count of banked resets in each account's last answer, by account id.
        self._counts: dict[int, int] = {}
        self._lock = threading.Lock()

    def note(self, recorded: Sequence[Recorded]) -> None:
        """Remember whose quota was read: lists are asked for after a refresh alone."""
        with self._lock:
            for one in recorded:
                if one.outcome.snapshot is None:
                    continue
                account_id, count = one.outcome.account.id, one.outcome.snapshot.facts.reset_credits
                if count is None:
                    # Where no count is said there is no list to ask for.
                    self._counts.pop(account_id, None)
                else:
                    self._counts[account_id] = count

    def run(self) -> None:
        """Ask for the lists that are due. In no transaction, and never in a request."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        present, now = services(), self._now()
        until = clock.monotonic() + PASS_S
        for one in _due(counts, now):
            if present.stop.is_set() or clock.monotonic() >= until:
                return
            if not _ask(present, one, self._now):
                return


def _due(counts: Mapping[int, int], now: int) -> list[_Due]:
    """The accounts whose list is due; where none is left to spend, what was listed has gone.

    *counts* are those of answers, by account id.
    """
    with store.database.reading() as conn:
        states = store.reset_credits.states(conn, list(counts))
        wanted = [
            i for i, n in counts.items() if reset_listing.is_due(n, states.get(i, ListState()), now)
        ]
        accounts = store.accounts.get_by_ids(conn, wanted) if wanted else {}
        sealed = store.credentials.get_by_ids(conn, wanted) if wanted else {}
        listed = store.reset_credits.with_rows(conn, [i for i, n in counts.items() if n == 0])
    for account_id in listed:
        _store(account_id, _NOTHING, ListState(0, now), now)
    return [
        _Due(accounts[i], sealed[i], counts[i], states.get(i, ListState()))
        for i in wanted
        if i in accounts and i in sealed and asking.may_be_asked(accounts[i])
    ]


def _ask(present: Services, one: _Due, clock_now: Callable[[], int]) -> bool:
    """Ask for one list and store it; whether to go on with the next."""
    now, account_id = clock_now(), one.account.id
    with store.database.transaction() as tx:
        until = now + reset_listing.UNDER_WAY_S
        if not store.reset_credits.claim(tx, account_id, one.state, until):
            return True
    answer = asking.ask(present, one.account, one.sealed, reset_credits.PATH, now)
    if answer is None:
        return True
    now = clock_now()
    found = _parsed(one.account.name, answer)
    if found is not None:
        _store(account_id, found, ListState(one.count, now), now)
        return True
    state = ListState(one.state.count, one.state.listed_at, reset_listing.retry_at(answer, now))
    with store.database.transaction() as tx:
        store.reset_credits.note(tx, account_id, state)
    return not asking.ends_pass(answer)


def _parsed(name: str, answer: Classification) -> ResetList | None:
    if answer.fault is not None:
        logger.info("%s: no list of banked resets: %s", name, answer.fault.code)
        return None
    try:
        return reset_credits.parse(answer.document)
    except BadPayload as bad:
        logger.info("%s: %s", name, bad)
        return None


def _store(account_id: int, found: ResetList, state: ListState, now: int) -> None:
    """Store a list and what has gone since the one before."""
    with store.database.transaction() as tx:
        if account_id not in store.accounts.get_by_ids(tx, [account_id]):
            return
        before = store.reset_credits.states(tx, [account_id]).get(account_id, ListState())
        known = store.reset_credits.listed(tx, [account_id]).get(account_id, ())
        uses = store.reset_credits.uses_since(tx, account_id, before.listed_at or now)
        ended = reset_listing.gone(known, found, uses, now)
        store.reset_credits.end(tx, account_id, ended, now)
        store.reset_credits.put(tx, account_id, found.available, now)
        store.reset_credits.note(tx, account_id, state)
        if ended or set(known) != set(found.available):
            store.accounts.bump_version(tx, account_id)
            store.site_state.bump_version(tx, now)
