"""What is said of the future at a moment: stored forecasts as far as they still hold, and which
account is to be used next. Pure.

Page, API and commands take both from here, so all of them say the same at one moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quota_web.core.display_order import Group
from quota_web.core.quota import DAILY, FIVE_HOUR, MONTHLY, WEEKLY, Reading, is_own
from quota_web.reports.overview import AccountView, Overview
from quota_web.store.forecasts import StoredForecast, StoredPool

#: The state of a forecast whose reading says nothing of now.
STALE = "stale"
#: The windows that a reason is about: what must last now, and what would expire.
SHORT_ONES, LONG_ONES = (FIVE_HOUR, DAILY), (WEEKLY, MONTHLY)


@dataclass(frozen=True, slots=True)
class NextReason:
    """Why an account is named, and the window that it is about."""

    code: str
    window: Reading | None


@dataclass(frozen=True, slots=True)
class Next:
    """Which account to use now."""

    #: None while none is usable.
    account: AccountView | None
    reasons: tuple[NextReason, ...] = ()
    #: The other usable ones, the next first.
    then: tuple[AccountView, ...] = ()
    #: While none is usable: when one is again, if that is known, and which.
    until: int | None = None
    waits_for: AccountView | None = None


def forecast_of(view: AccountView, key: str) -> StoredForecast | None:
    """What is said of a window of *view*; None where nothing was said yet.

    Nothing is known of the future once the reading is stale; a reset that has passed makes it so.
    """
    said = view.forecasts.get(key)
    if said is None or not view.stale:
        return said
    return replace(
        said, state=STALE, run_out_probability=None, blocked_by=None, run_out_in=None, rest=None
    )


def forecasts_of(view: AccountView) -> dict[str, StoredForecast]:
    """The same for each present window, in the windows' order."""
    said = {w.key: forecast_of(view, w.key) for w in view.windows}
    return {key: one for key, one in said.items() if one is not None}


FEW_DATA = "few_data"
#: States that say whether a window lasts, or would at its pace.
_FORESEEN = frozenset({"forecast", "blocked_by", FEW_DATA})


def foreseen(view: AccountView) -> tuple[str, StoredForecast] | None:
    """The tightest window of an account that can be used, where it is said whether it lasts."""
    found = tightest(view) if view.group is Group.USABLE else None
    return found if found is not None and found[1].state in _FORESEEN else None


def tightest(view: AccountView) -> tuple[str, StoredForecast] | None:
    """The account's own window that most likely runs out, with what is said of it."""
    own = [(key, one) for key, one in forecasts_of(view).items() if is_own(key)]
    return max(own, key=lambda pair: _danger(pair[1]), default=None)


def _danger(said: StoredForecast) -> tuple[float, bool, float]:
    return danger(said.state, said.run_out_probability, said.pace)


def danger(
    state: str, chance: float | None, pace: tuple[float, float] | None
) -> tuple[float, bool, float]:
    """Sorts windows by the chance; without one, by how far use is ahead of an even one, those
    first whose pace says whether they last. *pace*: used and even percent.
    """
    ahead = pace[0] - pace[1] if pace else -100.0
    return (-1.0 if chance is None else chance, state == FEW_DATA, ahead)


def next_of(seen: Overview) -> Next:
    """Which account to use now, out of those that *seen* shows."""
    usable = [a for a in seen.accounts if a.can_be_named]
    if usable:
        return Next(usable[0], _reasons(seen, usable[0]), tuple(usable[1:]))
    waiting = [a for a in seen.counted if a.group is Group.BLOCKED and a.block.until is not None]
    soonest = min(waiting, key=lambda a: a.block.until or 0, default=None)
    return Next(None, until=soonest.block.until if soonest else None, waits_for=soonest)


def pool_of(seen: Overview) -> StoredPool | None:
    """What is said of all accounts together; None where there is nothing to add up, where *seen*
    shows not all of them, or where something has become of one since.
    """
    pool = seen.choice.pool if seen.choice else None
    groups = {view.account.id: view.group for view in seen.accounts}
    known = (Group.USABLE, Group.BLOCKED)
    if pool is None or any(groups.get(i) not in known for i in pool.account_ids):
        return None
    return pool


def _reasons(seen: Overview, view: AccountView) -> tuple[NextReason, ...]:
    ranked = seen.choice.ranked if seen.choice else ()
    codes = next((r.reasons for r in ranked if r.account_id == view.account.id), ())
    return tuple(NextReason(code, _about(view, code)) for code in codes)


def _about(view: AccountView, code: str) -> Reading | None:
    wanted = SHORT_ONES if code == "carries" else LONG_ONES
    return _first(view.windows, wanted) or _first(view.windows, (*LONG_ONES, *SHORT_ONES))


def _first(windows: Sequence[Reading], keys: Sequence[str]) -> Reading | None:
    by_key = {w.key: w for w in windows}
    return next((by_key[key] for key in keys if key in by_key), None)
