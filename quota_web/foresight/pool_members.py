"""Which accounts make up the pool, how they stand, and which are left out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quota_web.core.display_order import Group
from quota_web.core.quota import is_own
from quota_web.foresight.choose import Candidate
from quota_web.foresight.ordering import candidate
from quota_web.foresight.workload import is_size_known
from quota_web.reports.overview import AccountView

#: With fewer there is nothing to add up.
LEAST_ACCOUNTS = 2


@dataclass(frozen=True, slots=True)
class Members:
    """The accounts of the pool, and those that it leaves out; each login is counted once."""

    views: tuple[AccountView, ...]
    #: It is unknown what is left of these, or they have no week of their own.
    left_out: tuple[AccountView, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(view.account.id for view in self.views)

    @property
    def of_assumed_size(self) -> tuple[int, ...]:
        """Those whose plan's size is not known, so that they count like Plus."""
        return tuple(v.account.id for v in self.views if not is_size_known(_plan(v)))


def members(views: Sequence[AccountView]) -> Members:
    """Split *views*, in an order that does not change; paused accounts are in neither part."""
    counted = [v for v in views if v.same_login_as is None and v.group is not Group.PAUSED]
    counted.sort(key=lambda view: view.account.id)
    inside = tuple(v for v in counted if _is_inside(v))
    return Members(inside, tuple(v for v in counted if not _is_inside(v)))


def _is_inside(view: AccountView) -> bool:
    if view.weekly is None or view.group not in (Group.USABLE, Group.BLOCKED) or view.is_failing:
        return False
    # What blocks it otherwise, such as a spending limit, has no quota to add.
    own = [w for w in view.windows if is_own(w.key)]
    return view.group is Group.USABLE or any(w.exhausted for w in own)


def as_it_stands(view: AccountView, last_used: Mapping[int, int], now: int) -> Candidate:
    """The account at *now*: a window whose reset has just passed is full again."""
    account = candidate(view, last_used)
    if account.weekly_resets_at is not None and account.weekly_resets_at <= now:
        account = replace(account, weekly_used=0.0, weekly_resets_at=None)
    if account.five_hour_resets_at is not None and account.five_hour_resets_at <= now:
        account = replace(account, five_hour_used=0.0, five_hour_resets_at=None)
    return account


def _plan(view: AccountView) -> str | None:
    return view.facts.plan if view.facts else None
