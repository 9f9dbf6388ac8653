"""The protocol below the app, piece by piece: whatever a head is cut into, it is read as if it had come in one."""

import asyncio
import socket
from collections.abc import Iterator

import uvicorn
from litestar.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.edge.edge import Edge
from gateway.http_protocol import BoundedHttpProtocol
from shared.gateway_settings import GatewaySettings

BODY = b'["\r\nupgrade: this is text"]'
HEAD = (
    b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUPgrade: h2c\r\n"
    b"Upgrades: none\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)
ENOUGH_SECONDS = 20


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body as it was read."""
    message = await receive()
    body = message.get("body", b"") if message["type"] == "http.request" else b""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_to(pieces: Iterator[bytes]) -> bytes:
    """Give the protocol these pieces of two requests on one connection; give what it has answered when it closes."""
    ours, theirs = socket.socketpair()
    config = uvicorn.Config(echo, lifespan="off", log_config=None)
    config.load()

    def make() -> BoundedHttpProtocol:
        return BoundedHttpProtocol(
            config=config,
            server_state=ServerState(),
            app_state={},
            count_refusal=lambda _: None,
            edge=Edge(GatewaySettings()),
        )

    _, protocol = await asyncio.get_running_loop().connect_accepted_socket(make, theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    for piece in pieces:
        protocol.data_received(piece)
    first = await reader.readuntil(BODY)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    rest = await reader.read()
    writer.close()
    return first + rest


def test_offer_to_speak_another_protocol_is_ignored_wherever_its_head_is_cut() -> None:
    async def cut_everywhere() -> None:
        for at in range(1, len(HEAD) + 1):
            async with asyncio.timeout(ENOUGH_SECONDS):
                answers = await answer_to(iter((HEAD[:at], HEAD[at:] + BODY)))

            assert answers.count(b"HTTP/1.1 200 OK") == 2, (HEAD[:at], answers)

    asyncio.run(cut_everywhere())


def test_offer_that_comes_byte_by_byte_is_ignored() -> None:
    async def drip() -> None:
        async with asyncio.timeout(ENOUGH_SECONDS):
            answers = await answer_to(bytes([byte]) for byte in HEAD + BODY)

        assert answers.count(b"HTTP/1.1 200 OK") == 2

    asyncio.run(drip())
