"""How long the readings of an account say how things are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from quota_web.core import quota
from quota_web.core.limits import CLOCK_SKEW_S, FIRST_BELIEVABLE
from quota_web.core.quota import Block, Facts, Reading
from quota_web.store.accounts import Account

#: How long a reading whose window has reset since keeps its account's group: the schedule asks
#: for it first, and its numbers are only a little off.
RESET_GRACE_S = 600


def block(account: Account, facts: Facts | None, windows: Sequence[Reading], at: int) -> Block:
    """Whether what was answered last blocks an account at the moment *at*."""
    if facts is None or account.taken_at is None:
        return quota.NOT_BLOCKED
    return quota.block_state(facts, windows, account.taken_at, at)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when readings say how things are."""

    fresh_from: int
    stale_from: int
    #: A little longer than fresh: a window that has just reset takes no account out of its group.
    known_until: int


def validity(
    account: Account, facts: Facts | None, windows: Sequence[Reading], interval_s: int
) -> Validity | None:
    """How long the readings of an account hold; None where it has none.

    They are stale once older than twice the due interval (not while exhausted), or once a window
    has reset. A reset that was past already when the answer was taken says nothing of its age.
    """
    taken_at = account.taken_at
    if taken_at is None:
        return None
    ages_at = taken_at + 2 * due_interval(account, interval_s) + 1
    resets = [w.resets_at for w in windows if w.resets_at is not None and w.resets_at > taken_at]
    reset_at = min(resets, default=None)
    state = block(account, facts, windows, taken_at)
    if state.blocked and state.until is not None:
        stale_from, known_until = max(ages_at, state.until), state.until + RESET_GRACE_S
    else:
        stale_from, known_until = ages_at, ages_at
        if reset_at is not None:
            known_until = min(ages_at, reset_at + RESET_GRACE_S)
    stale_from = stale_from if reset_at is None else min(stale_from, reset_at)
    return Validity(fresh_from(taken_at), stale_from, known_until)


def fresh_from(taken_at: int) -> int:
    """From when on the age of a reading can be told: by a clock that is set and not behind it."""
    return max(FIRST_BELIEVABLE, taken_at - CLOCK_SKEW_S)


def due_interval(account: Account, interval_s: int) -> int:
    """The interval at which this account is due, in seconds."""
    return min(account.interval_s, interval_s) if account.interval_s else interval_s
