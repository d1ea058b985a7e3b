"""Act: the brake on guessing passwords. It is in the database, so it holds across processes and restarts.

A guess is counted before it is looked at, and taken back if it was right: that way a burst of guesses at once cannot get
past the limits. An address that guesses slows down itself alone; only very many addresses together slow down everybody,
and then `flask quota password` on the host opens the way again.
"""

import ipaddress

from sqlalchemy import Connection

from quota_web.errors import TooManyTries
from quota_web.store import engine
from quota_web.store import sign_in as store

MINUTE, HOUR = 60, 3600
PER_MINUTE = 5
PER_HOUR = 20
#: From all addresses together.
ALL_PER_HOUR = 100
#: How far clocks of hosts that share a database may differ.
CLOCK_SLACK_S = 60


def take(address: str | None, now: int) -> int:
    """Count a guess from *address* and return its number. Raises TooManyTries, and then counts nothing."""
    key = address_key(address)
    # First without the write lock: whoever keeps on guessing must not hold up the rest.
    with engine.reading() as conn:
        _check(conn, key, now)
    with engine.transaction() as conn:
        store.hold(conn)
        _check(conn, key, now)
        store.forget_failures(conn, before=now - HOUR, after=now + CLOCK_SLACK_S)
        return store.add_failure(conn, key, now)


def address_key(address: str | None) -> str:
    """What guesses are counted by: an IPv4 address, or the /64 of an IPv6 address, since that is what one subscriber has."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "local" if not address else address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _check(conn: Connection, key: str, now: int) -> None:
    own = store.failures_of(conn, key, now - HOUR, PER_HOUR)
    everybody = store.all_failures(conn, now - HOUR, ALL_PER_HOUR)
    waits = (_wait(own, PER_MINUTE, MINUTE, now), _wait(own, PER_HOUR, HOUR, now), _wait(everybody, ALL_PER_HOUR, HOUR, now))
    if max(waits) > 0:
        raise TooManyTries(retry_after=max(waits))


def _wait(newest_first: list[int], most: int, span: int, now: int) -> int:
    """Seconds until fewer than *most* of these lie within the last *span* seconds."""
    if len(newest_first) < most:
        return 0
    return min(span, max(0, newest_first[most - 1] + span - now))
