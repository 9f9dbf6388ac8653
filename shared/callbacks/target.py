"""The URL of a callback, judged as a text: what it says of where it goes. Pure.

    https://hooks.example.org:8443/jobs?of=me
    └─┬─┘   └───────┬───────┘ └┬─┘└────┬────┘
    scheme        host        port   the rest, which decides nothing

Only one way to write a host is taken: attacks live on what two readers of a URL read differently (octal and short
addresses, full-width digits, `\\`, userinfo). So there is no repairing here, and what passes has one meaning for every
client. Names are not looked up: what they lead to is judged when the callback is sent, at each try.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from shared import limits
from shared.callback_errors import CallbackUrlRefused
from shared.callbacks.addresses import EVERYWHERE, METADATA, REFUSED, Address, Network, objection

_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(#.*)?")
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")  # RFC 3986 §2
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")  # RFC 1035 §2.3.1; _ stands in names of services
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes an address of the name (WHATWG URL §3.5)
_PORTS = {"https": 443, "http": 80}

# RFC 6761 (localhost, invalid, test), 6762 (local), 7686 (onion), 8375 (home.arpa); ICANN's resolution of 2024-07-29.
_INTERNAL_DOMAINS = ("localhost", "invalid", "test", "local", "onion", "home.arpa", "internal")
_ALLOWING = "The service's operators can allow it."


class CallbackRules(NamedTuple):
    """Where operators let callbacks go: schemes, ports, and what is not public.

    `hosts` are names, `*.example.net` standing for all below it; whatever they lead to is good, but for metadata and
    what is `refused`, whatever else is allowed.
    """

    takes_http: bool = False
    ports: tuple[range, ...] = (range(80, 81), range(443, 444))
    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()
    refused: tuple[Network, ...] = ()

    def names(self, host: str) -> bool:
        """Tell whether a host is allowed by its name."""
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.hosts)

    def networks_of(self, target: "CallbackTarget") -> tuple[Network, ...]:
        """Give the networks in which the addresses of a target may be, besides public ones."""
        return EVERYWHERE if target.address is None and self.names(target.host) else self.networks


class CallbackTarget(NamedTuple):
    """A URL that callbacks may be sent to, as far as its text says. `address`: its host is one, and no name."""

    url: str
    host: str
    port: int
    address: Address | None


def read_target(url: str, rules: CallbackRules) -> CallbackTarget:
    """Read the URL of a callback. Raises CallbackUrlRefused with a sentence that says what to change."""
    if len(url) > limits.MAX_CALLBACK_URL_CHARS:
        raise CallbackUrlRefused(
            f"callback_url has {len(url):,} characters; the limit is {limits.MAX_CALLBACK_URL_CHARS:,}."
        )
    if _CHARACTERS.fullmatch(url) is None:
        raise _refused(
            "has a character that no URL has. Percent-encode it; write a host name in its ASCII form (xn--…)."
        )
    parts = _PARTS.fullmatch(url)
    scheme = parts[1].lower() if parts else ""
    if parts is None or scheme not in _PORTS or (scheme == "http" and not rules.takes_http):
        raise _refused(f"must begin with https://{' or http://' if rules.takes_http else ''}.")
    if "@" in parts[2]:
        raise _refused("has a user in it. Take it out: callbacks are known by their signature.")
    if parts[4]:
        raise _refused("has a fragment (#), which is never sent. Take it out.")
    if parts[3].endswith("?") and parts[3].count("?") == 1:
        raise _refused("has a ? with nothing behind it, which clients leave out. Take it out.")
    return _target(scheme, parts[2], parts[3], rules)


def _target(scheme: str, authority: str, rest: str, rules: CallbackRules) -> CallbackTarget:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise _refused("has a host that is neither a name nor an address, or a port that is none.")
    port = int(found[3] or _PORTS[scheme])
    if not any(port in ports for ports in rules.ports):
        raise _refused(f"has the port {port}, to which callbacks do not go. {_ALLOWING}")
    address = _ipv6(found[1]) if found[1] else _ipv4(found[2].lower())
    if address is None:
        host = _name(found[2].lower(), rules)
    else:
        host = str(address)
        if against := objection(address, rules.networks, rules.refused):
            allowing = "" if METADATA in against or REFUSED in against else f" {_ALLOWING}"
            raise _refused(f"leads to {host}, {against}; callbacks do not go there.{allowing}")
    shown = f"[{host}]" if ":" in host else host
    shown_port = "" if port == _PORTS[scheme] else f":{port}"
    return CallbackTarget(f"{scheme}://{shown}{shown_port}{rest}", host, port, address)


def _ipv6(text: str) -> Address:
    try:
        return IPv6Address(text)
    except AddressValueError:
        raise _refused("has brackets around what is no IPv6 address.") from None


def _ipv4(host: str) -> Address | None:
    """Read an address; None for a name. Raises CallbackUrlRefused for any form but four decimal numbers."""
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is None:
        return None
    try:
        return IPv4Address(host)
    except AddressValueError:
        raise _refused("has a host of numbers that is no address. Write four decimal numbers, as 192.0.2.1.") from None


def _name(host: str, rules: CallbackRules) -> str:
    if len(host) > limits.MAX_HOST_NAME_CHARS or any(_LABEL.fullmatch(label) is None for label in host.split(".")):
        raise _refused("has a host that is no name. Write it without a dot at its end.")
    if rules.names(host):
        return host
    if "." not in host:
        raise _refused(f"has a host of one word, which is no public name. {_ALLOWING}")
    if any(host.endswith(f".{domain}") for domain in _INTERNAL_DOMAINS):
        raise _refused(
            f"has a host that is no public name: all below {host.rpartition('.')[2]} is internal. {_ALLOWING}"
        )
    return host


def _refused(reason: str) -> CallbackUrlRefused:
    return CallbackUrlRefused(f"callback_url {reason}")
