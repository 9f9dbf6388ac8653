"""The page for people, at `/`. Its files are no secret: nobody is asked for a key, which is typed into the page."""

import re
from typing import Any

from litestar import HttpMethod, Request, Response, route

from gateway.conditional import matches_weakly
from gateway.page_files import INDEX, PageFile, PageFiles
from gateway.problems import problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""Nothing but this server's own files, no text becomes code, and nobody frames it to steer a click."""
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
FOR_A_YEAR = "public, max-age=31536000, immutable"
"""Of files whose name holds a digest of their content: another content has another name."""
ASK_EACH_TIME = "no-cache"
ASSETS = "assets"
LOOK_AGAIN_SECONDS = 3

UNBUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Waybill</title>
<h1>Waybill is up</h1>
<p>Its page has not been built yet. While <code>make run</code> is building it, this page changes by itself within
half a minute.</p>
<p>If it does not, there was no Node.js and none could be installed, or no npm registry could be reached: the terminal
of <code>make run</code> says which. <code>make page</code> tries again.</p>
<p>The calls below <code>/v1/download/jobs</code> work without it: docs/api.md lists them, README.md shows a walk.</p>
</html>
"""
_NEVER = re.compile(r"q=0(\.0*)?", re.ASCII | re.IGNORECASE)


@route("/", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_page(request: Request[Any, Any, Any], page_files: PageFiles) -> Response[bytes]:
    """Send the page, or a plain one that explains where no build is."""
    file = await page_files.find(INDEX)
    if file is None:
        headers = SECURITY_HEADERS | {"cache-control": "no-store", "refresh": str(LOOK_AGAIN_SECONDS)}
        return _answer(request, UNBUILT, "text/html", headers)
    return _send(request, file, cache_control=ASK_EACH_TIME)


@route("/favicon.svg", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_icon(request: Request[Any, Any, Any], page_files: PageFiles) -> Response[bytes]:
    """Send the page's icon."""
    file = await page_files.find("favicon.svg")
    return _not_there() if file is None else _send(request, file, cache_control=ASK_EACH_TIME)


@route("/assets/{name:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_asset(request: Request[Any, Any, Any], page_files: PageFiles, name: str) -> Response[bytes]:
    """Send one of the page's scripts and styles, to be kept for ever."""
    file = await page_files.find(f"{ASSETS}/{name}")
    return _not_there() if file is None else _send(request, file, cache_control=FOR_A_YEAR)


def takes_gzip(accept_encoding: str | None) -> bool:
    """Tell whether the gzipped form may be sent (RFC 9110 §12.5.3); `gzip;q=0` says no, and so does silence."""
    for offer in (accept_encoding or "").lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return _NEVER.fullmatch(weight.strip()) is None
    return False


def _send(request: Request[Any, Any, Any], file: PageFile, *, cache_control: str) -> Response[bytes]:
    is_gzipped = takes_gzip(request.headers.get("accept-encoding"))
    etag = file.gzipped_etag if is_gzipped else file.etag
    headers = SECURITY_HEADERS | {"cache-control": cache_control, "etag": etag, "vary": "Accept-Encoding"}
    if matches_weakly(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    if is_gzipped:
        return _answer(request, file.gzipped, file.media_type, headers | {"content-encoding": "gzip"})
    return _answer(request, file.body, file.media_type, headers)


def _answer(request: Request[Any, Any, Any], body: bytes, media_type: str, headers: dict[str, str]) -> Response[bytes]:
    if request.method == HttpMethod.HEAD:
        return Response(b"", media_type=media_type, headers=headers | {"content-length": str(len(body))})
    return Response(body, media_type=media_type, headers=headers)


def _not_there() -> Response[bytes]:
    return problem(404, "NOT_FOUND", "The page has no such file. Reload the page: it may have been built anew since.")
