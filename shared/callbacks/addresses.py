"""Which addresses callbacks go to: public ones, and what operators allow besides. Pure.

`ipaddress.is_global` does not answer this: it calls `::127.0.0.1`, NAT64 and 6to4 forms of loopback and Azure's
metadata address global, and its answer changes with Python's version. So the tables are here: of IPv4 all that IANA
has in its registry of special purposes (RFC 6890, as of 2024-10) is special; of IPv6 all that is no global unicast
(2000::/3), and what is special in there.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

EVERYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""Allowed networks of a host that the operators have allowed by its name."""

METADATA = "a metadata address of a cloud"
"""The one objection that no operator can take away."""

REFUSED = "an address that the service's operators refuse"
"""The objection that no other setting takes away."""

_LOW = (0,)
_LOW_32_BITS = 0xFFFF_FFFF
_TRANSLATED_BITS = 96  # of a prefix behind which an IPv4 address stands whole


class _Special(NamedTuple):
    """What is special about a network. `ipv4_at`: by how many bits to shift for an IPv4 address inside of it.

    `is_of_any_layout`: a translator there may place it in all ways of RFC 6052 §2.2.
    """

    what: str
    ipv4_at: tuple[int, ...] = ()
    is_of_any_layout: bool = False


def _table(rows: Sequence[tuple[str, _Special]]) -> tuple[tuple[Network, _Special], ...]:
    return tuple((ip_network(network), special) for network, special in rows)


_METADATA = tuple(
    ip_network(network)
    for network in (
        "169.254.169.0/24",  # AWS, Google, Azure, Oracle, DigitalOcean, OpenStack; Amazon's time and names beside it
        "169.254.170.0/24",  # credentials of tasks and pods: Amazon ECS, EKS
        "169.254.42.42/32",  # Scaleway
        "169.254.0.23/32",  # Tencent
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server, in the middle of a public network
        "192.0.0.192/32",  # Oracle, classic
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
    )
)

