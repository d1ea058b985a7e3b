"""What is sent of events: JSON for programs, one line each for people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from urllib.parse import quote

from quota_web.alerts import kinds, words
from quota_web.alerts.kinds import Alert, Urgency
from quota_web.alerts.webhook_client import MOST_BODY
from quota_web.core.times import iso
from quota_web.store.event_log import LoggedEvent

#: What every webhook says, null where it does not apply.
_FIELDS = ("remaining_percent", "threshold", "resets_at", "blocked_until")
#: The kind of the event by which a digest is sent; its data have the text.
DIGEST = "site.digest"
#: Characters of one line, and of the whole of a long one.
MOST_LINE, MOST_TEXT = 400, 4_000
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is told: its type, and its account by name."""

    event: LoggedEvent
    type: str
    urgency: Urgency
    account: str | None
    text: str


def urgency_of(event: LoggedEvent) -> Urgency:
    found = kinds.type_of(event.kind, event.data)
    return Urgency.INFO if found is None else kinds.URGENCIES[found]


def type_name(event: LoggedEvent) -> str:
    """The `type` of a webhook."""
    found: Alert | None = kinds.type_of(event.kind, event.data)
    return event.kind if found is None else str(found)


def sentence(event: LoggedEvent, names: Mapping[int, str], zone: tzinfo | None) -> str:
    """An event in words; a digest has its own."""
    if event.kind == DIGEST:
        return str(event.data.get("text", ""))
    return words.sentence(event, names, zone)


def webhook_body(told: Told, public_url: str | None) -> bytes:
    """The JSON of one event, below the size that the standard allows."""
    event = told.event
    data: dict[str, Any] = {
        "id": event.id or None,
        "level": str(told.urgency),
        "account": told.account,
        "window": event.window,
        **dict.fromkeys(_FIELDS),
        **{name: _plain(name, value) for name, value in event.data.items() if name != "parts"},
        "text": _cut(told.text, MOST_TEXT),
        "url": link(told.account, public_url),
    }
    document = {"type": told.type, "timestamp": iso(event.at), "data": data}
    body = _json(document)
    if len(body) > MOST_BODY:
        known = ("id", "level", "account", "window", *_FIELDS, "text", "url")
        body = _json({**document, "data": {name: data[name] for name in known}})
    return body


def link(account: str | None, public_url: str | None) -> str | None:
    """The page of an account, or the dashboard; None where its address is not known."""
    if public_url is None:
        return None
    return f"{public_url}/" if account is None else f"{public_url}/accounts/{quote(account)}"


def body_of_lines(lines: list[str], address: str | None) -> str:
    """One message for people."""
    cut = [_cut(" ".join(part.split()), MOST_LINE) for line in lines for part in line.splitlines()]
    return "\n".join([*cut, *([address] if address else [])])


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(name: str, value: Any) -> Any:
    """Moments as ISO 8601."""
    is_moment = name.endswith(("_at", "_until", "_before", "_after", "since"))
    if is_moment and isinstance(value, int) and value > 1_000_000_000:
        return iso(value)
    return value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _ELLIPSIS
