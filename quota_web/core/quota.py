"""Nouns and rules of quota: windows and their keys, readings, snapshots, statuses, and when an
account is blocked.

Pure: imports the standard library alone, and every decision takes `now`. Times are epoch seconds,
UTC.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

FIVE_HOUR = "five_hour"
DAILY = "daily"
WEEKLY = "weekly"
MONTHLY = "monthly"
UNKNOWN = "unknown"
SPEND = "spend"
MODEL_PREFIX = "model:"
CODE_REVIEW_PREFIX = "code_review:"
#: Stands between a feature and the name of one of the limits that meter it; in neither of the two.
_APART = "~"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")

#: How the kinds of a reached limit end that no credits of the account's own lift.
_BEYOND_CREDITS = ("_credits_depleted", "_usage_limit_reached")

#: Where the readings that a refresh shows come from.
NETWORK, CACHE = "network", "cache"

#: Lengths that have a word, in seconds; a window counts as one when it is within 5 % of it.
NAMED_LENGTHS = {FIVE_HOUR: 18_000, DAILY: 86_400, WEEKLY: 604_800, MONTHLY: 2_592_000}
LENGTH_TOLERANCE = 0.05


class Status(StrEnum):
    """What became of an account's last attempt; the words are part of the outside contract."""

    OK = "ok"
    PENDING = "pending"
    PAUSED = "paused"
    INVALID_CREDENTIALS = "invalid_credentials"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    FORBIDDEN = "forbidden"
    ADDRESS_BLOCKED = "address_blocked"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_ERROR = "upstream_error"
    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_response"


@dataclass(frozen=True, slots=True)
class Spend:
    """The amounts of a spend limit, as the upstream wrote them: decimal strings in *unit*."""

    limit: str | None
    used: str | None
    #: None where the answer names no unit.
    unit: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One window's used percent and reset time at one moment."""

    key: str
    #: As measured, 0 and up; spend limits really exceed 100.
    used_percent: float
    #: Epoch seconds; None where the answer gave none that can be true.
    resets_at: int | None = None
    #: None where the answer gave no length.
    length_s: int | None = None
    #: The upstream's own name of a limit that is not the account's own, such as
    #: `GPT-5.3-Codex-Spark`.
    upstream_name: str | None = None
    spend: Spend | None = None
    #: True where the answer had two different windows under this key, and this is the fuller one.
    conflict: bool = False

    @property
    def remaining_percent(self) -> float:
        return remaining(self.used_percent)

    @property
    def exhausted(self) -> bool:
        return self.used_percent >= 100


