"""What a request must have to become a WebSocket (RFC 6455 §4.2.1), and which pages may ask for one (§10.2). Pure.

No browser asks before it opens a WebSocket to another origin (there is no preflight), and none keeps the page from
reading what comes: who else may is decided here, by the header Origin, which a page cannot forge.
"""

import re
from collections.abc import Mapping

from gateway.edge.cors import Cors
from gateway.edge.pages import is_own_origin
from shared.caller_errors import OriginRefused
from shared.errors import MalformedHandshake

VERSION = "13"
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")  # base64 of 16 bytes, of which the last letter has four bits to spare


def asks_for_websocket(given: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request with these headers (names in small letters) asks to go on as a WebSocket."""
    return b"websocket" in _words(given, b"upgrade") and b"upgrade" in _words(given, b"connection")


def read_key(given: Mapping[bytes, bytes], *, http_version: str) -> str:
    """Give the key that the answer must show to have read. Raises MalformedHandshake."""
    if http_version != "1.1":
        raise MalformedHandshake("A WebSocket begins with HTTP/1.1 (RFC 6455 §4.1).")
    if given.get(b"sec-websocket-version") != VERSION.encode():
        raise MalformedHandshake(f"Sec-WebSocket-Version must be {VERSION}, the one of RFC 6455.")
    key = given.get(b"sec-websocket-key", b"").strip()
    if _KEY.fullmatch(key) is None:
        raise MalformedHandshake("Sec-WebSocket-Key must be the base64 of 16 bytes (RFC 6455 §4.1).")
    return key.decode()


def insist_on_origin(given: Mapping[bytes, bytes], cors: Cors) -> None:
    """Raise OriginRefused for a page of another server, unless it may read our answers; no Origin: it is no page."""
    origin = given.get(b"origin")
    if origin is None or cors.headers_for(origin) or is_own_origin(origin, given.get(b"host", b"")):
        return
    raise OriginRefused(
        "Pages of this origin may not open a WebSocket here. Its operators add origins by WAYBILL_CORS_ORIGINS."
    )


def _words(given: Mapping[bytes, bytes], name: bytes) -> list[bytes]:
    return [word.strip().lower() for word in given.get(name, b"").split(b",")]
