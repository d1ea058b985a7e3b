"""What one press of the refresh button came to, counted. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quota_web.core import display_order
from quota_web.core.quota import Status
from quota_web.store.accounts import DEMO, Account

_REFUSED = frozenset({Status.FORBIDDEN, Status.RATE_LIMITED, Status.ADDRESS_BLOCKED})


@dataclass(frozen=True, slots=True)
class RefreshCounts:
    """How many accounts a request was sent for, and what became of all that were meant."""

    asked: int = 0
    new_readings: int = 0
    #: Asked or not: without a person nothing comes of them.
    need_sign_in: int = 0
    refused: int = 0
    unusable: int = 0
    #: Nothing was sent, and nobody needs to act: paused, used up and known, asked a moment ago,
    #: demo.
    skipped: int = 0

    @property
    def text(self) -> str:
        """`Asked 14: 11 new readings, 3 need a sign-in, 2 refused, 2 skipped`."""
        parts = [
            _counted(self.new_readings, "new reading", "new readings"),
            _counted(self.need_sign_in, "needs a sign-in", "need a sign-in"),
            _counted(self.refused, "refused"),
            _counted(self.unusable, "without a usable answer"),
            _counted(self.skipped, "skipped"),
        ]
        said = ", ".join(part for part in parts if part)
        return f"Asked {self.asked}: {said}" if said else f"Asked {self.asked}"


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one}" if count else ""


def count(attempted_before: Mapping[int, int | None], after: Iterable[Account]) -> RefreshCounts:
    """Count what a refresh came to; *attempted_before* is when each account was asked last before
    it, by id.
    """
    found = dict.fromkeys(RefreshCounts.__slots__, 0)
    for account in after:
        was_asked = account.attempted_at != attempted_before.get(account.id)
        found["asked"] += was_asked
        found[_became(account, was_asked)] += 1
    return RefreshCounts(**found)


def _became(account: Account, was_asked: bool) -> str:
    status = account.status
    if status in display_order.NEEDS_A_PERSON and account.origin != DEMO:
        return "need_sign_in"
    if not was_asked:
        return "skipped"
    if status is Status.OK:
        return "new_readings"
    return "refused" if status in _REFUSED else "unusable"
