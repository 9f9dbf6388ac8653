"""A Redis that says it is older than it is: a line to a real server that changes one word of what it says of itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

PIECE_BYTES = 65_536
REAL, TOLD = b"redis_version:7.0.15", b"redis_version:6.2.14"


@contextlib.asynccontextmanager
async def older_redis(port: int) -> AsyncIterator[str]:
    """Give the URL of such a server in front of the one on `port`, which is a Redis 7.0.15."""
    listener = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, port), "127.0.0.1", 0)
    async with listener:
        host, own_port = listener.sockets[0].getsockname()
        yield f"redis://{host}:{own_port}/0"


async def _serve(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter, port: int) -> None:
    from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        await asyncio.gather(_pass_on(from_client, to_server), _pass_on(from_server, to_client))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece.replace(REAL, TOLD))
        await writer.drain()
    writer.close()
