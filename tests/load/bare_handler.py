"""A Litestar handler that answers a constant, served as the gateway is: `python -m tests.load.bare_handler <port>`.

What the gateway's answers cost is held against it: it is what the framework and the server cost by themselves.
"""

import sys
from typing import Any

import uvicorn
import uvloop
from litestar import Litestar, Request, Response, get, post

ANSWER = b'{"status":"queued"}\n'
ETAG = 'W/"1"'
HEADERS = {"etag": ETAG, "cache-control": "private, no-cache"}


@get("/constant")
async def read(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer a constant, or that it has not changed."""
    if request.headers.get("if-none-match") == ETAG:
        return Response(b"", status_code=304, headers=HEADERS)
    return Response(ANSWER, media_type="application/json", headers=HEADERS)


@post("/constant", status_code=202)
async def create(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Read the body, and answer a constant."""
    await request.body()
    return Response(ANSWER, media_type="application/json", headers=HEADERS)


if __name__ == "__main__":
    app = Litestar([read, create], openapi_config=None, logging_config=None)
    config = uvicorn.Config(
        app, port=int(sys.argv[1]), access_log=False, log_config=None, server_header=False, lifespan="off", ws="none"
    )
    uvloop.run(uvicorn.Server(config).serve())
