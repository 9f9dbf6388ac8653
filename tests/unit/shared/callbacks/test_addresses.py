"""Which addresses callbacks go to."""

from ipaddress import ip_address, ip_network

import pytest

from shared.callbacks.addresses import EVERYWHERE, REFUSED, objection

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 168.63.129.15 168.63.129.17
169.253.255.255 169.255.0.1 172.15.255.255 172.32.0.1 191.255.255.255 192.0.1.1 192.0.3.1 192.88.98.1 192.88.100.1
192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 198.51.99.1 198.51.101.1 203.0.112.1 203.0.114.1 223.255.255.255
2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2600::1 2606:4700::1111 2620:4f:7fff::1
2a00::5efd:127.0.0.1 3ffe::1 3fff:1000::1
""".split()


@pytest.mark.parametrize("text", PUBLIC)
def test_nothing_speaks_against_public_addresses_up_to_the_edges_of_what_is_special(text: str) -> None:
    assert objection(ip_address(text), ()) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("192.168.1.5", "a private address (RFC 1918)"),
        ("100.64.0.1", "a shared address behind a carrier's NAT (RFC 6598)"),
        ("168.63.129.16", "a metadata address of a cloud"),
        ("::1", "the loopback address (RFC 4291)"),
        ("::7f00:1", "an IPv4-compatible address (RFC 4291)"),
        ("2001:2::1", "an address of benchmarks (RFC 5180)"),
        ("4000::1", "no global unicast address (RFC 4291)"),
    ],
)
def test_an_objection_says_what_kind_of_address_it_is(text: str, what: str) -> None:
    assert objection(ip_address(text), ()) == what


def test_an_allowed_network_is_taken_and_its_neighbour_is_not() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd12::/32"))

    assert objection(ip_address("10.1.2.3"), allowed) is None
    assert objection(ip_address("fd12::1"), allowed) is None
    assert objection(ip_address("10.2.0.1"), allowed) == "a private address (RFC 1918)"
    assert objection(ip_address("fd13::1"), allowed) == "a unique local address (RFC 4193)"


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
     "fd20:ce::254", "64:ff9b::169.254.169.254", "::ffff:168.63.129.16", "2002:a9fe:a9fe::1"],
)  # fmt: skip
def test_metadata_is_refused_even_where_everything_is_allowed(text: str) -> None:
    assert "a metadata address of a cloud" in (objection(ip_address(text), EVERYWHERE) or "")


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "::", "10.0.0.1", "fe80::1%eth0", "ff02::1", "4000::1"])
def test_everything_else_is_taken_where_everything_is_allowed(text: str) -> None:
    assert objection(ip_address(text), EVERYWHERE) is None


@pytest.mark.parametrize(
    ("network", "text", "against"),
    [
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", None),
        ("64:ff9b::/96", "64:ff9b::127.0.0.1", "a NAT64 address (RFC 6052) that carries 127.0.0.1, a loopback address"),
        ("64:ff9b:1::/96", "64:ff9b:1::10.0.0.1", "that carries 10.0.0.1, a private address"),
        ("::ffff:0:0/96", "::ffff:10.0.0.1", "that carries 10.0.0.1, a private address"),
        ("::ffff:0:0:0/96", "::ffff:0:10.0.0.1", "that carries 10.0.0.1, a private address"),
        ("::/96", "::10.0.0.1", "that carries 10.0.0.1, a private address"),
        ("2002::/16", "2002:a00:1::1", "that carries 10.0.0.1, a private address"),
        ("2002::/16", "2002:808:808::1", None),
        ("2001::/32", "2001:0:a00:1::1", "that carries 10.0.0.1, a private address"),
        ("fd00:64::/96", "fd00:64::8.8.8.8", None),
        ("fd00:64::/96", "fd00:64::169.254.169.254", "that carries 169.254.169.254, a metadata address of a cloud"),
        ("fd00:64::/96", "fd00:64::10.0.0.1", "a unique local address (RFC 4193) that carries 10.0.0.1, a private"),
        ("2600:64::/96", "2600:64::127.0.0.1", "an address that carries 127.0.0.1, a loopback address"),
        ("fd00:64::/64", "fd00:64::a00:1", None),
        ("64:ff9b:1:2:3:4::/96", "64:ff9b:1:2:3:4:808:808", None),
        ("64:ff9b:1::/48", "64:ff9b:1:7f00:0:100::", "that carries 127.0.0.1, a loopback address"),
        ("64:ff9b:1::/56", "64:ff9b:1:7f:0:1::", "a NAT64 address of local use (RFC 8215) that carries"),
        ("64:ff9b:1::/64", "64:ff9b:1::7f:0:100:0", "a NAT64 address of local use (RFC 8215) that carries"),
        ("2600::/16", "2600::5efe:10.0.0.1", "that carries 10.0.0.1, a private address"),
    ],
)
def test_an_allowed_address_is_as_good_as_the_ipv4_address_that_it_carries(
    network: str, text: str, against: str | None
) -> None:
    found = objection(ip_address(text), (ip_network(network),))

    assert found is None if against is None else against in (found or "")


@pytest.mark.parametrize("text", ["a9fe:a9:fe00::", "a9:fe:a9fe::", ":a9:fea9:fe00:0", "1:2:3:a9fe:a9fe"])
def test_no_layout_of_a_translator_leads_to_metadata_although_all_is_allowed(text: str) -> None:
    found = objection(ip_address(f"64:ff9b:1:{text}"), EVERYWHERE)

    assert "that carries 169.254.169.254, a metadata address of a cloud" in (found or "")


@pytest.mark.parametrize("text", ["8.8.8.8", "10.0.0.1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_what_operators_refuse_is_refused_whatever_is_allowed(text: str) -> None:
    refused = (ip_network("8.8.8.0/24"), ip_network("10.0.0.0/8"))

    assert REFUSED in (objection(ip_address(text), EVERYWHERE, refused) or "")
    assert objection(ip_address(text), EVERYWHERE) is None
