"""Act: ask for what the settings want to know beside quota, for a few accounts at a time and never
in a request. What fails changes no status.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.codex import extra_answers
from quota_web.core import clock
from quota_web.core.extra_facts import NOT_ASKED, Extra
from quota_web.core.quota import Status
from quota_web.extras import asking, extra_pace
from quota_web.services import Services, services
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.recording import Recorded

logger = logging.getLogger(__name__)

#: One process makes a pass at most so often, and asks for so much in one: many accounts at one
#: instant from one address would look like what they are not.
EVERY_S, AT_ONCE = 50.0, 2


@dataclass(frozen=True, slots=True)
class _Due:
    account: Account
    sealed: EncryptedCredential
    kind: str
    known: Extra


class ExtrasPass:
    """The accounts that were answered and are still to be looked at, in one process."""

    def __init__(
        self,
        now: Callable[[], int] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._ran_at = float("-inf")
        self._answered: set[int] = set()
        self._lock = threading.Lock()

    def note(self, recorded: Sequence[Recorded]) -> None:
        """Remember whose quota was read: nothing is asked for an account that is not answered."""
        read = {one.outcome.account.id for one in recorded if one.outcome.status is Status.OK}
        with self._lock:
            self._answered |= read

    def run(self) -> None:
        """Ask for some of what is due."""
        present, at = services(), self._monotonic()
        kinds = present.settings.extras
        if not kinds or at - self._ran_at < EVERY_S:
            return
        self._ran_at = at
        with self._lock:
            answered, self._answered = self._answered, set()
        due = _due(kinds, answered, self._now())
        left = due[AT_ONCE:]
        for number, one in enumerate(due[:AT_ONCE]):
            if present.stop.is_set() or not _ask(present, one, self._now):
                left = due[number + 1 :]
                break
        with self._lock:
            self._answered |= {one.account.id for one in left}


def _due(kinds: Sequence[str], answered: set[int], now: int) -> list[_Due]:
    """What is to be asked for: what a person waits for first, then what was asked least lately."""
    with store.database.reading() as conn:
        ids = sorted(answered | set(store.extras.wanted(conn, kinds)))
        blocked_until = store.site_state.read(conn).address_blocked_until
        if not ids or (blocked_until or 0) > now:
            return []
        known = store.extras.known(conn, kinds, ids)
        rests = {kind: store.extras.rests_until(conn, kind) for kind in kinds}
        accounts = store.accounts.get_by_ids(conn, ids)
        sealed = store.credentials.get_by_ids(conn, ids)
    due = [
        _Due(found, sealed[i], kind, extra)
        for i, found in accounts.items()
        if i in sealed and asking.may_be_asked(found) and not _has_ended(sealed[i], now)
        for kind in kinds
        if extra_pace.is_due(kind, extra := known.get(i, {}).get(kind, NOT_ASKED), rests[kind], now)
    ]
    return sorted(due, key=lambda one: (one.known.wanted_at is None, one.known.asked_at or 0))


def _has_ended(sealed: EncryptedCredential, now: int) -> bool:
    return sealed.access_expires_at is not None and sealed.access_expires_at <= now


def _ask(present: Services, one: _Due, clock_now: Callable[[], int]) -> bool:
    """Ask for one fact and store what came of it; whether to go on with the next."""
    account_id, login_id = one.account.id, one.account.chatgpt_account_id or ""
    with store.database.transaction() as tx:
        if not store.extras.claim(tx, account_id, one.kind, login_id, one.known, clock_now()):
            return True
    path = extra_answers.path(one.kind, login_id)
    answer = asking.ask(present, one.account, one.sealed, path, clock_now())
    if answer is None:
        return True
    now = clock_now()
    found = extra_pace.after(one.kind, one.known, answer, login_id, now)
    if found.fault is not None:
        logger.info("%s: no %s: %s", one.account.name, one.kind, found.fault.code)
    with store.database.transaction() as tx:
        if account_id not in store.accounts.get_by_ids(tx, [account_id]):
            return True
        store.extras.put(tx, account_id, one.kind, found)
        if (found.data, found.fault) != (one.known.data, one.known.fault):
            store.accounts.bump_version(tx, account_id)
            store.site_state.bump_version(tx, now)
    return not asking.ends_pass(answer)
