"""Frames of a WebSocket, from the server's side (RFC 6455 §5.2), and the codes with which it closes one (§7.4). Pure.

The messages are those of an event stream; what is there the id of a frame is here the first member of the JSON:

    id: 1-5 + data: {"type":"progress",…}   ─▶   {"id":"1-5","type":"progress",…}
"""

from websockets.frames import Frame, Opcode

from shared.errors import Draining, UnavailableError, WaybillError

PING = Frame(Opcode.PING, b"").serialize(mask=False)

CLOSES = {
    "terminal": (1000, ""),
    "drain": (1012, "drain"),
    "max_age": (1012, "max_age"),
    "overload": (1013, "overload"),
    "redis": (1013, "redis"),
    "token_keys": (1013, "token_keys"),
    "unreadable": (1013, "unreadable"),
    "limit": (4429, "limit"),
    "ticket_expired": (4401, "ticket_expired"),
}
"""Code and reason by why a stream ends. 1012: connect again, 1013: in a while (IANA's registry has both); 4000 and more
are ours: 4000 and the status that HTTP has for it."""

TOO_MANY = (1008, "too many frames")


def text_frame(encoded: bytes) -> bytes:
    """Frame a JSON text: whole, unmasked, and not compressed."""
    return Frame(Opcode.TEXT, encoded).serialize(mask=False)


def with_id(encoded: bytes, identifier: bytes) -> bytes:
    """Put an id, which needs no escaping, before the members of a JSON object that has some."""
    return b'{"id":"%b",%b' % (identifier, encoded[1:])


def close_of(error: WaybillError) -> tuple[int, str]:
    """Give code and reason for a stream that is refused: 4000 and the status of HTTP, with the code of the problem."""
    match error:
        case Draining():
            return 1012, error.code
        case UnavailableError():
            return 1013, error.code
        case WaybillError() if error.status < 500:
            return 4000 + error.status, error.code
    return 1011, error.code
