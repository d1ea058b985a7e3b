"""Early resets that come to most accounts within the same hours: the provider reset them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: Resets belong together within so many seconds.
SAME_HOURS_S = 6 * 3_600
#: Of at least so many accounts that had used something, at least so large a share.
LEAST_ACCOUNTS, SHARE = 3, 0.6


@dataclass(frozen=True, slots=True)
class EarlyReset:
    """An early reset of one window that nothing in its account explains."""

    account: str
    window: str
    at: int
    told_at: int
    #: Whose the account is: accounts of one login count once.
    login: str
    #: None while it stands.
    withdrawn_at: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderReset:
    """One reset of many accounts, made of the early resets that it explains."""

    at: int
    told_at: int
    parts: tuple[EarlyReset, ...]
    #: How many logins had used something, those that reset among them.
    accounts: int
    #: The moment from which too few of its parts stood.
    withdrawn_at: int | None = None


#: The logins of which more than 1 % was used at a moment.
UsedAt = Callable[[int], set[str]]


def provider_resets(resets: Iterable[EarlyReset], used_at: UsedAt) -> list[ProviderReset]:
    """Every provider-wide reset among *resets*; those that lost too many parts to flaps as well."""
    found: list[ProviderReset] = []
    resets = list(resets)
    standing = [r for r in resets if r.withdrawn_at is None]
    for group in components(standing):
        found += _among(group, used_at)
    taken = {part for reset in found for part in reset.parts}
    if len(standing) < len(resets):
        for group in components([r for r in resets if r not in taken]):
            found += _lost(_among(group, used_at))
    return sorted(found, key=lambda reset: reset.at)


def components(resets: Iterable[EarlyReset]) -> list[list[EarlyReset]]:
    """The resets in groups that no chain of distances of up to the same hours connects."""
    groups: list[list[EarlyReset]] = []
    for reset in sorted(resets, key=lambda r: (r.at, r.account, r.window)):
        if groups and reset.at - groups[-1][-1].at <= SAME_HOURS_S:
            groups[-1].append(reset)
        else:
            groups.append([reset])
    return groups


def _among(group: Sequence[EarlyReset], used_at: UsedAt) -> list[ProviderReset]:
    """The provider's resets in *group*: hours in which most accounts reset, fullest first."""
    found, left = [], list(group)
    while (best := _fullest(left, used_at)) is not None:
        found.append(best)
        left = [reset for reset in left if reset not in best.parts]
    return found


def _fullest(group: Sequence[EarlyReset], used_at: UsedAt) -> ProviderReset | None:
    best, best_rank = None, (0, 0)
    if len({reset.login for reset in group}) < LEAST_ACCOUNTS * SHARE:
        return None
    for index, first in enumerate(group):
        parts = tuple(r for r in group[index:] if r.at - first.at <= SAME_HOURS_S)
        rank = (len({part.account for part in parts}), first.at - parts[-1].at)
        if rank > best_rank or best is None:
            reset = _reset_of(parts, used_at(first.at))
            best, best_rank = (reset, rank) if reset is not None else (best, best_rank)
    return best


def _reset_of(parts: tuple[EarlyReset, ...], used: set[str]) -> ProviderReset | None:
    """*parts* as one reset from the moment at which enough of them had been seen, or None."""
    accounts = len(used | {part.login for part in parts})
    for told_at in sorted({part.told_at for part in parts}):
        if _is_enough(_standing(parts, told_at), accounts):
            return ProviderReset(parts[0].at, told_at, parts, accounts)
    return None


def _is_enough(parts: Iterable[EarlyReset], accounts: int) -> bool:
    reset = len({part.login for part in parts})
    return accounts >= LEAST_ACCOUNTS and reset >= SHARE * accounts


def _standing(parts: Iterable[EarlyReset], at: int) -> list[EarlyReset]:
    """The parts that were told by *at* and not withdrawn by then."""
    return [p for p in parts if p.told_at <= at and (p.withdrawn_at is None or p.withdrawn_at > at)]


def _lost(resets: Iterable[ProviderReset]) -> list[ProviderReset]:
    """Provider's resets of which parts were withdrawn later, with the moment that left too few."""
    lost = []
    for reset in resets:
        ends = sorted({p.withdrawn_at for p in reset.parts if p.withdrawn_at is not None})
        for end in ends:
            if end > reset.told_at and not _is_enough(_standing(reset.parts, end), reset.accounts):
                parts, accounts = reset.parts, reset.accounts
                lost.append(ProviderReset(reset.at, reset.told_at, parts, accounts, end))
                break
    return lost
