"""Acts on channels: add, change, delete, test, give another secret.

Addresses and secrets are sealed before they are stored, and stand in no audit.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import (
    apprise_address,
    channel_secrets,
    delivery_pass,
    messages,
    webhook_signature,
    words,
)
from quota_web.alerts.apprise_runner import AppriseMessage
from quota_web.alerts.channel_secrets import OpenedChannel
from quota_web.alerts.delivery_pass import LOCKED
from quota_web.alerts.delivery_plan import TITLE, Saying
from quota_web.alerts.destinations import TargetForbidden, TargetUnknown
from quota_web.alerts.kinds import Alert, Urgency
from quota_web.alerts.messages import Told
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.alerts.senders import Senders
from quota_web.alerts.webhook_signature import WebhookSecrets
from quota_web.core import names
from quota_web.core.errors import BadInput, Outdated
from quota_web.core.language import gettext as _
from quota_web.core.language import lookup, mark, use_language
from quota_web.core.secret import Secret
from quota_web.store.channels import APPRISE, WEBHOOK, AlertChannel, ChannelRules
from quota_web.store.encryption import DecryptionFailed, TokenCipher
from quota_web.store.event_log import LoggedEvent

MOST_CHANNELS = 50
_REFUSED = mark("Nothing is sent there: %(why)s.")


class AddressRefused(BadInput):
    """Nothing may be sent to the address of a channel."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("url", _REFUSED, why=why)

    @property
    def said(self) -> str:
        return _(_REFUSED, why=lookup(self.why))


@dataclass(frozen=True, slots=True)
class ChannelDraft:
    """A channel as a person gave it."""

    rules: ChannelRules
    #: `webhook` or `apprise`.
    kind: str
    #: None keeps the address that is stored.
    url: Secret | None


def create(
    cipher: TokenCipher, senders: Senders, draft: ChannelDraft, now: int, actor: str
) -> tuple[int, Secret | None]:
    """Add a channel; returns its id, and the secret of a webhook, which is shown this once.

    Raises BadInput, also where nothing may be sent to the address.
    """
    if draft.url is None:
        raise BadInput("url", mark("An address is needed."))
    _require_reachable(senders, draft.kind, draft.url)
    keys = WebhookSecrets(webhook_signature.new_secret()) if draft.kind == WEBHOOK else None
    with store.database.transaction() as tx:
        if len(store.channels.list_all(tx)) >= MOST_CHANNELS:
            raise BadInput("name", mark("There are %(most)s channels already."), most=MOST_CHANNELS)
        _require_free_name(tx, draft.rules.name, None)
        channel_id = store.channels.add(tx, draft.rules, draft.kind, now)
        sealed = channel_secrets.sealed(cipher, channel_id, OpenedChannel(draft.url, keys))
        store.channels.seal(tx, channel_id, *sealed)
        _audit(tx, now, "channel_added", actor, channel_id, draft.rules.name)
    return channel_id, None if keys is None else keys.current


def edit(
    cipher: TokenCipher,
    senders: Senders,
    channel_id: int,
    draft: ChannelDraft,
    now: int,
    actor: str,
) -> None:
    """Change a channel; without an address it keeps the one that it has. Raises BadInput, Outdated
    where it is not there any more.
    """
    if draft.url is not None:
        _require_reachable(senders, draft.kind, draft.url)
    with store.database.transaction() as tx:
        found = _require(tx, channel_id)
        _require_free_name(tx, draft.rules.name, channel_id)
        store.channels.change(tx, channel_id, draft.rules)
        if draft.url is not None:
            keys = _keys_of(cipher, found)
            sealed = channel_secrets.sealed(cipher, channel_id, OpenedChannel(draft.url, keys))
            store.channels.seal(tx, channel_id, *sealed)
        if not draft.rules.is_on:
            store.deliveries.drop_channel(tx, channel_id)
        _audit(tx, now, "channel_edited", actor, channel_id, draft.rules.name)


def remove(channel_id: int, now: int, actor: str) -> str:
    """Delete a channel with all that was sent through it; returns its name. Raises Outdated."""
    with store.database.transaction() as tx:
        found = _require(tx, channel_id)
        store.channels.remove(tx, channel_id)
        _audit(tx, now, "channel_deleted", actor, channel_id, found.name)
    return found.name


