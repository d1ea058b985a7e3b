"""Looks up where a message would go, and refuses what it may not reach.

A name is looked up once, every address of it is judged, and the connection is made to one of those
very addresses: what the name resolves to a moment later changes nothing.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from quota_web.core.alert_targets import AlertTargets, may_reach
from quota_web.core.language import mark

Lookup = Callable[[str, int], Sequence[str]]

NOT_OPEN = mark(
    "that address is not on the public internet, and QUOTA_ALERT_TARGETS does not open it"
)
PLAIN_HTTP = mark("plain http goes only where QUOTA_ALERT_TARGETS says; use https")


class TargetForbidden(Exception):
    """A message may not go there; the text says why and names no address."""


class TargetUnknown(Exception):
    """A name does not resolve, or not in time."""


def allowed_addresses(
    host: str, port: int, targets: AlertTargets, seconds: float, lookup: Lookup | None = None
) -> tuple[str, ...]:
    """The addresses of *host*, all of which may be reached.

    Raises TargetForbidden where one may not, TargetUnknown where there is none within *seconds*.
    """
    found = _within(seconds, lambda: (lookup or look_up)(host, port))
    if not found:
        raise TargetUnknown("name not found")
    if not all(may_reach(address, host, targets) for address in found):
        raise TargetForbidden(NOT_OPEN)
    return tuple(found)


def require_named(host: str, addresses: Sequence[str], targets: AlertTargets) -> None:
    """Raise TargetForbidden unless the owner named the host or all of its addresses, which is
    where plain http may go.
    """
    if not all(targets.names(host, address) for address in addresses):
        raise TargetForbidden(PLAIN_HTTP)


def look_up(host: str, port: int) -> list[str]:
    """The addresses of *host* in the order in which they are best tried; none for a bad name."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _within(seconds: float, work: Callable[[], Sequence[str]]) -> Sequence[str]:
    """What *work* returns, in a thread of its own: a name server that says nothing holds up a
    look-up for longer than anything else may take.
    """
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TargetUnknown("the name was not found in time")
    return found
