"""Other ways to serve a job's events, on the same log and the same published messages.

    python tests/load/stream_contenders.py xread|litestar|sse-starlette <redis URL> <port>

xread is what is written first: one blocking XREAD, and with it one connection to Redis, for each viewer. The other two
have one pub/sub connection for the process and a queue for each viewer, as their manuals have it; none of them resumes.
Served in an environment of its own (`make bench-environment`), so this imports nothing of Waybill but to start it.
"""

import asyncio
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CONTENDERS = ("xread", "litestar", "sse-starlette")
CONTENDERS_PYTHON = ".venv-bench/bin/python"
UP_WITHIN_SECONDS = 20.0
BLOCK_MS = 15_000
FIRST = '{"type":"snapshot"}'

Events = AsyncIterator[tuple[str, str]]
"""Ids and messages of one job, as they come."""


class Fanout:
    """One pub/sub connection, a queue for each viewer."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._pubsub = Redis.from_url(url).pubsub()
        self._queues: defaultdict[str, set[asyncio.Queue[tuple[str, str]]]] = defaultdict(set)
        self._subscribing = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def watch(self, job_id: str) -> Events:
        """Give what is published about a job."""
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        channel = channel_of(job_id)
        self._queues[channel].add(queue)
        async with self._subscribing:  # the first one connects, and only it may
            await self._pubsub.execute_command("SSUBSCRIBE", channel)
            self._reading = self._reading or asyncio.create_task(self._read())
        yield "1-2", FIRST
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues[channel].discard(queue)

    async def _read(self) -> None:
        while True:
            reply = await self._pubsub.parse_response(block=True)
            if reply[0] != b"smessage":
                continue
            identifier, _, message = reply[2].decode().partition(" ")
            for queue in self._queues[reply[1].decode()]:
                queue.put_nowait((identifier, message))


def channel_of(job_id: str) -> str:
    """Name a job's log, and its channel."""
    return f"waybill:{{0}}:events:{job_id}"


def xread(url: str) -> Callable[..., Awaitable[None]]:
    """Give an ASGI app with a blocking read for each viewer."""
    from redis.asyncio import Redis

    redis = Redis.from_url(url)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        job_id, cursor = scope["path"][1:], "1-2"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": frame("1-2", FIRST), "more_body": True})
        while True:
            reply: Any = await redis.xread({channel_of(job_id): cursor}, block=BLOCK_MS)
            for _, entries in reply or ():
                for entry_id, fields in entries:
                    cursor = entry_id.decode()
                    body = frame(cursor, fields[b"d"].decode())
                    await send({"type": "http.response.body", "body": body, "more_body": True})

    return app


def frame(identifier: str, message: str) -> bytes:
    """Frame one message."""
    return f"id: {identifier}\ndata: {message}\n\n".encode()


def litestar(url: str) -> Any:
    """Give a Litestar app with ServerSentEvent."""
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent, ServerSentEventMessage

    fanout = Fanout(url)

    async def messages(job_id: str) -> AsyncIterator[ServerSentEventMessage]:
        async for identifier, message in fanout.watch(job_id):
            yield ServerSentEventMessage(data=message, id=identifier, sep="\n")

    @get("/{job_id:str}")
    async def stream(job_id: str) -> ServerSentEvent:
        return ServerSentEvent(messages(job_id))

    return Litestar([stream], openapi_config=None, logging_config=None)


def sse_starlette(url: str) -> Any:
    """Give a Starlette app with sse-starlette's EventSourceResponse."""
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Route

    fanout = Fanout(url)

    async def messages(job_id: str) -> AsyncIterator[ServerSentEvent]:
        async for identifier, message in fanout.watch(job_id):
            yield ServerSentEvent(data=message, id=identifier, sep="\n")

    async def stream(request: Request) -> EventSourceResponse:
        return EventSourceResponse(messages(request.path_params["job_id"]), sep="\n")

    return Starlette(routes=[Route("/{job_id}", stream)])


class ContenderService(NamedTuple):
    """A running one."""

    pid: int
    port: int


@contextlib.contextmanager
def running_contender(home: Path, name: str, url: str) -> Iterator[ContenderService]:
    """Run one of them until the end of the block; raises when it does not listen in time."""
    import socket
    import subprocess

    from deploy.local.tether import tethered
    from tests.support.ports import free_ports

    (port,) = free_ports(1)
    # The path of the program in the environment is a link to the machine's Python, and must stay one.
    python = str(Path.cwd() / CONTENDERS_PYTHON)
    with (home / f"{name}.log").open("wb") as log:
        command = [python, "tests/load/stream_contenders.py", name, url, str(port)]
        process = subprocess.Popen(tethered(command), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + UP_WITHIN_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            has_time = process.poll() is None and time.monotonic() < deadline
            assert has_time, (home / f"{name}.log").read_text()
            time.sleep(0.05)
        yield ContenderService(process.pid, port)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Serve one of them."""
    import uvicorn

    name, url, port = sys.argv[1:]
    app = {"xread": xread, "litestar": litestar, "sse-starlette": sse_starlette}[name](url)
    uvicorn.run(
        app, port=int(port), log_level="warning", access_log=False, lifespan="off", loop="uvloop", http="httptools"
    )


if __name__ == "__main__":
    main()
