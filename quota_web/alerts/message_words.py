"""The words of messages that are more than one event: an alert that ended before it was told."""

from datetime import tzinfo

from quota_web.alerts import kinds
from quota_web.alerts.kinds import Alert
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.language import formats
from quota_web.store.event_log import LoggedEvent

#: What was so from one moment to another.
_PAST = {
    Alert.QUOTA_EXHAUSTED: mark("%(account)s was used up %(from)s–%(to)s"),
    Alert.QUOTA_LOW: mark("%(account)s was low %(from)s–%(to)s"),
    Alert.SIGN_IN_NEEDED: mark("%(account)s needed a sign-in %(from)s–%(to)s"),
    Alert.SIGN_IN_SOON: mark("%(account)s was about to need a sign-in %(from)s–%(to)s"),
    Alert.DEACTIVATED: mark("%(account)s was deactivated %(from)s–%(to)s"),
    Alert.STALE: mark("%(account)s had no new reading %(from)s–%(to)s"),
    Alert.ALL_FAILING: mark("No account could be refreshed %(from)s–%(to)s"),
}
_ANY = mark("%(account)s: %(kind)s %(from)s–%(to)s")


def ended(
    begun: LoggedEvent, end_at: int, account: str | None, now: int, zone: tzinfo | None
) -> str:
    """`alice was used up 10:00–11:20`."""
    found = kinds.type_of(begun.kind, begun.data)
    message = _PAST.get(found, _ANY) if found is not None else _ANY
    said = {
        "account": account or "",
        "kind": begun.kind,
        "from": formats.day_and_minute(begun.at, now, zone),
        "to": formats.day_and_minute(end_at, now, zone),
    }
    return _(message, **said)
