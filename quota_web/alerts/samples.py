"""What a channel will send, as an example beside its form."""

import json
from datetime import tzinfo

from quota_web.alerts import messages, words
from quota_web.alerts.kinds import Alert
from quota_web.alerts.messages import Told
from quota_web.alerts.service_forms import AlertService
from quota_web.core.quota import WEEKLY
from quota_web.store.channels import WEBHOOK
from quota_web.store.event_log import LoggedEvent

_ACCOUNT = "alice"
_RESETS_IN_S = 3 * 86_400


def sample(service: AlertService, public_url: str | None, zone: tzinfo | None, now: int) -> str:
    """One message, in the current language; JSON for a webhook."""
    data = {"remaining_percent": 18, "threshold": 20, "resets_at": now + _RESETS_IN_S}
    event = LoggedEvent(4711, now, str(Alert.QUOTA_LOW), 1, WEEKLY, data, None)
    text = words.sentence(event, {1: _ACCOUNT}, zone)
    if service.channel_kind == WEBHOOK:
        told = Told(event, event.kind, messages.urgency_of(event), _ACCOUNT, text)
        body = messages.webhook_body(told, public_url)
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    return messages.body_of_lines([text], messages.link(_ACCOUNT, public_url))
