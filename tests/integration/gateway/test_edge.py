"""A crash in the app over a real socket: what a caller sees of it, and what the log does."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, get

from gateway.edge.answer_times import AnswerTimes
from gateway.edge.edge import Edge
from gateway.edge.shell import Shell
from gateway.problems import answer_unexpected
from gateway.server import GatewayServer
from shared.gateway_settings import GatewaySettings
from shared.listener import listen

UPLOAD_SECONDS = 0.2
SCOPE = {
    "type": "http",
    "method": "POST",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1),
    "scheme": "http",
    "raw_path": b"/",
    "query_string": b"",
}
SECRET = "correct-horse-battery"


@get("/crash")
async def crash() -> None:
    """Fail as our own mistakes do."""
    raise RuntimeError(f"{SECRET} in /srv/waybill/private.py")


async def crashing_app(scope: Any, receive: Any, send: Any) -> None:
    """Fail below the framework; after the head of an answer when asked for /late."""
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    raise RuntimeError(f"{SECRET} in /srv/waybill/private.py")


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app as a gateway does, on a free port."""

    async def drain(_: float) -> None:
        """There is no stream."""

    edge = Edge(GatewaySettings())
    server = GatewayServer(
        Shell(app, edge, count_refusal=lambda _: None, answer_times=AnswerTimes(lambda *_: None, lambda *_: None)),
        edge,
        drain_seconds=0,
        drain=drain,
        count_refusal=lambda _: None,
    )
    with listen("127.0.0.1", 0, port_variable="WAYBILL_PORT") as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                yield http
        finally:
            server.should_exit = True
            await serving


FRAMEWORK = Litestar(
    [crash], exception_handlers={Exception: answer_unexpected}, openapi_config=None, logging_config=None
)


@pytest.mark.parametrize("app", [FRAMEWORK, crashing_app], ids=["in a handler", "below the framework"])
async def test_crash_is_a_problem_that_tells_its_request_and_nothing_of_the_inside(app: Any) -> None:
    async with served(app) as http:
        answer = await http.get("/crash", headers={"X-Request-Id": "boom"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert cast(dict[str, Any], answer.json())["request_id"] == answer.headers["x-request-id"] == "boom"
    seen = answer.text + repr(answer.headers)
    for inside in (SECRET, "RuntimeError", "Traceback", ".py", "uvicorn", "litestar", "Litestar"):
        assert inside not in seen


async def test_crash_behind_the_head_cuts_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="uvicorn.error")
    async with served(crashing_app) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/late")


async def test_the_time_of_an_upload_is_not_the_time_of_its_answer() -> None:
    seconds: list[float] = []
    times = AnswerTimes(lambda *_: None, lambda _call, _kind, taken: seconds.append(taken))

    async def receive() -> Any:
        await asyncio.sleep(UPLOAD_SECONDS)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(_: Any) -> None:
        """Nobody reads it."""

    shell = Shell(app, Edge(GatewaySettings()), count_refusal=lambda _: None, answer_times=times)
    begun_at = time.perf_counter()
    await shell(cast(Any, SCOPE), receive, send)
    ours_seconds = time.perf_counter() - begun_at - UPLOAD_SECONDS

    assert 0 < seconds[0] <= ours_seconds + UPLOAD_SECONDS / 2