@dataclass(frozen=True, slots=True)
class Credits:
    """Pay-as-you-go credits of an account."""

    has_credits: bool
    unlimited: bool = False
    #: A decimal string; None with `has_credits` is a workspace pool whose amount is not told.
    balance: str | None = None
    overage_limit_reached: bool = False


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Whether an account may use one model."""

    model: str
    available: bool
    #: Epoch seconds from which it may; None where that is not told, or where it may already.
    available_at: int | None = None
    #: Whether credits would make it available before; None where the answer does not say.
    credits_would_enable: bool | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer says beside its windows; kept again only when it changes."""

    plan: str | None = None
    #: None where the answer does not say.
    allowed: bool | None = None
    limit_reached: bool | None = None
    reached_type: str | None = None
    spend_reached: bool = False
    credits: Credits | None = None
    #: Banked resets; None where the answer does not count them.
    reset_credits: int | None = None
    #: By model's name; empty where the answer names none.
    model_usage: tuple[ModelUsage, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and account that a response or a token names.

    One account id is shared by all members of a workspace.
    """

    account_id: str | None = None
    user_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All readings of one successful answer, with what else it said."""

    readings: tuple[Reading, ...]
    facts: Facts
    identity: Identity = Identity()


@dataclass(frozen=True, slots=True)
class Block:
    """Whether an account cannot be used now, and until when if that is known."""

    blocked: bool
    until: int | None = None


NOT_BLOCKED = Block(False)


def remaining(used_percent: float) -> float:
    """What is left of a window in percent, kept between 0 and 100."""
    return min(100.0, max(0.0, 100.0 - used_percent))


def key_for_length(seconds: int) -> str:
    """The stable key of a window of this length in seconds, such as `weekly` or `window:3600`."""
    for word, length in NAMED_LENGTHS.items():
        if abs(seconds - length) <= length * LENGTH_TOLERANCE:
            return word
    return f"window:{seconds}"


def is_own(key: str) -> bool:
    """Whether a key names one of the account's own windows: no model's, no code review's, no spend
    limit.
    """
    return key != SPEND and not key.startswith((MODEL_PREFIX, CODE_REVIEW_PREFIX))


def model_prefix(feature: str, name: str | None = None) -> str:
    """What the keys of a model's limit begin with.

    *name* tells it apart from another limit that meters the same feature.
    """
    if name is None:
        return f"{MODEL_PREFIX}{feature}:"
    part = _NOT_IN_NAMES.sub("_", name)[:32]
    if part != name:
        part = f"{part[:23]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{MODEL_PREFIX}{feature}{_APART}{part}:"


def with_known_keys(readings: Sequence[Reading], known: Iterable[Reading]) -> tuple[Reading, ...]:
    """The readings of an answer, each model's under the key that its limit had before.

    Whether a key holds the limit's name depends on which others stand in the answer; a limit that
    comes and goes must not split another one's history. *known* are the account's windows.
    """
    keys = {_limit_of(w): w.key for w in sorted(known, key=lambda w: _APART in w.key)}
    taken = {r.key for r in readings}
    found = []
    for reading in readings:
        key = keys.get(_limit_of(reading), reading.key) if reading.upstream_name else reading.key
        if key not in taken:
            taken.add(key)
            reading = replace(reading, key=key)
        found.append(reading)
    return tuple(found)


def _limit_of(window: Reading) -> tuple[str, str, str | None]:
    """What a window limits, whichever of its keys it goes by: feature, word and name."""
    prefix, _, word = window.key.removeprefix(MODEL_PREFIX).partition(":")
    return prefix.partition(_APART)[0], word, window.upstream_name


def usable_credits(facts: Facts) -> bool:
    """Whether credits pay for use beyond an exhausted window: unlimited ones, or a balance above 0.

    A pool whose amount is not told pays for nothing that could be counted on.
    """
    credits = facts.credits
    if credits is None or not credits.has_credits or credits.overage_limit_reached:
        return False
    if credits.unlimited:
        return True
    try:
        return credits.balance is not None and Decimal(credits.balance) > 0
    except InvalidOperation:
        return False


def exhausted_own(windows: Iterable[Reading]) -> list[Reading]:
    """The account's own windows that have nothing left."""
    return [w for w in windows if w.used_percent >= 100 and is_own(w.key)]


def block_state(facts: Facts, windows: Sequence[Reading], taken_at: int, now: int) -> Block:
    """Whether the account is blocked at *now*, judged from the answer that was taken at *taken_at*.

    A block is over once every exhausted window has reset. A reset that was past already when the
    answer was taken ends nothing: the answer knew better, or one of the two clocks is wrong.
    """
    if not _says_blocked(facts, windows):
        return NOT_BLOCKED
    exhausted = exhausted_own(windows)
    if facts.spend_reached:
        exhausted += [w for w in windows if w.key == SPEND]
    resets = [w.resets_at for w in exhausted if w.resets_at is not None]
    until = max(resets, default=None)
    if until is None or until <= taken_at:
        return Block(True)
    if until > now:
        return Block(True, until)
    return NOT_BLOCKED if len(resets) == len(exhausted) else Block(True)


def _says_blocked(facts: Facts, windows: Sequence[Reading]) -> bool:
    """Whether an answer says that the account cannot be used; the first rule that applies
    decides.
    """
    reached = facts.reached_type or ""
    if facts.spend_reached or reached.endswith(_BEYOND_CREDITS):
        return True
    if usable_credits(facts):
        return False
    if facts.allowed is False or facts.limit_reached is True or reached:
        return True
    if facts.allowed is True and facts.limit_reached is False:
        return False
    return bool(exhausted_own(windows))


def unavailable_models(facts: Facts, now: int) -> list[ModelUsage]:
    """The models that the account may not use at *now*."""
    return [
        model
        for model in facts.model_usage
        if not model.available and (model.available_at is None or model.available_at > now)
    ]


def cached_until(
    facts: Facts,
    windows: Sequence[Reading],
    taken_at: int,
    now: int,
    cache_s: int,
) -> int | None:
    """Until when the stored reading answers instead of a request; None if not at all.

    It does for *cache_s* seconds after it was taken, where a window that blocks is exhausted and
    its reset is still ahead.
    """
    until = block_state(facts, windows, taken_at, now).until
    if until is None or taken_at > now:
        return None
    until = min(until, taken_at + cache_s)
    return until if until > now else None
