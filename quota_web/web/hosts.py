"""Names under which the dashboard may be opened: the guard against a foreign page whose name is
made to point here.

A browser cannot be lured to an IP address or to localhost under a foreign name, so those need no
setting.
"""

import ipaddress
import re

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
#: The longest name there is, a dot at its end, and a port.
MAX_HEADER = 253 + 1 + 6
_PORT = re.compile(r"[0-9]{1,5}")


def hostname(header: str) -> str | None:
    """The name or address of a Host header, in lower case and without its port; None if it is
    malformed.
    """
    if len(header) > MAX_HEADER:
        return None
    if header.startswith("["):
        host, bracket, port = header[1:].partition("]")
        if (
            not bracket
            or (port and not port.startswith(":"))
            or "%" in host
            or not _is_address(host, 6)
        ):
            return None
        port = port[1:]
    else:
        host, colon, port = header.partition(":")
        host = host.lower().removesuffix(".")
        if (colon and not port) or not _NAME.fullmatch(host) or len(host) > 253:
            return None
    if port and not (_PORT.fullmatch(port) and 0 < int(port) < 65_536):
        return None
    return host.lower()


def is_trusted(host: str, trusted: tuple[str, ...]) -> bool:
    """Whether a name is an address, localhost or one of the trusted ones; `.example.org` stands for
    all names below it, too.
    """
    if host == "localhost" or _is_address(host):
        return True
    return any(
        host == name.lstrip(".") or (name.startswith(".") and host.endswith(name))
        for name in trusted
    )


def _is_address(host: str, version: int | None = None) -> bool:
    try:
        found = ipaddress.ip_address(host).version
    except ValueError:
        return False
    return version in (None, found)
