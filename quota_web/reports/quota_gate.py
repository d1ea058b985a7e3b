"""Whether work may go on with an account: enough is left of each window, for sure. Pure.

Whatever is not known for sure means stop.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quota_web.core.display_order import Group
from quota_web.core.errors import BadInput
from quota_web.core.quota import FIVE_HOUR, Reading, is_own
from quota_web.core.times import iso
from quota_web.reports.overview import AccountView
from quota_web.reports.results_json import number

#: Percent of each window that must be left.
LEAST_LEFT = 5.0
#: Short ways to write a window's key.
SHORT_KEYS = {"5h": FIVE_HOUR}


class Advice(StrEnum):
    """What a guarded account allows."""

    GO_ON = "go_on"
    TOO_LITTLE = "too_little"
    BLOCKED = "blocked"
    PAUSED = "paused"
    #: Never read, it needs a person, or its last answer holds none of its own windows.
    UNKNOWN = "unknown"
    #: Too old, or of an age that the clock cannot tell.
    STALE = "stale"
    FAILING = "failing"


#: Exit statuses; part of the outside contract.
EXITS = {Advice.GO_ON: 0, Advice.TOO_LITTLE: 10, Advice.BLOCKED: 11, Advice.PAUSED: 11}
STOP = 12


@dataclass(frozen=True, slots=True)
class Guarded:
    """One account, what it allows, and the windows that have less left than they must."""

    view: AccountView
    advice: Advice
    short_of: tuple[tuple[Reading, float], ...] = ()

    @property
    def exit_status(self) -> int:
        return EXITS.get(self.advice, STOP)


def parse_least(text: str) -> dict[str, float]:
    """`5h=10,weekly=5` as window keys and percents. Raises BadInput."""
    least: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, number = (word.strip() for word in part.partition("="))
        try:
            percent = float(number)
        except ValueError:
            percent = math.nan
        if not key or not 0 <= percent <= 100:
            raise BadInput(
                "min", f"{part}: give WINDOW=PERCENT with 0 to 100, such as 5h=10,weekly=5"
            )
        least[SHORT_KEYS.get(key, key)] = percent
    return least


def judge(view: AccountView, least: Mapping[str, float]) -> Guarded:
    """What *view* allows; a window that *least* does not name must have LEAST_LEFT."""
    if view.group is Group.PAUSED:
        return Guarded(view, Advice.PAUSED)
    if view.group is Group.BLOCKED:
        return Guarded(view, Advice.BLOCKED)
    if view.group is Group.ATTENTION or view.account.taken_at is None:
        return Guarded(view, Advice.UNKNOWN)
    if view.is_failing:
        return Guarded(view, Advice.FAILING)
    if view.stale or view.group is not Group.USABLE:
        return Guarded(view, Advice.STALE)
    if not is_limit_known(view):
        return Guarded(view, Advice.UNKNOWN)
    wanted = {w.key: least.get(w.key, LEAST_LEFT) for w in view.windows if _counts(w, least)}
    short_of = tuple(
        (w, wanted[w.key])
        for w in view.windows
        if w.key in wanted and w.remaining_percent < wanted[w.key]
    )
    return Guarded(view, Advice.TOO_LITTLE if short_of else Advice.GO_ON, short_of)


def is_limit_known(view: AccountView) -> bool:
    """Whether a window of its own was read, or nothing limits it: its credits are unlimited."""
    if any(is_own(window.key) for window in view.windows):
        return True
    credits = view.facts.credits if view.facts else None
    return credits is not None and credits.unlimited


def _counts(window: Reading, least: Mapping[str, float]) -> bool:
    """The account's own windows, and any other that is named."""
    return is_own(window.key) or window.key in least


def document(found: Guarded, least: Mapping[str, float]) -> dict[str, Any]:
    """The same as JSON."""
    view = found.view
    return {
        "account": view.account.name,
        "advice": found.advice,
        "exit_status": found.exit_status,
        "blocked_until": iso(view.block.until),
        "taken_at": iso(view.account.taken_at),
        "windows": [
            {
                "key": w.key,
                "remaining_percent": number(w.remaining_percent),
                "least_percent": number(least.get(w.key, LEAST_LEFT)),
            }
            for w in view.windows
            if _counts(w, least)
        ],
    }
