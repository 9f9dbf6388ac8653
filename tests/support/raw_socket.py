"""A WebSocket byte by byte: for peers that say what no client says, or say nothing at all."""

import contextlib
import socket
from collections.abc import Iterator

from tests.support.service import Service
from tests.support.waiting import PATIENCE_SECONDS

HANDSHAKE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""The example of RFC 6455 §1.3."""
_ACCEPTED = b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@contextlib.contextmanager
def upgraded(gateway: Service, path: str, *, receive_buffer_bytes: int | None = None) -> Iterator[socket.socket]:
    """Open a WebSocket; the first bytes of its stream have come, and may have been read."""
    with socket.socket() as peer:
        if receive_buffer_bytes is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        peer.settimeout(PATIENCE_SECONDS)
        peer.connect(("127.0.0.1", gateway.port))
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{name}: {text}" for name, text in HANDSHAKE.items())]
        peer.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(256)
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert _ACCEPTED in head
        yield peer


def frame(first: int, payload: bytes, *, claims_bytes: int | None = None, is_masked: bool = True) -> bytes:
    """Write a client's frame whose first byte is `first` (RFC 6455 §5.2), with a mask of zeros.

    `claims_bytes`: the length in its head, where it is to be another one than the payload's.
    """
    length = len(payload) if claims_bytes is None else claims_bytes
    mask_bit = 0x80 if is_masked else 0
    if length < 126:
        head = bytes([first, mask_bit | length])
    elif length < 65_536:
        head = bytes([first, mask_bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, mask_bit | 127]) + length.to_bytes(8, "big")
    return head + (bytes(4) if is_masked else b"") + payload


def everything_from(peer: socket.socket) -> bytes:
    """Read until the other side closes, or cuts."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65_536):
            found += piece
    return found
