"""A wire between a client and a server that can be cut, also after a request went through and before its reply does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class CuttableWire:
    """Forwards bytes to 127.0.0.1:`server_port`; listens on `port`."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loses_next_reply = False
        self.lost_replies = 0
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["CuttableWire"]:
        """Listen until the end of the block, then close everything."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            self.cut()
            await listener.wait_closed()

    @property
    def url(self) -> str:
        """The server's URL through this wire."""
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_next_reply(self) -> None:
        """Cut the connection in place of its next reply: the server has done what was asked, the client cannot know."""
        self._loses_next_reply = True

    def cut(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers |= {to_client, to_server}
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(from_client, to_server))
                group.create_task(self._forward_replies(from_server, to_client))
        for writer in (to_client, to_server):
            self._writers.discard(writer)
            writer.close()

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            target.write(piece)
        target.close()

    async def _forward_replies(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            if self._loses_next_reply:
                self._loses_next_reply = False
                self.lost_replies += 1
                self.cut()
                return
            target.write(piece)
        target.close()
