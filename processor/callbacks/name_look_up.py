"""Names of receivers, looked up as this machine does it, in threads of its own.

That is by hosts file, search domains and DNS. With a dot at its end a name is asked of DNS alone (glibc), as it is.

A name's owner decides how long its look-up takes. In the threads that everybody shares (aiohttp's ThreadedResolver)
a few such names would hold up the reading and writing of archives, and in those of an executor the end of the process.
"""

import asyncio
import socket
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from shared import limits
from shared.objects.threads import in_daemon_thread


class NameLookUp(AbstractResolver):
    """What looks names up for all callbacks of a process."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(limits.CALLBACK_LOOK_UP_THREADS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name, of the families that this machine has. Raises OSError when there are none.

        A cancelled caller leaves the look-up behind, whose place is taken until it has ended.
        """
        ask = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        await self._places.acquire()
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for found_family, _, protocol, _, address in await in_daemon_thread(
                ask, name="callback-names", ended=self._places.release
            )
        ]

    async def close(self) -> None:
        """Release nothing: look-ups under way end by the machine's own patience, and hold up nobody."""
