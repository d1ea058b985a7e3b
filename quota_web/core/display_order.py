"""Which group an account belongs to and in what order accounts are shown: on pages, in the API, in
tables.

Pure. The one place for both rules; only the classic command has an order of its own.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from quota_web.core import names, quota
from quota_web.core.quota import DAILY, FIVE_HOUR, MONTHLY, SPEND, WEEKLY, Block, Reading, Status


class Group(StrEnum):
    """What an account is good for at a moment, in the order in which groups are shown."""

    USABLE = "usable"
    BLOCKED = "blocked"
    #: Needs a person: a sign-in, credentials, an owner who activates it.
    ATTENTION = "attention"
    #: Never read, or so long ago that the numbers say nothing about now.
    UNKNOWN = "unknown"
    PAUSED = "paused"


GROUPS = tuple(Group)
#: These stay as they are until a person acts.
NEEDS_A_PERSON = frozenset({Status.INVALID_CREDENTIALS, Status.EXPIRED, Status.DEACTIVATED})
_NEVER_TRIED = frozenset({Status.OK, Status.PENDING, Status.PAUSED})

#: Group, last attempt failed, three numbers of the group's own order, and the name.
Order = tuple[int, bool, float, float, float, float, str]


def group(status: Status, block: Block, is_known: bool) -> Group:
    """An account's group; *is_known*: it has readings that still say how things are."""
    if status is Status.PAUSED:
        return Group.PAUSED
    if status in NEEDS_A_PERSON:
        return Group.ATTENTION
    if block.blocked:
        return Group.BLOCKED
    return Group.USABLE if is_known else Group.UNKNOWN


def is_failing(status: Status) -> bool:
    """Whether the last attempt gave no answer that could be used."""
    return status not in _NEVER_TRIED


def order(
    group: Group, status: Status, block: Block, windows: Sequence[Reading], name: str
) -> Order:
    """Sorts accounts for showing: what can be used first, best first.

    Within a group, an account whose last attempt failed stands behind all that answered. Usable
    and unknown ones are sorted by what is left, blocked ones by when they are back.
    """
    numbers: tuple[float, float, float, float] = (0, 0, 0, 0)
    if group is Group.BLOCKED:
        numbers = (_or_last(block.until), 0, 0, 0)
    elif group in (Group.USABLE, Group.UNKNOWN):
        numbers = _by_what_is_left(windows)
    return (GROUPS.index(group), is_failing(status), *numbers, names.fold(name))


def placed(order: Order, place: int | None, *, is_behind: bool) -> tuple[object, ...]:
    """Sorts like *order*, usable accounts by their *place* in the order of use first.

    *is_behind*: it cannot be named, since it is stale, or repeats a login. Such ones stand behind
    all that can be, and those without a place behind the others of their kind.
    """
    if order[0] != GROUPS.index(Group.USABLE):
        return (order[0], False, order[1], 0.0, *order[2:])
    return (order[0], is_behind, order[1], _or_last(place), *order[2:])


def _by_what_is_left(windows: Sequence[Reading]) -> tuple[float, float, float, float]:
    """Five-hour left (most first), then weekly, then the sooner reset.

    Without a five-hour window the fullest-used of the account's own takes its place.
    An account with nothing left, or no window at all, uses credits: last, because they cost money.
    """
    own = [w for w in windows if quota.is_own(w.key)]
    if not own:
        return (1, 0, 0, 0)
    by_key = {w.key: w for w in own}
    first = by_key.get(FIVE_HOUR) or min(own, key=lambda w: w.remaining_percent)
    week = by_key.get(WEEKLY)
    return (
        any(w.exhausted for w in own),
        -first.remaining_percent,
        -week.remaining_percent if week else _none_left(by_key, first),
        _or_last((week or first).resets_at),
    )


def _none_left(by_key: dict[str, Reading], first: Reading) -> float:
    """What stands for a weekly window that is not there: with a five-hour one, nothing."""
    return 1.0 if FIVE_HOUR in by_key else -first.remaining_percent


_FIRST_WINDOWS = (FIVE_HOUR, DAILY, WEEKLY, MONTHLY)


def window_order(key: str) -> int:
    """Sorts an account's windows: short to long, others of its own, those of models, spending."""
    if key in _FIRST_WINDOWS:
        return _FIRST_WINDOWS.index(key)
    return 6 if key == SPEND else 4 if quota.is_own(key) else 5


def classic_order(windows: Iterable[Reading], name: str) -> tuple[float, float, float, str]:
    """The classic command's order: five-hour left, most first and none last, then weekly, reset,
    name.
    """
    by_key = {w.key: w for w in windows}
    five, week = by_key.get(FIVE_HOUR), by_key.get(WEEKLY)
    left = [-w.remaining_percent if w else 1.0 for w in (five, week)]
    return (left[0], left[1], _or_last(week.resets_at if week else None), names.fold(name))


def _or_last(at: int | None) -> float:
    return float("inf") if at is None else at
