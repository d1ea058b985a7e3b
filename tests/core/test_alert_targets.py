"""Which addresses alerts may reach, and what no setting opens."""

from ipaddress import ip_network

import pytest

from quota_web.core.alert_targets import AlertTargets, may_reach

PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "2606:2800:21f:cb07::1",
    "2a00:1450:4001:80e::200e",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
#: Closed, and opened by naming them.
PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.9",
    "192.168.7.7",
    "100.64.0.1",
    "198.18.0.1",
    "::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
]
#: Closed whatever the setting says.
NEVER = [
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "ff02::1",
    "168.63.129.16",
    "192.0.0.192",
    "100.100.100.200",
    "fd00:ec2::254",
]
#: Public by the first look alone.
DISGUISED = [
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:101:101::1",
    "2001::1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "2001:db8::1",
    "3fff::1",
    "64:ff9b:1::7f00:1",
    "::127.0.0.1",
    "::1.1.1.1",
    "fec0::1",
    "100::1",
    "5f00::1",
    "4000::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:10.0.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "203.0.113.1",
]
NO_ADDRESS = ["", "localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "1.1.1.1.", "[::1]"]
EVERYTHING = AlertTargets(frozenset({"here"}), (ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_reached(address):
    assert may_reach(address, "example.org", AlertTargets())


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER, *DISGUISED, *NO_ADDRESS])
def test_nothing_else_is_reached_unless_the_owner_says_so(address):
    assert not may_reach(address, "example.org", AlertTargets())


@pytest.mark.parametrize("address", PRIVATE)
def test_the_owner_opens_private_addresses_by_host_or_by_network(address):
    by_host = AlertTargets(hosts=frozenset({"ntfy.lan"}))

    assert may_reach(address, "Ntfy.LAN.", by_host)
    assert not may_reach(address, "other.lan", by_host)
    assert may_reach(address, "any.example", EVERYTHING)


@pytest.mark.parametrize("address", [*NEVER, *NO_ADDRESS])
def test_no_setting_opens_link_local_multicast_or_metadata(address):
    assert not may_reach(address, "here", EVERYTHING)


def test_a_network_opens_its_own_addresses_alone():
    home = AlertTargets(networks=(ip_network("192.168.7.0/24"), ip_network("::1/128")))

    assert [
        may_reach(address, "x", home)
        for address in ("192.168.7.1", "::ffff:192.168.7.1", "192.168.8.1", "::1", "127.0.0.1")
    ] == [True, True, False, True, False]
