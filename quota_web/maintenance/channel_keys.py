"""Seals the addresses and secrets of alert channels anew, and checks channels that came with a
backup.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from quota_web import store
from quota_web.alerts import digests, kinds, quiet_hours
from quota_web.core import names
from quota_web.core.language import LANGUAGES
from quota_web.store.alert_tables import channel
from quota_web.store.channels import APPRISE, OFF, ON, WEBHOOK, AlertChannel
from quota_web.store.encryption import CHANNEL_SECRET, CHANNEL_URL, TokenCipher


def is_any_stale(conn: Connection, cipher: TokenCipher) -> bool:
    """Whether one is sealed with another of our keys than the present one."""
    return any(_is_stale(cipher, one) for one in store.channels.list_all(conn))


def reseal(tx: Connection, cipher: TokenCipher) -> int:
    """Seal with the present key what another of ours opens; returns how many channels that were."""
    stale = [one for one in store.channels.list_all(tx) if _is_stale(cipher, one)]
    for one in stale:
        parts = [
            None if sealed is None else cipher.seal(cipher.open(sealed, one.id, kind), one.id, kind)
            for sealed, kind in _columns(one)
        ]
        store.channels.seal(tx, one.id, parts[0] or b"", parts[1])
    return len(stale)


def unreadable(conn: Connection, cipher: TokenCipher) -> list[AlertChannel]:
    """Those that no key opens."""
    return [one for one in store.channels.list_all(conn) if not _is_readable(cipher, one)]


def adopt(tx: Connection, cipher: TokenCipher | None) -> list[str]:
    """Seal what came from elsewhere with the present key. Channels that no key opens (all of them
    without a *cipher*) are switched off; returns their names.
    """
    if cipher is not None:
        reseal(tx, cipher)
    found = store.channels.list_all(tx) if cipher is None else unreadable(tx, cipher)
    for one in found:
        off = update(channel).where(channel.c.id == one.id)
        tx.execute(off.values(url_sealed=b"", secret_sealed=None, state=OFF))
    return [one.name for one in found]


def foreign_column(conn: Connection) -> str | None:
    """The row and column of the first channel that holds what this program never writes."""
    for row in conn.execute(select(channel)):
        values: Mapping[Any, Any] = row._mapping
        for column, is_ours in _OURS.items():
            if values[column] is not None and not _holds(is_ours, values[column]):
                return f"row {values['id']}: {column}"
    return None


def _columns(one: AlertChannel) -> Iterator[tuple[bytes | None, str]]:
    yield one.url_sealed, CHANNEL_URL
    yield one.secret_sealed, CHANNEL_SECRET


def _is_readable(cipher: TokenCipher, one: AlertChannel) -> bool:
    parts = [(sealed, kind) for sealed, kind in _columns(one) if sealed is not None]
    return all(cipher.opens(sealed, one.id, kind) for sealed, kind in parts)


def _is_stale(cipher: TokenCipher, one: AlertChannel) -> bool:
    parts = [(sealed, kind) for sealed, kind in _columns(one) if sealed is not None]
    is_present = all(cipher.is_present(sealed, one.id, kind) for sealed, kind in parts)
    return not is_present and _is_readable(cipher, one)


def _holds(is_ours: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_ours(value)
    except (ValueError, TypeError, RecursionError):
        return False


def _list_of(check: Callable[[Any], bool]) -> Callable[[str], bool]:
    def is_ours(text: str) -> bool:
        found = json.loads(text)
        return isinstance(found, list) and all(check(each) for each in found)

    return is_ours


_TYPES = frozenset(map(str, kinds.Alert))
_OURS: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: 0 < len(value) <= names.MAX_NAME and value.isprintable(),
    "kind": {WEBHOOK, APPRISE}.__contains__,
    "state": {ON, OFF}.__contains__,
    "language": LANGUAGES.__contains__,
    "kinds": _list_of(_TYPES.__contains__),
    "accounts": _list_of(lambda each: type(each) is int),
    "thresholds": _list_of(lambda each: isinstance(each, int | float) and 0 <= each <= 100),
    "quiet": lambda value: quiet_hours.parse(value).text == value,
    "digest": lambda value: digests.parse(value).text == value,
}
