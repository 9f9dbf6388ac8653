"""Which names this gateway answers to. Pure.

A page of a stranger can let its own name lead to 127.0.0.1 (DNS rebinding), and then reads a local service as if it
were its own; its browser still sends the stranger's name as Host (RFC 9110 §7.2). Without authentication that header is
all that tells such a page from the person at this machine.
"""

import re
from collections.abc import Iterable

from shared.caller_errors import Misdirected

# RFC 6761 §6.3: everything below localhost is this machine.
_LOOPBACK = re.compile(rb"(127(\.[0-9]{1,3}){3}|\[::1\]|([a-z0-9_-]+\.)*localhost\.?)(:[0-9]{0,5})?", re.IGNORECASE)
_PORT = re.compile(rb":[0-9]{0,5}$")


class HostRule:
    """Takes the given names, with any port; and loopback's, where `takes_loopback`. Without either, every name."""

    def __init__(self, names: Iterable[str], *, takes_loopback: bool) -> None:
        self._names = frozenset(name.lower().encode() for name in names)
        self._takes_loopback = takes_loopback
        self._takes_all = not self._names and not takes_loopback

    def insist(self, host: bytes | None) -> None:
        """Raise Misdirected for a Host header with another name, and where there is none."""
        if self._takes_all:
            return
        if host is not None:
            if self._takes_loopback and _LOOPBACK.fullmatch(host):
                return
            if _PORT.sub(b"", host.lower()) in self._names:
                return
        raise Misdirected(
            "The Host header names another server than this one. Call it by a name it knows: its operators add names "
            "by WAYBILL_HOSTS."
        )
