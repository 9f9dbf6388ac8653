"""Callers of an HTTP server in one process, as cheap as they can be: epoll, and one search in each answer.

Each connection sends its next request when the answer to the one before is whole.
"""

import select
import socket
import time
from collections import Counter
from typing import NamedTuple

PIECE_BYTES = 65_536
WAIT_SECONDS = 0.05
NUMBER = b"@@NUMBER@@"
"""Stands in a request where each is to be another one."""


class Answered(NamedTuple):
    """What came of calls: how many of each status, how long each took (ns), this process' CPU, and the time of all."""

    statuses: dict[int, int]
    took_ns: list[int]
    cpu_seconds: float
    took_seconds: float

    @property
    def calls(self) -> int:
        """Count the answers."""
        return len(self.took_ns)


class Callers:
    """Calls a server; every method blocks until the time is up."""

    def __init__(self) -> None:
        self._number = 0

    def call(self, port: int, request: bytes, connections: int, seconds: float) -> Answered:
        """Send a request again and again over so many connections."""
        epoll, statuses, took_ns = select.epoll(), Counter[int](), list[int]()
        open_sockets: dict[int, tuple[socket.socket, list[int]]] = {}
        rests: dict[int, bytes] = {}
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            epoll.register(sock.fileno(), select.EPOLLIN)
            open_sockets[sock.fileno()] = (sock, [0])
        began_at, cpu_at = time.monotonic(), time.process_time()
        for sock, sent_at in open_sockets.values():
            sent_at[0] = time.monotonic_ns()
            sock.sendall(self._next(request))
        deadline = began_at + seconds
        while (now := time.monotonic()) < deadline:
            for descriptor, _ in epoll.poll(WAIT_SECONDS):
                sock, sent_at = open_sockets[descriptor]
                answer = rests.pop(descriptor, b"") + sock.recv(PIECE_BYTES)
                if not _is_whole(answer):
                    rests[descriptor] = answer
                    continue
                now_ns = time.monotonic_ns()
                took_ns.append(now_ns - sent_at[0])
                statuses[int(answer[9:12])] += 1
                sent_at[0] = now_ns
                sock.sendall(self._next(request))
        took_seconds, cpu_seconds = now - began_at, time.process_time() - cpu_at
        for sock, _ in open_sockets.values():
            sock.close()
        epoll.close()
        return Answered(dict(statuses), took_ns, cpu_seconds, took_seconds)

    def _next(self, request: bytes) -> bytes:
        if NUMBER not in request:
            return request
        self._number += 1
        return request.replace(NUMBER, b"%d" % self._number)


def _is_whole(answer: bytes) -> bool:
    """Tell whether an answer is there to its end; an empty one is a connection that the server has closed."""
    assert answer, "the server has closed a connection"
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = answer.find(b"content-length: ", 0, end)
    if length < 0:
        return True  # 304 has none
    return len(answer) >= end + 4 + int(answer[length + 16 : answer.index(b"\r\n", length)])