def rotate(cipher: TokenCipher, channel_id: int, now: int, actor: str) -> Secret:
    """Give a webhook another secret, which is shown this once; the present one signs on for a
    day. Raises Outdated, and BadInput where no key opens it.
    """
    with store.database.transaction() as tx:
        found = _require(tx, channel_id)
        try:
            opened = channel_secrets.opened(cipher, found)
        except DecryptionFailed:
            raise BadInput("url", LOCKED) from None
        if opened.keys is None:
            raise BadInput("url", mark("Only webhooks are signed."))
        keys = opened.keys.rotated(now)
        sealed = channel_secrets.sealed(cipher, channel_id, OpenedChannel(opened.url, keys))
        store.channels.seal(tx, channel_id, *sealed)
        _audit(tx, now, "channel_secret_rotated", actor, channel_id, found.name)
    return keys.current


def test(
    cipher: TokenCipher, senders: Senders, channel_id: int, saying: Saying, now: int
) -> SendResult:
    """Send one test message the way every other one goes; one try. Raises Outdated."""
    with store.database.reading() as conn:
        channel = _require(conn, channel_id)
    event = LoggedEvent(0, now, str(Alert.TEST), None, None, {}, None)
    with use_language(channel.language or saying.language):
        text = words.sentence(event, {}, saying.zone)
    result = _send_one(cipher, senders, channel, event, text, saying)
    if result.code is SendCode.SENT:
        with store.database.transaction() as tx:
            store.channels.note_success(tx, channel_id)
    return result


def _send_one(
    cipher: TokenCipher,
    senders: Senders,
    channel: AlertChannel,
    event: LoggedEvent,
    text: str,
    saying: Saying,
) -> SendResult:
    try:
        opened = channel_secrets.opened(cipher, channel)
    except DecryptionFailed:
        return SendResult(SendCode.FORBIDDEN, reason=LOCKED)
    if channel.kind == WEBHOOK:
        told = Told(event, event.kind, Urgency.INFO, None, text)
        body = messages.webhook_body(told, saying.public_url)
        message_id = f"msg_{secrets.token_hex(16)}"
        return delivery_pass.send_webhook(senders, opened, message_id, body)
    body_text = messages.body_of_lines([text], messages.link(None, saying.public_url))
    message = AppriseMessage(0, opened.url, TITLE, body_text, Urgency.INFO)
    return senders.apprise.send([message])[0]


def find(name: str) -> AlertChannel:
    """The channel of that name. Raises BadInput."""
    with store.database.reading() as conn:
        found = store.channels.find(conn, name)
    if found is None:
        raise BadInput("name", f"{name}: unknown channel")
    return found


def _require_reachable(senders: Senders, kind: str, url: Secret) -> None:
    check: dict[str, Callable[[Senders, Secret], str | None]] = {
        WEBHOOK: _webhook_problem,
        APPRISE: _apprise_problem,
    }
    if (problem := check[kind](senders, url)) is not None:
        raise AddressRefused(problem)


def _webhook_problem(senders: Senders, url: Secret) -> str | None:
    try:
        senders.webhooks.check(url)
    except TargetForbidden as error:
        return str(error)
    except TargetUnknown:
        # There may be no network at the moment; a test will tell.
        return None
    return None


def _apprise_problem(senders: Senders, url: Secret) -> str | None:
    problem = apprise_address.problem_of(url.reveal())
    if problem is not None:
        return problem
    result = senders.apprise.check(url)
    return result.text if result.code is SendCode.FORBIDDEN else None


def _keys_of(cipher: TokenCipher, channel: AlertChannel) -> WebhookSecrets | None:
    """The secret of a webhook; a new one where no key opens it."""
    if channel.kind != WEBHOOK:
        return None
    try:
        return channel_secrets.opened(cipher, channel).keys
    except DecryptionFailed:
        return WebhookSecrets(webhook_signature.new_secret())


def _require(conn: Connection, channel_id: int) -> AlertChannel:
    found = store.channels.get_by_ids(conn, [channel_id]).get(channel_id)
    if found is None:
        raise Outdated("the channel")
    return found


def _require_free_name(conn: Connection, name: str, own_id: int | None) -> None:
    found = store.channels.find(conn, name)
    if found is not None and found.id != own_id:
        raise BadInput("name", mark("Another channel has that name."))


def _audit(tx: Connection, now: int, kind: str, actor: str, channel_id: int, name: str) -> None:
    store.audit_log.add(tx, now, kind, actor, channel=channel_id, name=names.printable(name))