# The first row that fits counts: narrow ones stand before wide ones.
_SPECIAL = _table(
    (
        ("0.0.0.0/8", _Special("an address of this host or network (RFC 791)")),
        ("10.0.0.0/8", _Special("a private address (RFC 1918)")),
        ("172.16.0.0/12", _Special("a private address (RFC 1918)")),
        ("192.168.0.0/16", _Special("a private address (RFC 1918)")),
        ("100.64.0.0/10", _Special("a shared address behind a carrier's NAT (RFC 6598)")),
        ("127.0.0.0/8", _Special("a loopback address (RFC 1122)")),
        ("169.254.0.0/16", _Special("a link-local address (RFC 3927)")),
        ("192.0.0.0/24", _Special("an address for protocols (RFC 6890)")),
        ("192.0.2.0/24", _Special("an address of documentation (RFC 5737)")),
        ("198.51.100.0/24", _Special("an address of documentation (RFC 5737)")),
        ("203.0.113.0/24", _Special("an address of documentation (RFC 5737)")),
        ("192.31.196.0/24", _Special("an AS112 address, a sink of DNS (RFC 7535)")),
        ("192.175.48.0/24", _Special("an AS112 address, a sink of DNS (RFC 7534)")),
        ("192.52.193.0/24", _Special("a relay of multicast (RFC 7450)")),
        ("192.88.99.0/24", _Special("a relay of 6to4 (RFC 7526)")),
        ("198.18.0.0/15", _Special("an address of benchmarks (RFC 2544)")),
        ("224.0.0.0/4", _Special("a multicast address (RFC 5771)")),
        ("255.255.255.255/32", _Special("the broadcast address (RFC 919)")),
        ("240.0.0.0/4", _Special("a reserved address (RFC 1112)")),
        ("::/128", _Special("the unspecified address (RFC 4291)")),
        ("::1/128", _Special("the loopback address (RFC 4291)")),
        ("::ffff:0:0/96", _Special("an IPv4-mapped address (RFC 4291)", _LOW)),
        ("::ffff:0:0:0/96", _Special("an IPv4-translated address (SIIT, RFC 2765)", _LOW)),
        ("::/96", _Special("an IPv4-compatible address (RFC 4291)", _LOW)),
        ("64:ff9b::/96", _Special("a NAT64 address (RFC 6052)", _LOW)),
        ("64:ff9b:1::/48", _Special("a NAT64 address of local use (RFC 8215)", is_of_any_layout=True)),
        ("100::/64", _Special("an address that discards (RFC 6666)")),
        ("100:0:0:1::/64", _Special("a dummy address (RFC 9780)")),
        ("2001::/32", _Special("a Teredo address (RFC 4380)", (64,))),
        ("2001:2::/48", _Special("an address of benchmarks (RFC 5180)")),
        ("2001:10::/28", _Special("an ORCHID, which no packet is sent to (RFC 4843)")),
        ("2001:20::/28", _Special("an ORCHID, which no packet is sent to (RFC 7343)")),
        ("2001:30::/28", _Special("a drone's tag (RFC 9374)")),
        ("2001::/23", _Special("an address for protocols (RFC 2928)")),
        ("2001:db8::/32", _Special("an address of documentation (RFC 3849)")),
        ("3fff::/20", _Special("an address of documentation (RFC 9637)")),
        ("2002::/16", _Special("a 6to4 address (RFC 3056)", (80,))),
        ("2620:4f:8000::/48", _Special("an AS112 address, a sink of DNS (RFC 7534)")),
        ("5f00::/16", _Special("a segment of routing (RFC 9602)")),
        ("fc00::/7", _Special("a unique local address (RFC 4193)")),
        ("fe80::/10", _Special("a link-local address (RFC 4291)")),
        ("fec0::/10", _Special("a site-local address (RFC 3879)")),
        ("ff00::/8", _Special("a multicast address (RFC 4291)")),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_UNICAST = _Special("no global unicast address (RFC 4291)")
_ISATAP = _Special("an ISATAP address (RFC 5214)", _LOW)


def objection(address: Address, allowed: Sequence[Network], refused: Sequence[Network] = ()) -> str | None:
    """Say what speaks against a callback to an address, as a noun with its article; None: nothing.

    What is `refused` is so before all else. What is special is taken only from an allowed network, the metadata
    addresses of clouds not even then: no receiver of callbacks is there, and who allows `169.254.0.0/16` does not mean
    them. An allowed address that carries an IPv4 address is as good as that: who allows NAT64 has not allowed the
    loopback interface of the translator. Any allowed network of IPv6 with /96 is taken for a translator's, which may
    have any prefix.
    """
    if any(address in network for network in refused):
        return REFUSED
    if any(address in network for network in _METADATA):
        return METADATA
    special = _special(address)
    within = [network for network in allowed if address in network]
    if special is not None and not within:
        return special.what
    for carried in _carried(address, special, within):
        if against := objection(carried, allowed, refused):
            return f"{special.what if special else 'an address'} that carries {carried}, {against}"
    return None


def _special(address: Address) -> _Special | None:
    for network, special in _SPECIAL:
        if address in network:
            return special
    if isinstance(address, IPv4Address):
        return None
    if address not in _GLOBAL_UNICAST:
        return _NOT_UNICAST
    # 0000:5efe or 0200:5efe before the IPv4 address, in any network.
    return _ISATAP if int(address) >> 32 & 0xFDFF_FFFF == 0x0000_5EFE else None


def _carried(address: Address, special: _Special | None, within: Sequence[Network]) -> list[IPv4Address]:
    if any(network.version == 6 and network.prefixlen == _TRANSLATED_BITS for network in within):
        return [IPv4Address(int(address) & _LOW_32_BITS)]
    if special is None:
        return []
    if special.is_of_any_layout:
        return _of_any_layout(int(address))
    return [IPv4Address(int(address) >> shift & _LOW_32_BITS) for shift in special.ipv4_at]


def _of_any_layout(bits: int) -> list[IPv4Address]:
    """Read what translators with /48, /56, /64 and /96 place around the bits 64 to 71 (RFC 6052 §2.2)."""
    return [
        IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF),
        IPv4Address((bits >> 64 & 0xFF) << 24 | bits >> 32 & 0xFF_FFFF),
        IPv4Address(bits >> 24 & _LOW_32_BITS),
        IPv4Address(bits & _LOW_32_BITS),
    ]
