"""From where a request comes, when it passed proxies that the operators trust. Pure.

    client ─▶ proxy it brought along ─▶ our proxies ─▶ gateway        each writes down behind the others who spoke to it

So the rightmost address that is no trusted proxy is the last that somebody trusted has seen. uvicorn's own
ProxyHeadersMiddleware does not do: it trusts loopback unasked, takes texts that are no address into logs, does not read
Forwarded (RFC 7239), and keeps a misspelt network silently as a name.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from gateway.edge.forwarded import Hop, read_forwarded
from gateway.edge.header import Header

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAX_ADDRESS_CHARS = 60  # IPv6 with a port; longer texts would fill the memory of those that were parsed
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


class Sender(NamedTuple):
    """Who sent a request, as far as somebody trusted has seen; `scheme` is None where nobody trusted said it."""

    address: str
    scheme: str | None


class TrustedProxies:
    """Believes what these networks say of the requests that they pass on; with none of them, nobody."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)

    def sender_of(self, peer: str, headers: Sequence[Header]) -> Sender:
        """Say from where a request comes whose connection is from `peer`; headers have lower-case names.

        Where Forwarded and X-Forwarded-For are both there and disagree, one of them is of the client's own making: then
        the proxy's address stands. So it does where the next text to the left is no address, and for a Forwarded that
        is malformed: what a proxy has added to it cannot be told from what a client wrote.
        """
        if not self._networks or not self._trusts(_address(peer.partition("%")[0])):
            return Sender(peer, None)
        forwarded = _lines(headers, b"forwarded")
        hops = read_forwarded(forwarded) or []
        listed = _lines(headers, b"x-forwarded-for")
        claims = []
        if forwarded:
            claims.append(self._last_untrusted(peer, [hop.sender or "" for hop in hops]))
        if listed:
            claims.append(self._last_untrusted(peer, [text.strip() for text in listed.split(",")]))
        address = claims[0] if claims and len(set(claims)) == 1 else peer
        return Sender(address, _scheme(_lines(headers, b"x-forwarded-proto"), hops))

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _last_untrusted(self, peer: str, listed: Sequence[str]) -> str:
        seen = peer
        for text in reversed(listed):
            address = _address(text)
            if address is None:
                return seen
            seen = str(address)
            if not self._trusts(address):
                return seen
        return seen


def _lines(headers: Sequence[Header], wanted: bytes) -> str:
    """Give all lines of a header as the one list that they are (RFC 9110 §5.3)."""
    return ", ".join(value.decode("latin-1") for name, value in headers if name == wanted)


def _address(text: str) -> Address | None:
    return _parsed(text) if len(text) <= _MAX_ADDRESS_CHARS else None


@functools.lru_cache(maxsize=4_096)  # the same few proxies, and clients who poll
def _parsed(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match[1] or match[2] or "") if match else text)
    except ValueError:
        return None
    if getattr(address, "scope_id", None) is not None:
        return None  # a zone (RFC 4007 §11) is any text, escapes of a terminal too, and means nothing elsewhere
    # A socket that listens to both kinds writes IPv4 as a part of IPv6 (RFC 4291 §2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address


def _scheme(x_forwarded_proto: str, hops: Sequence[Hop]) -> str | None:
    """Give what the nearest proxy says, which is the last word in either header; None where the two disagree."""
    said = {hop.scheme.lower() for hop in hops[-1:] if hop.scheme}
    if x_forwarded_proto:
        said.add(x_forwarded_proto.rpartition(",")[2].strip().lower())
    return said.pop() if said in ({"http"}, {"https"}) else None
