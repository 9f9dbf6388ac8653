"""A gateway of one job on a real socket that answers each request as a test has it: cut, wrong, mute, or not at all."""

import json
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple, Self

JOB_ID = "7f3a1c00-0000-8000-8000-00000000cafe"
JOB_PATH = f"/v1/download/jobs/{JOB_ID}"
HANG_SECONDS = 60.0
ETAG = '"one"'


class Request(NamedTuple):
    """What was asked; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Hang(NamedTuple):
    """A piece of an answer that is silence, until the peer leaves or the server ends."""


Pieces = Iterator[bytes | Hang]
Answerer = Callable[[Request], Pieces]


class FaultyGateway:
    """A context manager. `answers` has, for `METHOD path` without the query, what answers each request in turn.

    The last one answers all that follow. `requests` has what was asked, in its order.
    """

    def __init__(self, archive: bytes = b"") -> None:
        self.archive = archive
        self.requests: list[Request] = []
        self.answers: dict[str, list[Answerer]] = {
            f"GET {JOB_PATH}": [lambda _: answer(self.record())],
            f"GET {JOB_PATH}/file": [self.send_file],
            f"HEAD {JOB_PATH}/file": [lambda _: head(200, content_disposition='attachment; filename="named.zip"')],
            f"GET {JOB_PATH}/stream": [lambda _: stream(self.snapshot(), self.completed())],
            "POST /v1/download/jobs": [lambda _: answer({"job_id": JOB_ID, "status": "queued"}, status=202)],
        }
        self._is_over = threading.Event()
        gateway = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                gateway.serve(self.connection, self.rfile)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def asked(self, call: str) -> list[Request]:
        """Give the requests of one call, `METHOD path`."""
        return [request for request in self.requests if call == _call(request)]

    def serve(self, connection: socket.socket, reader: Any) -> None:
        """Answer one request, and close the connection."""
        request = _read(reader)
        if request is None:
            return
        self.requests.append(request)
        turns = self.answers.get(_call(request), [lambda _: problem(404, "NOT_FOUND", "There is nothing here.")])
        answerer = turns.pop(0) if len(turns) > 1 else turns[0]
        try:
            for piece in answerer(request):
                if isinstance(piece, Hang):
                    self._hang(connection)
                    return
                connection.sendall(piece)
        except OSError:
            pass  # the peer has left

    def _hang(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        deadline = time.monotonic() + HANG_SECONDS
        while not self._is_over.is_set() and time.monotonic() < deadline:
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    # ── the job ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, **other: object) -> dict[str, Any]:
        """Give the job, completed with this archive."""
        return {
            "job_id": JOB_ID,
            "status": "completed",
            "progress": 1.0,
            "files_processed": 1,
            "total_files": 1,
            "archive_bytes": len(self.archive),
            "archive_crc32": f"{zlib.crc32(self.archive):08x}",
            "skipped_files": 0,
            **other,
        }

    def snapshot(self, **other: object) -> bytes:
        """Give the frame of a snapshot, while the job runs."""
        return frame("1-2", {"type": "snapshot", **self.record(status="processing", **other)})

    def completed(self, event_id: str = "1-9") -> bytes:
        """Give the frame of the last message."""
        told = {name: self.record()[name] for name in ("archive_bytes", "archive_crc32")}
        return frame(event_id, {"type": "completed", "files": 1, **told, "expires_at": "2026-11-24T10:00:00.000Z"})

    def late(self) -> bytes:
        """Give the frame of an event that was written ages ago."""
        return frame("1-3", {"type": "progress", "progress": 0.5, "at": "2026-01-01T00:00:00.000Z"})

    def send_file(self, request: Request) -> Pieces:
        """Send the archive as the gateway does: one range of it where it is asked for."""
        start = offset_of(request)
        if start == 0:
            yield from head(200, content_length=len(self.archive), etag=ETAG)
        else:
            yield from self.part_head(start)
        yield self.archive[start:]

    def part_head(self, start: int, *, says: int | None = None) -> Pieces:
        """Give the head of a part that begins at `start`, and `says` another beginning."""
        said = start if says is None else says
        content_range = f"bytes {said}-{len(self.archive) - 1}/{len(self.archive)}"
        length = len(self.archive) - start
        yield from head(206, content_length=length, content_range=content_range, etag=ETAG)


def offset_of(request: Request) -> int:
    """Read where the wanted part begins; 0 without a Range."""
    return int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def head(status: int, **headers: object) -> Pieces:
    """Give the head of an answer; the header `retry_after` is sent as Retry-After. The body ends with the line."""
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    yield "\r\n".join([f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *lines, "connection: close", "", ""]).encode()


def answer(body: object, *, status: int = 200, kind: str = "application/json", **headers: object) -> Pieces:
    """Give an answer of JSON; a str is sent as it is."""
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    yield from head(status, content_type=kind, content_length=len(text), **headers)
    yield text


def problem(status: int, code: str, detail: str, **headers: object) -> Pieces:
    """Give a problem as the gateway says it."""
    return answer({"code": code, "detail": detail}, status=status, kind="application/problem+json", **headers)


def web_page(status: int = 200) -> Pieces:
    """Give what is no Waybill."""
    return answer("<!doctype html><title>Welcome</title>", status=status, kind="text/html; charset=utf-8")


def frame(event_id: str | None, message: dict[str, Any], *, retry_ms: int | None = None) -> bytes:
    """Give a frame of a stream."""
    lines = [f"retry: {retry_ms}"] if retry_ms else []
    lines += [f"data: {json.dumps(message)}"] + ([f"id: {event_id}"] if event_id else [])
    return "\n".join([*lines, "", ""]).encode()


def stream(*pieces: bytes | Hang) -> Pieces:
    """Give a stream of these frames; it is cut after the last."""
    yield from head(200, content_type="text/event-stream")
    yield from pieces


def nothing() -> Pieces:
    """Give no answer at all: the line is cut."""
    yield from ()


def _call(request: Request) -> str:
    return f"{request.method} {request.path.partition('?')[0]}"


def _read(reader: Any) -> Request | None:
    first = reader.readline().decode().split(" ")
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode().strip():
        name, _, text = line.partition(":")
        headers[name.strip().lower()] = text.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)
