"""The types of alerts: how urgent each is, whether it is sent by default, and which event means it.

An event has a kind. What readings and answers showed has the kind that it had before there were
alerts; `type_of` says which type of alert that is. All other alerts are events of their own, whose
kind is the type.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from quota_web.core.quota import Status

#: An early reset of fewer points than this is an event and no alert.
EARLY_RESET_LEAST = 20
#: An early reset is sent so many seconds late: two answers that lie may agree by chance, and the
#: next one takes that back; of a reset for all, the first accounts become part of one event.
EARLY_RESET_HELD_S = 600
#: Percents left at which `quota.low` is told where a channel names none.
DEFAULT_THRESHOLDS = (20.0, 5.0)


class Urgency(StrEnum):
    """How urgent an alert is; the words are part of the outside contract."""

    URGENT = "urgent"
    WARNING = "warning"
    INFO = "info"


class Alert(StrEnum):
    """The types; the words are part of the outside contract."""

    QUOTA_LOW = "quota.low"
    QUOTA_EXHAUSTED = "quota.exhausted"
    QUOTA_BACK = "quota.back"
    QUOTA_RESET_EARLY = "quota.reset_early"
    QUOTA_RUNOUT = "quota.runout"
    QUOTA_UNUSED = "quota.unused"
    SIGN_IN_SOON = "account.sign_in_soon"
    SIGN_IN_NEEDED = "account.sign_in_needed"
    DEACTIVATED = "account.deactivated"
    STALE = "account.stale"
    RECOVERED = "account.recovered"
    PLAN_CHANGED = "account.plan_changed"
    CREDIT_GRANTED = "credit.granted"
    CREDIT_EXPIRING = "credit.expiring"
    ALL_FAILING = "site.all_failing"
    SITE_RECOVERED = "site.recovered"
    CHANNEL_FAILING = "site.channel_failing"
    TEST = "site.test"


#: How urgent each type is.
URGENCIES: Mapping[Alert, Urgency] = {
    Alert.QUOTA_LOW: Urgency.WARNING,
    Alert.QUOTA_EXHAUSTED: Urgency.URGENT,
    Alert.QUOTA_BACK: Urgency.INFO,
    Alert.QUOTA_RESET_EARLY: Urgency.INFO,
    Alert.QUOTA_RUNOUT: Urgency.WARNING,
    Alert.QUOTA_UNUSED: Urgency.INFO,
    Alert.SIGN_IN_SOON: Urgency.WARNING,
    Alert.SIGN_IN_NEEDED: Urgency.URGENT,
    Alert.DEACTIVATED: Urgency.URGENT,
    Alert.STALE: Urgency.WARNING,
    Alert.RECOVERED: Urgency.INFO,
    Alert.PLAN_CHANGED: Urgency.INFO,
    Alert.CREDIT_GRANTED: Urgency.INFO,
    Alert.CREDIT_EXPIRING: Urgency.WARNING,
    Alert.ALL_FAILING: Urgency.URGENT,
    Alert.SITE_RECOVERED: Urgency.INFO,
    Alert.CHANNEL_FAILING: Urgency.WARNING,
    Alert.TEST: Urgency.INFO,
}
#: Sent only where a channel names them.
OFF_BY_DEFAULT = frozenset({Alert.QUOTA_UNUSED, Alert.PLAN_CHANGED})
#: What a channel takes that names no types.
DEFAULT = frozenset(Alert) - OFF_BY_DEFAULT
#: What ends what: the beginnings that each of these ends.
ENDS: Mapping[Alert, frozenset[Alert]] = {
    Alert.QUOTA_BACK: frozenset({Alert.QUOTA_EXHAUSTED, Alert.QUOTA_LOW}),
    Alert.RECOVERED: frozenset(
        {Alert.SIGN_IN_NEEDED, Alert.DEACTIVATED, Alert.STALE, Alert.SIGN_IN_SOON}
    ),
    Alert.SITE_RECOVERED: frozenset({Alert.ALL_FAILING}),
}

#: The kind of the event that an account's sign-in has ended.
SIGN_IN_ENDED = "sign_in_ended"
PLAN_CHANGED, CREDIT_GRANTED = "plan_changed", "credit_granted"
#: What is logged apart from alerts when it is seen first, and told once it is confirmed.
LOGGED_BEFORE = frozenset({PLAN_CHANGED, CREDIT_GRANTED, SIGN_IN_ENDED})
#: Kinds of events that were there before alerts, and what type of alert they are.
_OF_KIND: Mapping[str, Alert] = {
    "reset_early": Alert.QUOTA_RESET_EARLY,
    "reset_banked": Alert.QUOTA_RESET_EARLY,
    "reset_provider": Alert.QUOTA_RESET_EARLY,
    PLAN_CHANGED: Alert.PLAN_CHANGED,
    CREDIT_GRANTED: Alert.CREDIT_GRANTED,
    SIGN_IN_ENDED: Alert.SIGN_IN_NEEDED,
}
#: Early resets as they are logged.
EARLY_RESETS = ("reset_early", "reset_banked", "reset_provider")
#: Every kind of event that may be an alert.
KINDS = frozenset({*_OF_KIND, *map(str, Alert)})


def type_of(kind: str, data: Mapping[str, Any]) -> Alert | None:
    """The type of alert that an event is; None: none."""
    if kind not in KINDS:
        return None
    found = _OF_KIND.get(kind) or Alert(kind)
    if found is Alert.SIGN_IN_NEEDED and data.get("status") == Status.DEACTIVATED:
        return Alert.DEACTIVATED
    return found
