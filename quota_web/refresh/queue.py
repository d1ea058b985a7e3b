"""Which accounts are due.

Reads only; an account is claimed when its request is really sent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.core import policy
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.policy import Intervals
from quota_web.core.quota import Status
from quota_web.store.accounts import DEMO, Account, Scope

#: Seconds after which the accounts are read again, whatever the last look came to.
LOOK_AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class DueAccounts:
    """The accounts that wait for a request, in the order in which these are sent."""

    #: Requested by the button; no back-off holds them up.
    requested: tuple[Account, ...]
    #: Due by their own time.
    due: tuple[Account, ...]
    #: How many accounts there are, and how many are being refreshed, by any process.
    accounts: int
    in_flight: int
    #: Before this moment no further account becomes due, unless the data change.
    next_due_at: int


def due_accounts(
    scope: Scope,
    pace: Intervals,
    claim_lasts: int,
    now: int,
    believed: Callable[[Sequence[Account]], Sequence[Account]] = tuple,
) -> DueAccounts:
    """Which accounts of *scope* are due at *now*; a claim counts for *claim_lasts* seconds.

    *believed* leaves out those whose rows are not to be believed.
    """
    with store.database.reading() as conn:
        address_blocked_until = store.site_state.read(conn).address_blocked_until
        accounts = store.accounts.list_all(conn)
    in_flight = [a for a in accounts if a.is_claimed(now, claim_lasts)]
    waiting = [
        a
        for a in accounts
        if scope.holds(a) and _may_be_refreshed(a) and not a.is_claimed(now, claim_lasts)
    ]
    requested = tuple(a for a in waiting if a.requested_at is not None)
    due_now = [a for a in waiting if a.requested_at is None and is_due(a, pace, now)]
    if policy.is_address_blocked(address_blocked_until, now):
        due_now = []
    next_due_at = min(
        [now + LOOK_AGAIN_S, *_moments(accounts, address_blocked_until, pace, claim_lasts, now)]
    )
    due_now.sort(key=lambda a: (a.next_due_at or 0, a.id))
    asked_now = list(believed(due_now))
    sent_now = _while_host_is_down(asked_now, accounts, len(in_flight), pace, now)
    return DueAccounts(
        requested,
        tuple(sent_now),
        len(accounts),
        len(in_flight),
        now if requested or due_now else next_due_at,
    )


def _moments(
    accounts: list[Account],
    address_blocked_until: int | None,
    pace: Intervals,
    claim_lasts: int,
    now: int,
) -> Iterator[int]:
    """When something becomes due by itself."""
    if address_blocked_until is not None and address_blocked_until > now:
        yield address_blocked_until
    for found in accounts:
        if found.next_due_at is not None and found.next_due_at > now:
            yield found.next_due_at
        if found.attempted_at is not None and found.attempted_at + pace.idle > now:
            # No account that answers waits longer, also if the settings were stretched since.
            yield found.attempted_at + pace.idle
        if found.claimed_at is not None and found.is_claimed(now, claim_lasts):
            yield found.claimed_at + claim_lasts


def is_due(found: Account, pace: Intervals, now: int) -> bool:
    """Whether an account's time has come, or its due time makes no sense any more."""
    if not _may_be_refreshed(found):
        return False
    if found.next_due_at is None:
        return found.last_status is Status.PENDING or _seemed_expired(found, now)
    return found.next_due_at <= now or _waits_too_long(found, found.next_due_at, pace, now)


def _may_be_refreshed(found: Account) -> bool:
    return (
        found.paused_at is None
        and found.last_status is not Status.INVALID_CREDENTIALS
        and found.origin != DEMO
    )


def _seemed_expired(found: Account, now: int) -> bool:
    """Whether a token was called expired by a clock that ran ahead and has been put right since."""
    expired_at = (
        found.fault.data.get("at")
        if found.fault is not None and found.fault.code == "token_expired"
        else None
    )
    return isinstance(expired_at, int) and expired_at > now


def _waits_too_long(found: Account, due_at: int, pace: Intervals, now: int) -> bool:
    """Whether no present rule would let an account wait for so long: the clock was put back, or the
    settings ask for more than they did.
    """
    attempted_at, interval_s = found.attempted_at, found.interval_s or pace.idle
    if due_at > now + policy.longest_wait(pace):
        return True
    if attempted_at is None:
        return False
    if attempted_at > now + CLOCK_SKEW_S:
        return True
    bound, is_slower = pace.idle, interval_s > pace.idle
    if due_at > attempted_at + policy.longest_ordinary(interval_s):
        # It waits for a reset.
        bound = policy.exhausted_interval(pace)
        is_slower = due_at > attempted_at + policy.longest_ordinary(bound)
    return found.last_status is Status.OK and is_slower and attempted_at + bound <= now


def _while_host_is_down(
    due_now: list[Account], accounts: list[Account], in_flight: int, pace: Intervals, now: int
) -> list[Account]:
    """All of them; or where every account failed lately, one, and that only if no request is
    under way and the pause is over.
    """
    latest = [
        (a.attempted_at, a.last_status)
        for a in accounts
        if a.attempted_at is not None and a.origin != DEMO
    ]
    is_down, until = policy.host_pause(latest, pace, now)
    if not is_down:
        return due_now
    return due_now[:1] if until is None and not in_flight else []
