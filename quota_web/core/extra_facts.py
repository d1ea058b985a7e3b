"""What may be asked for beside quota where the settings say so: facts about the subscription and
the workspace of an account. None of it changes an account's status.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quota_web.core.faults import Fault

#: The words of QUOTA_EXTRAS.
SUBSCRIPTION, WORKSPACE = "subscription", "workspace"
KINDS = (SUBSCRIPTION, WORKSPACE)
#: The name of the workspace of a login that belongs to no organisation.
PERSONAL = "Personal"

#: JSON by field; a workspace has its `name`, a subscription the fields of `Subscription`.
ExtraData = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as the upstream tells of it; None where it does not."""

    #: The end of what is paid for, epoch seconds.
    until: int | None
    renews: bool | None
    #: Whether a payment failed.
    overdue: bool | None


@dataclass(frozen=True, slots=True)
class Extra:
    """One such fact of an account, and how the last request for it went."""

    #: None before the first answer, and where the upstream says that there is none.
    data: ExtraData | None = None
    #: When that was answered.
    taken_at: int | None = None
    #: When it was last asked for; a request may be under way then.
    asked_at: int | None = None
    #: Why the last request brought nothing.
    fault: Fault | None = None
    #: Not asked for by itself before that.
    retry_at: int | None = None
    #: When a person wanted it asked for again; None once it was.
    wanted_at: int | None = None


NOT_ASKED = Extra()


def subscription(extras: Mapping[str, Extra]) -> Subscription | None:
    """The subscription among the facts of an account, by kind."""
    data = extras.get(SUBSCRIPTION, NOT_ASKED).data
    if data is None:
        return None
    until, renews, overdue = (data.get(name) for name in Subscription.__slots__)
    return Subscription(
        until if isinstance(until, int) else None,
        renews if isinstance(renews, bool) else None,
        overdue if isinstance(overdue, bool) else None,
    )


def workspace(extras: Mapping[str, Extra]) -> str | None:
    """The name of the workspace among the facts of an account."""
    name = (extras.get(WORKSPACE, NOT_ASKED).data or {}).get("name")
    return name if isinstance(name, str) else None
