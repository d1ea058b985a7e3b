"""Queries on channels: the places to which alerts are sent."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from quota_web.store.accounts import new_id
from quota_web.store.alert_tables import channel, delivery

ON, OFF = "on", "off"
WEBHOOK, APPRISE = "webhook", "apprise"


@dataclass(frozen=True, slots=True)
class AlertChannel:
    """A channel; address and secret are sealed."""

    id: int
    name: str
    kind: str
    url_sealed: bytes = field(repr=False)
    secret_sealed: bytes | None = field(repr=False)
    #: As in `ChannelChoice`.
    kinds: frozenset[str] | None
    accounts: frozenset[int] | None
    thresholds: tuple[float, ...] | None
    #: As `alerts.quiet_hours` and `alerts.digests` write them; None: off.
    quiet: str | None
    digest: str | None
    #: None: that of the settings.
    language: str | None
    is_on: bool
    #: Since when no try has succeeded, and why the last one did not.
    failing_since: int | None
    last_error: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What of a channel a person chooses, its address aside."""

    name: str
    kinds: frozenset[str] | None = None
    accounts: frozenset[int] | None = None
    thresholds: tuple[float, ...] | None = None
    quiet: str | None = None
    digest: str | None = None
    language: str | None = None
    is_on: bool = True

    def columns(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kinds": _text(sorted(self.kinds) if self.kinds is not None else None),
            "accounts": _text(sorted(self.accounts) if self.accounts is not None else None),
            "thresholds": _text(self.thresholds),
            "quiet": self.quiet,
            "digest": self.digest,
            "language": self.language,
            "state": ON if self.is_on else OFF,
        }


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
    return [
        ChannelChoice(row.id, _set(row.kinds), _set(row.accounts), _numbers(row.thresholds))
        for row in conn.execute(_choices()).all()
    ]


@cache
def _choices() -> Select[Any]:
    """Made once, since it is read with each batch of answers."""
    c = channel.c
    return select(c.id, c.kinds, c.accounts, c.thresholds).where(c.state == ON).order_by(c.id)


def list_all(conn: Connection) -> list[AlertChannel]:
    """Every channel, by name."""
    rows = conn.execute(select(channel).order_by(channel.c.name))
    return [_channel(row._mapping) for row in rows]


def get_by_ids(conn: Connection, ids: Iterable[int]) -> dict[int, AlertChannel]:
    """Those of these ids that exist."""
    rows = conn.execute(select(channel).where(channel.c.id.in_(list(ids))))
    return {row.id: _channel(row._mapping) for row in rows}


def find(conn: Connection, name: str) -> AlertChannel | None:
    """The channel of that name."""
    row = conn.execute(select(channel).where(channel.c.name == name)).first()
    return None if row is None else _channel(row._mapping)


def add(conn: Connection, rules: ChannelRules, kind: str, now: int) -> int:
    """Make a channel whose address is sealed for its id afterwards; returns that."""
    values = {**rules.columns(), "kind": kind, "url_sealed": b"", "created_at": now}
    return new_id(conn.execute(insert(channel).values(values)))


def change(conn: Connection, channel_id: int, rules: ChannelRules) -> None:
    _update(conn, channel_id, **rules.columns())


def seal(conn: Connection, channel_id: int, url_sealed: bytes, secret_sealed: bytes | None) -> None:
    """Give a channel its address, and the secret of a webhook."""
    _update(conn, channel_id, url_sealed=url_sealed, secret_sealed=secret_sealed)


def switch_off(conn: Connection, channel_id: int) -> None:
    _update(conn, channel_id, state=OFF)


def note_success(conn: Connection, channel_id: int) -> None:
    """The last try came through."""
    failing = channel.c.failing_since.is_not(None)
    done = update(channel).where(channel.c.id == channel_id, failing)
    conn.execute(done.values(failing_since=None, last_error=None))


def note_failure(conn: Connection, channel_id: int, now: int, error: str) -> None:
    """The last try did not come through."""
    _update(conn, channel_id, last_error=error)
    first = update(channel).where(channel.c.id == channel_id, channel.c.failing_since.is_(None))
    conn.execute(first.values(failing_since=now))


def remove(conn: Connection, channel_id: int) -> None:
    """Delete a channel and all that was sent through it or waits to be."""
    conn.execute(delivery.delete().where(delivery.c.channel_id == channel_id))
    conn.execute(channel.delete().where(channel.c.id == channel_id))


def _update(conn: Connection, channel_id: int, **values: Any) -> None:
    conn.execute(update(channel).where(channel.c.id == channel_id).values(values))


def _channel(row: Mapping[Any, Any]) -> AlertChannel:
    return AlertChannel(
        row["id"],
        row["name"],
        row["kind"],
        bytes(row["url_sealed"]),
        None if row["secret_sealed"] is None else bytes(row["secret_sealed"]),
        _set(row["kinds"]),
        _set(row["accounts"]),
        _numbers(row["thresholds"]),
        row["quiet"],
        row["digest"],
        row["language"],
        row["state"] == ON,
        row["failing_since"],
        row["last_error"],
        row["created_at"],
    )


def _text(values: Any) -> str | None:
    return None if values is None else json.dumps(values)


def _set(text: str | None) -> frozenset[Any] | None:
    return None if text is None else frozenset(json.loads(text))


def _numbers(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(float(number) for number in json.loads(text))
