"""What one press of the refresh button came to, counted. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quota_web.core import display_order
from quota_web.core.language import gettext as _
from quota_web.core.language import ngettext
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
    #: Nothing was sent, and nothing is to be done: paused, used up and known, asked a moment ago,
    #: demo.
    skipped: int = 0

    @property
    def text(self) -> str:
        """`Asked 14: 11 new readings, 3 need a sign-in, 2 refused, 2 skipped`, in the current
        language.
        """
        parts = (
            ngettext("%(num)s new reading", "%(num)s new readings", self.new_readings),
            ngettext("%(num)s needs a sign-in", "%(num)s need a sign-in", self.need_sign_in),
            _("%(count)s refused", count=self.refused),
            _("%(count)s without a usable answer", count=self.unusable),
            _("%(count)s skipped", count=self.skipped),
        )
        counts = (self.new_readings, self.need_sign_in, self.refused, self.unusable, self.skipped)
        said = _(", ").join(part for part, count in zip(parts, counts, strict=True) if count)
        if not said:
            return _("Asked %(count)s", count=self.asked)
        return _("Asked %(count)s: %(said)s", count=self.asked, said=said)


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
