"""Which addresses alerts may be sent to. Pure; no name is looked up.

By default those of the public internet alone: whoever may add a channel must not reach through it
what listens on this machine or beside it. `QUOTA_ALERT_TARGETS` opens loopback and private ones.
"""

import ipaddress
from dataclasses import dataclass
from functools import cache

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Public by their number, and no server on the internet behind them.
_NOT_PUBLIC_V4 = (ipaddress.IPv4Network("192.0.0.0/24"),)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
#: Teredo and other protocols' own, two ranges for documentation, and 6to4, which ends at an IPv4
#: address that was not judged.
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")
)
#: The IPv6 form of every IPv4 address, for machines that have IPv6 alone.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: The second half of an address that ends at the IPv4 address in its last four bytes.
_ISATAP = (0x00005EFE, 0x02005EFE)
#: Where clouds tell their machines secrets, beside the link-local addresses.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254")
)


@dataclass(frozen=True, slots=True)
class AlertTargets:
    """What the owner of this machine opened beside the public internet."""

    #: In lower case, without a dot at the end.
    hosts: frozenset[str] = frozenset()
    networks: tuple[_Network, ...] = ()

    def names(self, host: str, address: str) -> bool:
        """Whether the owner named this host, or this address of it."""
        found = _parsed(address)
        return plain_host(host) in self.hosts or (
            found is not None and any(found in network for network in self.networks)
        )


def plain_host(host: str) -> str:
    """A host as it is compared: in lower case, without brackets or a dot at the end."""
    return host.strip("[]").rstrip(".").lower()


def may_reach(address: str, host: str, targets: AlertTargets) -> bool:
    """Whether alerts may go to *address*, to which *host* resolves."""
    found = _parsed(address)
    if found is None or _is_never(found):
        return False
    return _is_public(found) or targets.names(host, address)


@cache
def _parsed(address: str) -> _Address | None:
    """The address that a packet would end at; None for what is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else found


def _is_never(address: _Address) -> bool:
    """Link-local, multicast, reserved: no setting opens them."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv4Address) and address.is_reserved)
        or address in _METADATA
    )


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in each for each in _NOT_PUBLIC_V4)
    low = int(address) & 0xFFFFFFFF
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return _is_public(ipaddress.IPv4Address(low))
    return address in _GLOBAL_V6 and not any(address in each for each in _NOT_PUBLIC_V6)
