"""Say what callers may rely on: the OpenAPI document, the reference as a page, the release. It takes no key."""

from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route

from gateway.conditional import matches_weakly
from gateway.contract.publication import Contract, Publication

_READ = [HttpMethod.GET, HttpMethod.HEAD]


@route("/openapi.json", http_method=_READ)
async def read_document(request: Request[Any, Any, Any], contract: Contract) -> Response[bytes]:
    """Give the API as an OpenAPI 3.1 document."""
    return _unless_known(request, contract.document)


@route("/docs", http_method=_READ)
async def read_page(request: Request[Any, Any, Any], contract: Contract) -> Response[bytes]:
    """Give the API as a page."""
    return _unless_known(request, contract.page)


@route("/version", http_method=_READ)
async def read_version(contract: Contract) -> Response[bytes]:
    """Say which release answers."""
    body = msgspec.json.encode(contract.release) + b"\n"
    return Response(body, media_type="application/json", headers={"cache-control": "no-cache"})


def _unless_known(request: Request[Any, Any, Any], published: Publication) -> Response[bytes]:
    if matches_weakly(request.headers.get("if-none-match"), published.headers["etag"]):
        return Response(b"", status_code=304, headers=published.headers)
    return Response(published.body, media_type=published.media_type, headers=published.headers)
