"""The last word on where a callback goes: the address of the socket, at the moment of the call.

A name is looked up anew for each connection, and all that it leads to is judged; then a socket is opened to one of
these addresses, and to nothing else. So what is judged is what is called: a name that leads elsewhere a second later
(rebinding), a literal that the HTTP client reads in its own way, and a redirect that somebody forgot to forbid all
meet the same refusal, and no packet is sent.

    CallbackTarget ─▶ look up ─▶ every address judged ─▶ socket to one of them ─▶ TLS, HTTP
                                  └── one is refused: none is called
"""

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from processor.callbacks.answer import OneAnswerConnector
from shared import limits
from shared.callback_errors import CallbackAddressRefused
from shared.callbacks.addresses import METADATA, REFUSED, Address, objection
from shared.callbacks.target import CallbackRules, CallbackTarget

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)  # RFC 3493 §6.1: no such name; a name without an address


def guarded_connector(target: CallbackTarget, rules: CallbackRules, names: AbstractResolver) -> OneAnswerConnector:
    """Make a connector that goes to this target and nowhere else; it is closed by its session.

    `names` looks names up (NameLookUp). Making it, and calls, raise CallbackAddressRefused.

    Nothing is kept from one connection to the next, neither addresses nor connections: what was judged yesterday is not
    called today.
    """
    guard = AddressGuard(target, rules, names)
    return OneAnswerConnector(resolver=guard, socket_factory=guard.open_socket)


class AddressGuard(AbstractResolver):
    """Looks up the host of one target, and opens sockets to what it has judged."""

    def __init__(self, target: CallbackTarget, rules: CallbackRules, names: AbstractResolver) -> None:
        self._target = target
        self._networks = rules.networks_of(target)
        self._refused = rules.refused
        self._is_known = rules.names(target.host)
        self._names = names
        self._judged: set[Address] = set()
        if target.address is not None:
            self._judge(str(target.address))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look a name up. Raises CallbackAddressRefused when a single address may not be called, OSError for no name.

        One is enough: a receiver's name does not lead to the public and into our network at once, and if the good one
        did not answer, the next try would go to the other.
        """
        if host != self._target.host:
            raise CallbackAddressRefused(f"A callback to {self._target.host} was about to go to {host}.")
        found = await self._look_up(host, port, family)
        for answer in found:
            self._judge(answer["host"])
        return found[: limits.CALLBACK_ADDRESSES_TRIED]

    def open_socket(self, addr_info: AddrInfoType) -> socket.socket:
        """Open a socket for an address that was judged (aiohttp's socket_factory). Raises CallbackAddressRefused."""
        family, kind, protocol, _, address = addr_info
        if self._address(address[0]) not in self._judged:
            raise CallbackAddressRefused(f"A callback to {self._target.host} was about to go to {address[0]} unjudged.")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Release nothing: what looks names up serves other targets too."""

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        if self._is_known:
            return await self._names.resolve(host, port, family)
        try:
            # With a dot at its end a name is whole: else the machine's search domains would be tried, which are ours.
            return await self._names.resolve(f"{host}.", port, family)
        except socket.gaierror as error:
            # Nor is a whole name looked for in the hosts file (glibc). Operators who allow networks may have put a
            # receiver there, or into a search domain. That opens nothing: any address there may be called as such.
            # But a DNS that is away for a moment says nothing of the name, which would go to another of that spelling.
            if not self._networks or error.errno not in _NO_SUCH_NAME:
                raise
            return await self._names.resolve(host, port, family)

    def _judge(self, text: str) -> None:
        address = self._address(text)
        if against := objection(address, self._networks, self._refused):
            allowing = (
                ""
                if METADATA in against or REFUSED in against
                else " WAYBILL_CALLBACK_NETWORKS and WAYBILL_CALLBACK_HOSTS allow others."
            )
            raise CallbackAddressRefused(
                f"{self._target.host} leads to {address}, {against}; callbacks do not go there.{allowing}"
            )
        self._judged.add(address)

    def _address(self, text: str) -> Address:
        try:
            return ip_address(text)
        except ValueError:
            # The system would look it up once more, behind our back.
            raise CallbackAddressRefused(f"{self._target.host} leads to {text!r}, which is no address.") from None
