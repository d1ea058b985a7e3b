"""Act: write down what is to be sent through which channel, in the transaction of the events."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import kinds
from quota_web.alerts.kinds import Alert
from quota_web.store.channels import ChannelChoice
from quota_web.store.event_log import LoggedEvent


def enqueue(
    conn: Connection, events: Sequence[LoggedEvent], now: int, *, without: int | None = None
) -> None:
    """Let each channel be sent those of *events* that it is to be told of.

    What is written down already stays as it is, so that this may be called again. Events that came
    at the same time belong in one call: of the thresholds that a window passed at once a channel is
    told of its lowest alone. Nothing is written down for the channel *without*.
    """
    choices = [one for one in store.channels.choices(conn) if one.id != without] if events else []
    due: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for choice in choices:
        for one in chosen(events, choice):
            due[now + _held_s(one)].append((one.id, choice.id))
    for due_at, pairs in due.items():
        store.deliveries.add(conn, pairs, due_at)


def _held_s(one: LoggedEvent) -> int:
    """How long an event is held, so that it is not sent where it is taken back meanwhile."""
    is_reset = kinds.type_of(one.kind, one.data) is Alert.QUOTA_RESET_EARLY
    return kinds.EARLY_RESET_HELD_S if is_reset else 0


def chosen(events: Sequence[LoggedEvent], choice: ChannelChoice) -> Iterator[LoggedEvent]:
    """Those of *events* that a channel is to be told of."""
    thresholds = choice.thresholds or kinds.DEFAULT_THRESHOLDS
    lowest: dict[tuple[Any, ...], LoggedEvent] = {}
    for one in events:
        found = kinds.type_of(one.kind, one.data)
        if found not in (choice.kinds or kinds.DEFAULT) or not _concerns(one, choice):
            continue
        if found is not Alert.QUOTA_LOW:
            yield one
        elif one.data["threshold"] in thresholds:
            key = one.account_id, one.window
            if key not in lowest or one.data["threshold"] < lowest[key].data["threshold"]:
                lowest[key] = one
    yield from lowest.values()


def _concerns(one: LoggedEvent, choice: ChannelChoice) -> bool:
    """Whether an event is about an account that the channel is to be told of; what concerns all
    accounts, and the site, is.
    """
    if choice.accounts is None:
        return True
    if one.account_id is not None:
        return one.account_id in choice.accounts
    parts = one.data.get("parts")
    return parts is None or any(part[0] in choice.accounts for part in parts)
