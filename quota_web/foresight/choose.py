"""Which account to use now: start unstarted weeks, then drain what would expire with much left.

A week's clock starts with its first use, so an unstarted week is worth starting early. Pure: the
caller filters the candidates (usable, not paused, known) and passes what the next work needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

HOUR = 3600
#: Hours added to the way to a reset, so that the last hours of a window do not outweigh all others.
RESET_MARGIN_H = 6
#: The account in use stays unless another is this many times better: switching costs a cold cache.
STAY_FACTOR = 1.3


class Reason(StrEnum):
    """Why an account was chosen; the codes are part of the outside contract."""

    STARTS_WEEK = "starts_week"
    EXPIRES_SOONEST_WITH_REST = "expires_soonest_with_rest"
    CARRIES = "carries"
    KEPT = "kept"
    ONLY_ONE = "only_one"
    #: Said by the caller, which knows the blocked accounts: nothing can be used before a moment.
    NONE_UNTIL = "none_until"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A usable account as it stands now; percents are 0–100, times epoch seconds."""

    name: str
    #: Size of its five-hour window in Plus five-hour windows.
    capacity: float
    #: None where the account has no five-hour window.
    five_hour_used: float | None
    #: None where the window has not started; the same for the week.
    five_hour_resets_at: int | None
    weekly_used: float
    weekly_resets_at: int | None
    #: 0 where it was never seen in use.
    last_used_at: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The account to use, None for no candidates, and why: the reason that decided most first."""

    name: str | None
    reasons: tuple[Reason, ...]


def choose(
    candidates: Sequence[Candidate],
    now: int,
    current: str | None,
    need: float,
    exchange: float,
) -> Choice:
    """Choose among *candidates*.

    *need* is what the next quarter of an hour may take, in percent of a Plus five-hour window;
    *exchange* how many weekly points one five-hour point costs.
    """
    if not candidates:
        return Choice(None, ())
    if len(candidates) == 1:
        return Choice(candidates[0].name, (Reason.ONLY_ONE,))
    able = [c for c in candidates if _carries(c, exchange) >= need]
    if not able:
        most = max(candidates, key=lambda c: _carries(c, exchange))
        return Choice(most.name, (Reason.CARRIES,))
    chosen, reason = _among_able(able, now, current)
    if len(able) == len(candidates):
        return Choice(chosen.name, (reason,))
    if len(able) == 1 and reason is not Reason.STARTS_WEEK:
        return Choice(chosen.name, (Reason.CARRIES,))
    return Choice(chosen.name, (Reason.CARRIES, reason))


def _among_able(
    able: Sequence[Candidate],
    now: int,
    current: str | None,
) -> tuple[Candidate, Reason]:
    unstarted = [c for c in able if c.weekly_resets_at is None]
    if unstarted:
        largest = max(unstarted, key=lambda c: (c.capacity, -c.weekly_used))
        return largest, Reason.STARTS_WEEK
    urgencies = [_urgency(c, now) for c in able]
    most = max(urgencies)
    best, in_use = able[urgencies.index(most)], _in_use(able, current)
    if in_use and in_use is not best and most < STAY_FACTOR * _urgency(in_use, now):
        return in_use, Reason.KEPT
    return best, Reason.EXPIRES_SOONEST_WITH_REST


def _carries(candidate: Candidate, exchange: float) -> float:
    """How much work fits before one of its windows is exhausted, in percent of a Plus window."""
    # Spelled out: a pool weighs all accounts ten thousand times.
    rest = (100 - candidate.weekly_used) / exchange
    five_hour_used = candidate.five_hour_used
    if five_hour_used is not None and 100 - five_hour_used < rest:
        rest = 100 - five_hour_used
    return rest * candidate.capacity


def _urgency(candidate: Candidate, now: int) -> float:
    """The weekly rest that an hour must take until the reset, or it expires unused."""
    resets_at = candidate.weekly_resets_at
    hours = (resets_at - now) / HOUR if resets_at is not None and resets_at > now else 0
    return (100 - candidate.weekly_used) / (hours + RESET_MARGIN_H)


def _in_use(able: Sequence[Candidate], current: str | None) -> Candidate | None:
    """The account used last: *current* where it is still able, else by the time of its last use."""
    for candidate in able:
        if candidate.name == current:
            return candidate
    latest = max(able, key=attrgetter("last_used_at"))
    return latest if latest.last_used_at > 0 else None
