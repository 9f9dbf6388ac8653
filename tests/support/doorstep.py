"""Listening sockets of this machine, all on one port, and a way to look names up that a test decides."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Self

from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.ports import free_ports

LOOPBACKS = ("127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "::1")
"""Where it listens, as far as the machine has these addresses: macOS has the first and the last."""


class Doorstep:
    """A context manager: listens inside of it. Nobody is let in but by `answering`."""

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self._listeners: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        """Begin to listen."""
        for address in LOOPBACKS:
            with contextlib.suppress(OSError):
                self._listeners[address] = socket.create_server(
                    (address, self.port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
                )
                self._listeners[address].setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Give the addresses at which it listens."""
        return tuple(self._listeners)

    def visitors(self) -> int:
        """Count who has connected since the last count, and send them away.

        A connection stands in the kernel's queue before its client learns that it has one, so none is missed.
        """
        return sum(self._visitors_of(listener) for listener in self._listeners.values())

    @contextlib.asynccontextmanager
    async def answering(self, head: bytes = b"HTTP/1.1 204 No Content") -> AsyncIterator[list[str]]:
        """Answer each request with this head, as long as the block lasts; gives the addresses that were called."""
        called: list[str] = []
        talks: list[asyncio.Future[None]] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.append(ended := asyncio.get_running_loop().create_future())
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await reader.readuntil(b"\r\n\r\n"):
                    called.append(writer.get_extra_info("sockname")[0])
                    writer.write(head + b"\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.set_result(None)

        async with contextlib.AsyncExitStack() as servers:
            for listener in self._listeners.values():
                await servers.enter_async_context(await asyncio.start_server(answer, sock=listener.dup()))
            try:
                yield called
            finally:
                # Their clients are gone, so they end; one that is left behind would hide why a test fails.
                await asyncio.gather(*talks)

    def _visitors_of(self, listener: socket.socket) -> int:
        count = 0
        while True:
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return count
            connection.close()
            count += 1


class MappedNames(AbstractResolver):
    """Looks up names as a test says; a name with several answers gives one after the other, and stays with the last.

    What it has no answers for is read as the C library reads it (`127.1`, `0x7f.1`), without a question to the network.
    """

    def __init__(self, answers: dict[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {host: list(each) for host, each in answers.items()}

    def look_up(self, host: str) -> Sequence[str]:
        """Give the addresses of a name. Raises OSError for none."""
        if host in self._answers:
            answers = self._answers[host]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return [str(found[4][0]) for found in socket.getaddrinfo(host, 0, flags=socket.AI_NUMERICHOST)]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up as aiohttp wants it."""
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.look_up(host.removesuffix("."))
        ]

    async def close(self) -> None:
        """Release nothing."""
