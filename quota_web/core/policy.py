"""When an account is asked next. Pure: takes `now` and what is known, and draws no random number
itself.

No two accounts are refreshed at once without need: a jitter by account spreads equal intervals,
and failures back off.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.quota import Block, Status

#: An account counts as in use this long after its used percent last rose.
ACTIVE_FOR = 1_800
#: A window that has come due is looked at this long after its reset: the upstream needs a moment.
AFTER_RESET = 5
#: An exhausted account is asked at its reset, and at the idle interval all the same, but not more
#: often than this: limits are also lifted by hand, and resets come early.
EXHAUSTED_LEAST = 1_800
BACKOFF_FIRST, BACKOFF_LAST, BACKOFF_FORBIDDEN_LAST = 300, 3_600, 21_600
RETRY_AFTER_LEAST, RETRY_AFTER_MOST = 60, 21_600
#: How long nothing is sent after the upstream refused this machine's address, doubled with each
#: time it still does.
ADDRESS_BLOCK = 900
#: An account whose sign-in is to be renewed first is looked at again after so many seconds.
RENEWING_PAUSE = 60
#: When so many accounts in a row failed for reasons that are not their own, the host is down for
#: all: one account at a time looks whether it is back.
HOST_DOWN_AFTER = 3
HOST_PAUSE_FIRST, HOST_PAUSE_LAST = 60, 900
#: A spread of ±10 % keeps accounts with equal intervals apart.
JITTER = 0.1

#: The schedule leaves these alone until a person acts or the credentials change.
_UNTIL_CHANGED = frozenset({Status.INVALID_CREDENTIALS, Status.EXPIRED, Status.DEACTIVATED})
#: These say more about the host than about the account, if others get the same.
_HOST_FAULTS = frozenset(
    {Status.UNREACHABLE, Status.UPSTREAM_ERROR, Status.BAD_RESPONSE, Status.RATE_LIMITED}
)


@dataclass(frozen=True, slots=True)
class Intervals:
    """The two intervals of the settings, in seconds."""

    idle: int
    active: int
    #: Exhausted accounts are asked as often as the others (an option of the classic service).
    skip_cache: bool = False


def interval(pace: Intervals, rose_at: Iterable[int | None], now: int) -> int:
    """How often an account that answers is asked, in seconds, by whether one of its windows rose
    lately.
    """
    in_use = any(at is not None and 0 <= now - at < ACTIVE_FOR for at in rose_at)
    return min(pace.active, pace.idle) if in_use else pace.idle


def after_success(
    account_id: int,
    pace: Intervals,
    rose_at: Iterable[int | None],
    resets: Iterable[int | None],
    block: Block,
    now: int,
) -> tuple[int, int]:
    """The interval in seconds and the epoch second at which an account that just answered is asked
    next.
    """
    if block.blocked and block.until is not None and block.until > now and not pace.skip_cache:
        # The spread is one-sided: before the reset there is nothing to see.
        at_reset = block.until + AFTER_RESET + spread(account_id, now, 30)
        least = exhausted_interval(pace)
        return pace.idle, min(at_reset, now + max(least, jittered(account_id, least, now)))
    is_due = block.blocked and any(at is not None and 0 <= now - at < ACTIVE_FOR for at in resets)
    # An answer that still says blocked after the reset will not say so for long.
    seconds = interval(pace, [now] if is_due else rose_at, now)
    due = now + jittered(account_id, seconds, now)
    coming = [at + AFTER_RESET for at in resets if at is not None and at > now]
    return seconds, min(
        [due, *(max(at, now + min(pace.active, pace.idle)) for at in coming if at < due)]
    )


def exhausted_interval(pace: Intervals) -> int:
    """How often an exhausted account is asked before its reset, in seconds."""
    return pace.idle if pace.skip_cache else max(EXHAUSTED_LEAST, pace.idle)


def after_failure(
    account_id: int, status: Status, failures: int, retry_after: int | None, now: int
) -> int | None:
    """When an account that failed is asked next by the schedule; None: not before something
    changes.

    *failures* counts this one too; *retry_after* is what the upstream asked for, in seconds.
    """
    if status in _UNTIL_CHANGED:
        return None
    if status is Status.RATE_LIMITED:
        return now + min(max(retry_after or 0, RETRY_AFTER_LEAST), RETRY_AFTER_MOST)
    last = (
        BACKOFF_FORBIDDEN_LAST
        if status in (Status.FORBIDDEN, Status.ADDRESS_BLOCKED)
        else BACKOFF_LAST
    )
    wait = min(BACKOFF_FIRST * 2 ** min(max(failures, 1) - 1, 10), last)
    return now + jittered(account_id, wait, now)


def is_address_blocked(until: int | None, now: int) -> bool:
    """Whether nothing may be sent now; a moment further ahead than any block is left from a clock
    that jumped.
    """
    return until is not None and now < until <= now + BACKOFF_FORBIDDEN_LAST


def address_block_seconds(times: int) -> int:
    """How long to leave the upstream alone when it refused this machine's address for the
    *times*-th time in a row.
    """
    return int(min(ADDRESS_BLOCK * 2 ** min(max(times, 1) - 1, 10), BACKOFF_FORBIDDEN_LAST))


def host_pause(
    latest: Iterable[tuple[int, Status]], pace: Intervals, now: int
) -> tuple[bool, int | None]:
    """Whether the host seems to be down for all accounts, and until when nothing is sent because of
    that.

    *latest* is each account's last attempt: when, and what came of it. The more accounts failed
    since one last answered, the longer the pause.
    """
    newest_first = sorted(((at, status) for at, status in latest if at <= now), reverse=True)
    failed = len(list(takewhile(lambda attempt: attempt[1] in _HOST_FAULTS, newest_first)))
    if failed < HOST_DOWN_AFTER:
        return False, None
    longest = min(HOST_PAUSE_LAST, max(HOST_PAUSE_FIRST, pace.idle))
    until = newest_first[0][0] + min(
        HOST_PAUSE_FIRST * 2 ** min(failed - HOST_DOWN_AFTER, 10), longest
    )
    return True, until if until > now else None


def longest_wait(pace: Intervals) -> int:
    """No due time that we set is further ahead than this; one that is comes from a clock that has
    been put back since.
    """
    return longest_ordinary(max(RETRY_AFTER_MOST, BACKOFF_FORBIDDEN_LAST, pace.idle)) + CLOCK_SKEW_S


def longest_ordinary(interval_s: int) -> int:
    """The longest wait that comes of an interval and its jitter; an account that waits longer waits
    for a reset.
    """
    return round(interval_s * (1 + JITTER)) + 1


def jittered(account_id: int, seconds: int, now: int) -> int:
    """*seconds* ± 10 %, by account and moment, so that equal intervals drift apart; at least 1."""
    share = spread(account_id, now, 2001) / 1000 - 1
    return max(1, round(seconds * (1 + JITTER * share)))


def spread(account_id: int, now: int, below: int) -> int:
    """A number from 0 to *below* − 1 that is fixed for an account at a moment, and different for
    the next account.
    """
    digest = hashlib.sha256(f"{account_id}:{now}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % below
