"""A server behind a proxy that notes what it is asked, says one thing, and keeps the connection."""

import contextlib
import socket
import threading
from typing import Self

READ_BYTES = 65_536


class ScriptedBackend:
    """A context manager: answers each connection with `answer`, then sends back whatever else comes.

    `heads` has the head of each request, as it came. `address` is host:port.
    """

    def __init__(self, answer: bytes) -> None:
        self.heads: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more; connections end with their peers."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A proxy that cuts does it with a reset: its connection has ended, as any other.
        with connection, contextlib.suppress(ConnectionResetError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                piece = connection.recv(READ_BYTES)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode())
            connection.sendall(self._answer)
            while piece := connection.recv(READ_BYTES):
                connection.sendall(piece)
