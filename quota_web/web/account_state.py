"""What a person should make of an account: its state in a word with what to do, and which of its
windows are its own; pure.

Rows are entries of `/api/results`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quota_web.core import labels
from quota_web.core.display_order import Group
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.quota import FIVE_HOUR, SPEND, WEEKLY, Status, is_own
from quota_web.web.formats import LOW_PERCENT

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountState:
    """What a person should make of an account: its group, a word, and what to do about it."""

    #: A group of `ranking`.
    group: str
    word: str
    advice: str | None = None
    #: The last attempt gave no answer that could be used; what is shown was read before it.
    is_failing: bool = False


REACHED_ADVICE = {
    "workspace_owner_credits_depleted": mark(
        "The workspace has no credits left; buy some or wait."
    ),
    "workspace_member_credits_depleted": mark("The workspace has no credits left; ask its owner."),
    "workspace_owner_usage_limit_reached": mark(
        "The workspace’s usage limit is reached; raise it or wait."
    ),
    "workspace_member_usage_limit_reached": mark(
        "The workspace’s usage limit is reached; ask its owner."
    ),
}


def state(row: Row) -> AccountState:
    """What a person should make of one entry of `/api/results`."""
    group = row["group"]
    advice = labels.advice(row["status"])
    if group in (Group.ATTENTION, Group.PAUSED):
        return AccountState(group, labels.status(row["status"]), advice)
    failing = is_failing(row)
    if group == Group.BLOCKED:
        return AccountState(group, labels.group(group), _block_advice(row), failing)
    if failing or row["taken_at"] is None:
        return AccountState(group, labels.status(row["status"]), advice, failing)
    if group == Group.UNKNOWN:
        why = _("No reading of late; refresh to be sure.")
        return AccountState(group, labels.group(group), why)
    return AccountState(group, _usable_word(row))


def is_failing(row: Row) -> bool:
    """Whether an account's last attempt failed for a reason that may pass by itself."""
    quiet = (Status.OK, Status.PENDING, Status.PAUSED)
    return row["group"] not in (Group.ATTENTION, Group.PAUSED) and row["status"] not in quiet


def _usable_word(row: Row) -> str:
    own = [w["remaining_percent"] for w in own_windows(row)]
    if is_unlimited(row):
        return _("No limit")
    if not own or min(own) <= 0:
        is_on_credits = row["credits"] and row["credits"]["has_credits"]
        return _("On credits") if is_on_credits else labels.group(Group.USABLE)
    return _("Low") if is_low(row) else labels.group(Group.USABLE)


def is_low(row: Row) -> bool:
    """Whether little is left of one of the account's own windows."""
    return any(0 < w["remaining_percent"] < LOW_PERCENT for w in own_windows(row))


def is_unlimited(row: Row) -> bool:
    """Whether an answer said that there is no limit: credits without end, and no window."""
    return bool(row["credits"] and row["credits"]["unlimited"]) and not own_windows(row)


def own_windows(row: Row) -> list[Mapping[str, Any]]:
    """An account's own windows: no model's, no code review's, no spend limit."""
    return [w for w in row["windows"] if is_own(w["key"])]


@dataclass(frozen=True, slots=True)
class OtherWindows:
    """What an account has beside the five-hour and the weekly window, which have columns of their
    own.
    """

    own: list[Mapping[str, Any]]
    #: Those of single models and of code review.
    models: list[Mapping[str, Any]]

    @property
    def any(self) -> bool:
        return bool(self.own or self.models)


def other_windows(row: Row) -> OtherWindows:
    others = [w for w in row["windows"] if w["key"] not in (FIVE_HOUR, WEEKLY)]
    own = [w for w in others if is_own(w["key"]) or w["key"] == SPEND]
    return OtherWindows(own, [w for w in others if w not in own])


def _block_advice(row: Row) -> str | None:
    if row.get("spend_reached"):
        return _("The spend limit is reached; ask the workspace’s owner.")
    advice = REACHED_ADVICE.get(row.get("reached_type") or "")
    if advice:
        return _(advice)
    return None if row.get("blocked_until") else _("ChatGPT names no end; refresh it later.")
