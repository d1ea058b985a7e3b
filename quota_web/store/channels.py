"""Queries on channels: the places to which alerts are sent."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from quota_web.store.alert_tables import channel

ON, OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """What a channel is to be told of; None: the default."""

    id: int
    #: Types of alerts.
    kinds: frozenset[str] | None
    #: Ids of accounts; None: all.
    accounts: frozenset[int] | None
    #: Percents left at which it is told that a window is low.
    thresholds: tuple[float, ...] | None


def choices(conn: Connection) -> list[ChannelChoice]:
    """What each channel that is on is to be told of."""
    c = channel.c
    query = select(c.id, c.kinds, c.accounts, c.thresholds).where(c.state == ON).order_by(c.id)
    return [
        ChannelChoice(row.id, _set(row.kinds), _set(row.accounts), _numbers(row.thresholds))
        for row in conn.execute(query)
    ]


def _set(text: str | None) -> frozenset[Any] | None:
    return None if text is None else frozenset(json.loads(text))


def _numbers(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(float(number) for number in json.loads(text))
