"""What the form of a channel shows: the rules of one that is there, or those of a new one. Never an
address.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from quota_web import store
from quota_web.alerts import channel_secrets, digests, kinds, quiet_hours, service_forms
from quota_web.alerts.kinds import DEFAULT_THRESHOLDS
from quota_web.alerts.service_forms import AlertService
from quota_web.core.errors import Outdated
from quota_web.store.channels import APPRISE, AlertChannel
from quota_web.store.encryption import DecryptionFailed, TokenCipher

_OTHER = service_forms.SERVICES["other"]


@dataclass(frozen=True, slots=True)
class ChannelValues:
    """The texts of the form's fields."""

    service: AlertService
    #: None: a new one.
    id: int | None
    name: str
    kinds: frozenset[str]
    #: Names; empty: all accounts.
    accounts: frozenset[str]
    below: str
    quiet_from: str = ""
    quiet_to: str = ""
    quiet_urgent: bool = False
    #: `off`, `daily` or a day such as `mon`.
    digest: str = "off"
    digest_at: str = "08:00"
    language: str = ""
    is_on: bool = True
    place: str | None = None


def new(service: AlertService, taken: Iterable[str]) -> ChannelValues:
    """Those of a new channel; its name is free."""
    names = set(taken)
    name, number = service.title, 2
    while name in names:
        name, number = f"{service.title} {number}", number + 1
    return ChannelValues(
        service, None, name, frozenset(kinds.DEFAULT), frozenset(), _percents(DEFAULT_THRESHOLDS)
    )


def stored(cipher: TokenCipher, channel_id: int) -> ChannelValues:
    """Those of a channel. Raises Outdated where it is not there."""
    with store.database.reading() as conn:
        found = store.channels.get_by_ids(conn, [channel_id]).get(channel_id)
        names = {a.id: a.name for a in store.accounts.list_all(conn)}
    if found is None:
        raise Outdated("the channel")
    quiet = quiet_hours.parse(found.quiet) if found.quiet else None
    digest = digests.parse(found.digest) if found.digest else None
    often = "daily" if digest is None or digest.weekday is None else digests.DAYS[digest.weekday]
    return ChannelValues(
        _service(cipher, found),
        found.id,
        found.name,
        frozenset(found.kinds if found.kinds is not None else kinds.DEFAULT),
        frozenset(names[i] for i in found.accounts or () if i in names),
        _percents(found.thresholds or DEFAULT_THRESHOLDS),
        quiet_hours.clock_text(quiet.start) if quiet else "",
        quiet_hours.clock_text(quiet.end) if quiet else "",
        quiet is not None and quiet.lets_urgent,
        "off" if digest is None else often,
        quiet_hours.clock_text(digest.minute) if digest else "08:00",
        found.language or "",
        found.is_on,
        channel_secrets.shown(cipher, found),
    )


def _service(cipher: TokenCipher, channel: AlertChannel) -> AlertService:
    if channel.kind != APPRISE:
        return service_forms.service_of("", channel.kind)
    try:
        url = channel_secrets.opened(cipher, channel).url
    except DecryptionFailed:
        return _OTHER
    return service_forms.service_of(url.reveal(), channel.kind)


def _percents(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
