"""Creates jobs over HTTP in a process of its own, as cheap as it can be, and keeps their ids."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import uvloop

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Created(NamedTuple):
    """What came of it: the jobs' ids, how long each call took (ns), and all of them."""

    ids: list[str]
    took_ns: list[int]
    took_seconds: float


class Creators:
    """Calls some gateways over many connections; blocks until all jobs are there."""

    def create(self, ports: Sequence[int], request: bytes, count: int, connections: int) -> Created:
        """Send a create call so many times, the gateways in turn; anything but a 202 is a failure."""
        return uvloop.run(_create(ports, request, count, connections))


async def _create(ports: Sequence[int], request: bytes, count: int, connections: int) -> Created:
    created, left, began_at = Created([], [], 0.0), iter(range(count)), time.monotonic()
    await asyncio.gather(*(_call(ports[n % len(ports)], request, left, created) for n in range(connections)))
    return created._replace(took_seconds=time.monotonic() - began_at)


async def _call(port: int, request: bytes, left: Iterator[int], created: Created) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in left:
        asked_at_ns = time.monotonic_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert head.startswith(b"HTTP/1.1 202"), head
        assert length is not None, head
        body = json.loads(await reader.readexactly(int(length[1])))
        created.took_ns.append(time.monotonic_ns() - asked_at_ns)
        created.ids.append(body["job_id"])
    writer.close()
