"""Asks a Redis server one question over a fresh connection.

Enough to start the embedded server and to see that it is up. Everything that Waybill keeps in Redis goes through
shared/jobstore, the only place that may import a Redis client.
"""

import socket
from typing import BinaryIO

CONNECT_AND_REPLY_TIMEOUT_SECONDS = 2.0


class ServerRefusedError(Exception):
    """The server answered with an error; the message is the server's."""


def ask(port: int, *words: str) -> str:
    """The reply of the server on 127.0.0.1 to one command.

    For commands that reply with a status, a number or a bulk string ("" when there is none). Raises ServerRefusedError
    for an error reply, OSError when nobody answers within two seconds.
    """
    request = b"*%d\r\n" % len(words)
    for word in words:
        request += b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode())
    address = ("127.0.0.1", port)
    with (
        socket.create_connection(address, timeout=CONNECT_AND_REPLY_TIMEOUT_SECONDS) as connection,
        connection.makefile("rb") as replies,
    ):
        connection.sendall(request)
        return _read_reply(replies)


def _read_reply(replies: BinaryIO) -> str:
    head = replies.readline().decode().rstrip("\r\n")
    kind, text = head[:1], head[1:]
    if kind == "$":
        length_bytes = int(text)
        # A missing value is -1 long, and read(-1) would wait for the end of the connection.
        return replies.read(length_bytes).decode() if length_bytes > 0 else ""
    if kind == "-":
        raise ServerRefusedError(text)
    if kind in ("+", ":"):
        return text
    raise ConnectionError(f"not a Redis reply: {head[:80]!r}")
