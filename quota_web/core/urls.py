"""Where requests may go: which URLs a token may be sent to, and which hosts are reached past the
proxy. Pure; no name is looked up.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\]")
_BAD_CHARACTER = re.compile(r"[^\x21-\x7e]|\\")
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
#: Where plain http may go beside localhost. Link-local addresses are none of these: a cloud's
#: metadata service listens there.
PLAIN_HTTP_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_upstream_url(url: str) -> str | None:
    """What is wrong with *url* as an address that tokens are sent to, in words; None if nothing is.

    https goes anywhere, plain http only to localhost and to private addresses written as such.
    """
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme not in ("http", "https"):
        return "must begin with https:// (or http:// for this machine)"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if parts.fragment or "#" in url:
        return "must not have a fragment (#)"
    if parts.scheme == "http" and not _is_near(parts.hostname or ""):
        return "must use https; plain http is for localhost and private addresses only"
    return None


def check_webhook_url(url: str) -> str | None:
    """What is wrong with *url* as the address of a webhook, in words; None if nothing is.

    The words do not repeat it: it may hold a secret. Where it leads is judged when it is used.
    """
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme not in ("http", "https"):
        return "must begin with https://"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if parts.fragment or "#" in url:
        return "must not have a fragment (#)"
    return None


def check_public_url(url: str) -> str | None:
    """What is wrong with *url* as the address that links begin with, in words; None if nothing
    is.
    """
    problem = check_webhook_url(url)
    if problem is not None:
        return problem
    parts = urlsplit(url)
    if parts.query or "?" in url:
        return "must end with the path"
    return None


def check_proxy_url(url: str) -> str | None:
    """What is wrong with *url* as the address of a proxy, in words; None if nothing is.

    The words do not repeat it: it may hold a password.
    """
    parts = _split(with_scheme(url))
    if isinstance(parts, str):
        return parts
    if parts.scheme not in _PROXY_SCHEMES:
        return "must begin with http://, https:// or socks5h://"
    return None


def with_scheme(proxy: str) -> str:
    """A proxy's address as a URL; people often write `host:port` alone."""
    return proxy if "://" in proxy else f"http://{proxy}"


def goes_past_proxy(url: str, no_proxy: str | None) -> bool:
    """Whether `NO_PROXY` names the host of *url*: as itself, by a domain it lies in, by address or
    network, with or without port, or by `*`.
    """
    parts = urlsplit(url)
    host, port = (
        (parts.hostname or "").rstrip("."),
        parts.port or (443 if parts.scheme == "https" else 80),
    )
    return any(
        _names(entry, host, port)
        for entry in re.split(r"[,\s]+", (no_proxy or "").lower())
        if entry
    )


def _split(url: str) -> SplitResult | str:
    if len(url) > 2000 or _BAD_CHARACTER.search(url):
        return "must be a plain address without spaces or odd characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a valid address"
    host = parts.netloc.rpartition("@")[2]
    host = host if port is None else host.rpartition(":")[0]
    if port == 0 or not _HOST.fullmatch(
        host.removesuffix(":") if not host.startswith("[") else host
    ):
        return "has no valid host name"
    return parts


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and any(address in network for network in PLAIN_HTTP_NETWORKS)


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, entry_port = entry.rpartition(":")
    if colon and entry_port.isdigit() and (name.count(":") == 0 or name.endswith("]")):
        if int(entry_port) != port:
            return False
        entry = name
    if address is not None:
        return _address(entry) == address
    entry = entry.removeprefix("*").lstrip(".").rstrip(".")
    return bool(entry) and (host == entry or host.endswith("." + entry))
