"""Names of receivers, looked up as this machine does it (hosts file, search domains, DNS), in threads of its own.

A name's owner decides how long its look-up takes. In the threads that everybody shares (aiohttp's ThreadedResolver)
a few such names would hold up the reading and writing of archives.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from shared import limits


class NameLookUp(AbstractResolver):
    """What looks names up for all callbacks of a process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(limits.CALLBACK_LOOK_UP_THREADS, thread_name_prefix="callback-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name, of the families that this machine has. Raises OSError when there are none."""
        ask = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for found_family, _, protocol, _, address in await asyncio.get_running_loop().run_in_executor(
                self._threads, ask
            )
        ]

    async def close(self) -> None:
        """Begin no further look-up. Those under way end by the machine's own patience; nobody waits for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
