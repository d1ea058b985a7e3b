"""The brake on guessing passwords. It is in the database, so it holds across processes and
restarts.

A guess is counted before it is looked at, and taken back if it was right: that way a burst of
guesses at once cannot get past the limits. An address that guesses slows down itself alone; only
very many addresses together slow down all strangers. Known clients they cannot slow down: a running
session, a browser or an address that signed in before, and this machine itself have pots of their
own. `flask quota password` on the host lifts the brake for all.
"""

import ipaddress
import json

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.errors import TooManyTries
from quota_web.core.limits import CLOCK_SKEW_S

MINUTE, HOUR = 60, 3600
PER_MINUTE = 5
PER_HOUR = 20
#: From all unknown addresses together.
ALL_PER_HOUR = 100
#: How long an address from which a sign-in came is known, and how many are.
KNOWN_FOR_S, MOST_KNOWN = 90 * 86_400, 20
#: What fits the column.
MAX_POT = 64


def check(address: str | None, now: int, own: str | None = None) -> bool:
    """Whether a guess would come out of a pot of its own; raises TooManyTries where that pot, or
    the common one, is used up.

    Reads only: a stream of guesses must not hold up other requests.
    """
    with store.database.reading() as conn:
        pot = _pot(conn, address, now, own)
        _check(conn, pot, now)
    return _is_own(pot)


def record(address: str | None, now: int, own: str | None = None) -> int:
    """Count a guess from *address*, or in the *own* pot of a known browser, and return its number.

    Raises TooManyTries, and then counts nothing.
    """
    check(address, now, own)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        pot = _pot(conn, address, now, own)
        _check(conn, pot, now)
        _forget_old(conn, now)
        return store.auth.add_failure(conn, pot, now)


def forget_old(now: int) -> None:
    """Forget the guesses that no limit counts any more."""
    with store.database.transaction() as conn:
        _forget_old(conn, now)


def _forget_old(conn: Connection, now: int) -> None:
    store.auth.forget_failures(conn, before=now - HOUR, after=now + CLOCK_SKEW_S)


def remember(conn: Connection, address: str | None, now: int) -> None:
    """Note a sign-in from *address*: the next guess from there has a pot of its own."""
    known = _known(conn, now) | {address_key(address): now}
    newest = sorted(known.items(), key=lambda item: -item[1])[:MOST_KNOWN]
    store.auth.set_setting(conn, store.auth.KNOWN_ADDRESSES, json.dumps(dict(newest)))


def _known(conn: Connection, now: int) -> dict[str, int]:
    """When the last sign-in came from each known address, as far as that still counts."""
    stored: dict[str, int] = json.loads(
        store.auth.setting_of(conn, store.auth.KNOWN_ADDRESSES) or "{}"
    )
    return {address: at for address, at in stored.items() if now - at < KNOWN_FOR_S}


def _pot(conn: Connection, address: str | None, now: int, own: str | None) -> str:
    """What a guess is counted under."""
    key = address_key(address)
    if own is None and key not in _known(conn, now):
        return key
    return f"{store.auth.OWN}{own or key}"[:MAX_POT]


def _is_own(pot: str) -> bool:
    return pot.startswith(store.auth.OWN)


def address_key(address: str | None) -> str:
    """What guesses are counted by: an IPv4 address, or the /64 of an IPv6 address, since that is
    what one subscriber has.
    """
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "local" if not address else address[:MAX_POT]
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _check(conn: Connection, key: str, now: int) -> None:
    own = store.auth.failures_of(conn, key, now - HOUR, PER_HOUR)
    all_guesses = (
        [] if _is_own(key) else store.auth.strangers_failures(conn, now - HOUR, ALL_PER_HOUR)
    )
    waits = (
        _wait(own, PER_MINUTE, MINUTE, now),
        _wait(own, PER_HOUR, HOUR, now),
        _wait(all_guesses, ALL_PER_HOUR, HOUR, now),
    )
    if max(waits) > 0:
        raise TooManyTries(retry_after=max(waits))


def _wait(newest_first: list[int], most: int, span: int, now: int) -> int:
    """Seconds until fewer than *most* of these lie within the last *span* seconds."""
    if len(newest_first) < most:
        return 0
    return min(span, max(0, newest_first[most - 1] + span - now))
