"""Which account next and the order of all others, from what is known of accounts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quota_web.core.quota import FIVE_HOUR, MONTHLY, WEEKLY, Reading, is_own
from quota_web.foresight.choose import Candidate, choose
from quota_web.foresight.history import DAY, UNTOUCHED_S
from quota_web.foresight.workload import DEFAULT_EXCHANGE, DEFAULT_NEED, capacity
from quota_web.reports.overview import AccountView
from quota_web.store.forecasts import Ranked


@dataclass(frozen=True, slots=True)
class Terms:
    """What the choice is made by, beside the accounts."""

    now: int
    need: float = DEFAULT_NEED
    exchange: float = DEFAULT_EXCHANGE


def in_order(
    views: Sequence[AccountView], last_used: Mapping[int, int], terms: Terms
) -> tuple[Ranked, ...]:
    """The accounts that can be chosen, the one to use first, each with the reasons for its place.

    A fresh last answer goes before a failed one; an account with only credits left comes
    last, because they cost money. *last_used* is when each account was last seen in use, by its id.
    """
    tiers: dict[tuple[bool, bool], list[AccountView]] = {}
    for view in views:
        if view.can_be_named:
            tiers.setdefault((view.is_failing, uses_credits(view)), []).append(view)
    ranked: list[Ranked] = []
    for tier in sorted(tiers):
        ranked += _tier_in_order(tiers[tier], last_used, terms)
    return tuple(ranked)


def uses_credits(view: AccountView) -> bool:
    """Whether nothing is left of an account's own windows, or it has none."""
    own = [w for w in view.windows if is_own(w.key)]
    return not own or any(w.exhausted for w in own)


def main_windows(view: AccountView) -> tuple[Reading | None, Reading | None]:
    """The short window and the long one that an account is judged by; a month is like a week."""
    own = [w for w in view.windows if is_own(w.key)]
    by_key = {w.key: w for w in own}
    short = by_key.get(FIVE_HOUR) or next((w for w in own if (w.length_s or DAY + 1) <= DAY), None)
    others = [w for w in own if w is not short]
    return short, by_key.get(WEEKLY) or by_key.get(MONTHLY) or next(iter(others), None)


def _tier_in_order(
    views: Sequence[AccountView], last_used: Mapping[int, int], terms: Terms
) -> list[Ranked]:
    """By choosing again without those chosen so far."""
    ids = {view.account.name: view.account.id for view in views}
    left = {view.account.name: candidate(view, last_used) for view in views}
    ranked: list[Ranked] = []
    while left:
        chosen = choose(tuple(left.values()), terms.now, None, terms.need, terms.exchange)
        # Without candidates there is no name, and there are some.
        name = chosen.name or next(iter(left))
        del left[name]
        ranked.append(Ranked(ids[name], tuple(str(code) for code in chosen.reasons)))
    return ranked


def candidate(view: AccountView, last_used: Mapping[int, int]) -> Candidate:
    """The account as its last readings show it."""
    account, (short, long) = view.account, main_windows(view)
    week = long or short
    return Candidate(
        name=account.name,
        capacity=capacity(view.facts.plan if view.facts else None),
        five_hour_used=short.used_percent if short else None,
        five_hour_resets_at=_starts_from(short, account.taken_at),
        weekly_used=week.used_percent if week else 100.0,
        weekly_resets_at=_starts_from(week, account.taken_at),
        last_used_at=last_used.get(account.id, 0),
    )


def _starts_from(window: Reading | None, taken_at: int | None) -> int | None:
    """The window's reset; None where it has not started, and its reset slides with every poll."""
    if window is None or window.resets_at is None or taken_at is None:
        return None
    is_untouched = window.used_percent <= 1 and window.length_s is not None
    if is_untouched and abs(window.resets_at - taken_at - (window.length_s or 0)) <= UNTOUCHED_S:
        return None
    return window.resets_at
