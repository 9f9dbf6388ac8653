"""HTTP/1.1 on a connection, with bounds on what a peer may send before it is answered: uvicorn has none.

    connected ─▶ head ─(≤ 32 KiB, 10 s)─▶ body ─(30 s)─▶ answered ─▶ next head, or closed after a silence
                   └────── 431, 414, 408 ────┴── 408 ──▶ closed

The size of a body is bounded by the app; of one that the app has not read, so much is dropped and no more. What is
refused here is answered as a problem, and the connection is closed.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.edge.edge import Edge
from gateway.edge.header import Header
from gateway.edge.request_id import request_id_of
from gateway.problems import PROBLEM_JSON, problem_body
from shared import limits

_BEGUN = re.compile(rb"\r(\n(\r|u(p(g(r(a(de?)?)?)?)?)?)?)?\Z", re.IGNORECASE)
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)
_SET_ASIDE = b"x-upgrade-" + secrets.token_hex(8).encode()
"""What the header is called while the parser reads it: a name that no peer can know, and so send."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. `count_refusal` is told each refusal: one of metrics.HTTP_REFUSALS."""

    def __init__(self, *args: Any, count_refusal: Callable[[str], None], edge: Edge, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._edge = edge
        self._dropped_body_bytes = 0
        self._count_refusal = count_refusal
        self._head_bytes = 0
        self._begun = b""
        """The last bytes of a piece of a head, which may be the beginning of an offer, or of the head's end."""
        self._is_in_head = True
        self._is_refused = False
        self._deadline: asyncio.TimerHandle | None = None

    # ── the connection (asyncio.Protocol) ─────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._expect(limits.REQUEST_HEAD_WITHIN_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; a head that goes on for too long is refused before it is kept."""
        if self._is_refused:
            return
        if self._is_in_head:
            if self._deadline is None:  # the first byte of a further request
                self._expect(limits.REQUEST_HEAD_WITHIN_SECONDS)
            self._head_bytes += len(data)
            data, self._begun = _without_beginning(self._begun + data)
            data = _without_upgrade(data)
        if data:
            super().data_received(data)
        if self._is_in_head and self._head_bytes > limits.MAX_HEAD_BYTES:
            self._refuse_head()

    # ── the request (callbacks of the parser) ─────────────────────────────────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those behind a chunked body count like a head, and nobody reads them."""
        if self._is_in_head:
            name = b"upgrade" if name == _SET_ASIDE else name
            super().on_header(name, value.rstrip(b" \t"))  # not part of the value (RFC 9110 §5.5); the parser leaves it
            return
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > limits.MAX_HEAD_BYTES and not self._is_refused:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Start the app, unless the head came whole in one piece and is too large nevertheless."""
        if self._is_refused:
            return
        self._expect(None)
        if self._is_answering:
            # Sent before the request before was answered: it is dropped, and that answer is the connection's last.
            # Whoever pipelines is ready for that (RFC 9112 §9.3.2); and uvicorn tells only the last request of a
            # connection that its peer has left, so that a stream before it would go on for nobody.
            self.cycle.keep_alive = False
            self._is_refused = True
            return
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > limits.MAX_HEAD_BYTES:
            self._refuse_head()
            return
        if len(self.url) > limits.MAX_ADDRESS_BYTES:
            detail = f"The address is longer than {limits.MAX_ADDRESS_BYTES:,} bytes. Ask for less at once."
            self._refuse(414, "ADDRESS_TOO_LONG", detail, reason="address_size")
            return
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            self._refuse(400, "MALFORMED_REQUEST", "There must be one Host header (RFC 9112 §3.2).", reason="malformed")
            return
        # Only now: what is refused above is owed an answer of its own, although that before was given.
        self._is_in_head, self._head_bytes, self._dropped_body_bytes = False, 0, 0
        self._expect(limits.REQUEST_BODY_WITHIN_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on; of what comes behind the answer, drop so much, and then the connection."""
        if self._is_refused:
            return
        if not self._is_answering:
            self._dropped_body_bytes += len(body)
            if self._dropped_body_bytes > limits.MAX_DROPPED_BODY_BYTES:
                self._is_refused = True
                self._count_refusal("body_size")
                self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the whole request is here; what follows is another head."""
        self._is_in_head, self._head_bytes = True, 0
        self._expect(None)
        if not self._is_refused:
            super().on_message_complete()

    # ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send_400_response(self, _: str) -> None:
        """Refuse what is not HTTP."""
        if not self._is_refused:
            self._refuse(400, "MALFORMED_REQUEST", "This is not an HTTP/1.1 request (RFC 9112).", reason="malformed")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a server may ignore an upgrade (RFC 9110 §7.8), and anybody may ask for one."""

    def _refuse_head(self) -> None:
        self._refuse(
            431,
            "HEAD_TOO_LARGE",
            f"Address and headers are larger than {limits.MAX_HEAD_BYTES:,} bytes. Send fewer or shorter ones.",
            reason="head_size",
        )

    def _expect(self, within_seconds: float | None) -> None:
        """Give the peer so long from now for what it is sending; None: it owes nothing."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if within_seconds is None else self.loop.call_later(within_seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        part = "head" if self._is_in_head else "body"
        detail = f"The request's {part} did not arrive in time. Send it again, faster."
        self._refuse(408, "REQUEST_TIMEOUT", detail, reason=f"{part}_time")

    @property
    def _is_answering(self) -> bool:
        """Whether a request is on its way through the app."""
        return not getattr(self.cycle, "response_complete", True)

    def _refuse(self, status: int, code: str, detail: str, *, reason: str) -> None:
        self._is_refused = True
        self._expect(None)
        self._count_refusal(reason)
        if self.transport.is_closing():
            return
        # One answer for each request: in a head the next answer is its own, unless the request before still waits for
        # one; in a body it is this request's, unless the app has begun to give it.
        is_owed = not self._is_answering if self._is_in_head else not getattr(self.cycle, "response_started", False)
        if is_owed:
            self.transport.write(self._problem(status, code, detail))
        self.transport.close()

    def _problem(self, status: int, code: str, detail: str) -> bytes:
        given = self.headers or []  # those that have come; none before the first head
        request_id = request_id_of(dict(given).get(b"x-request-id"))
        peer = self.client[0] if self.client else ""
        body = problem_body(status, code, detail, request_id=request_id)
        return _answer(status, body, self._edge.headers_of_refusal(given, request_id, peer=peer))


def _without_upgrade(data: bytes) -> bytes:
    """Hide an offer to speak another protocol from the parser, which would stop behind it; the app is shown it.

    A client of HTTP/1.1 that would rather speak HTTP/2 (curl --http2) makes it with each request, bodies included.
    Whether one is taken (to WebSocket, by a stream) is known only once the app has answered.
    """
    head, border, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\n" + _SET_ASIDE + b":", head) + border + body


def _without_beginning(head: bytes) -> tuple[bytes, bytes]:
    """Split a piece of a head before what only the next piece tells to be an offer, or the end of the head, or neither.

    A peer sends its bytes in pieces of any size, and an offer that is cut in two must not pass for that.
    """
    begun = None if b"\r\n\r\n" in head else _BEGUN.search(head)
    return (head, b"") if begun is None else (head[: begun.start()], head[begun.start() :])


def _answer(status: int, body: bytes, headers: Iterable[Header]) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {PROBLEM_JSON}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n"
    )
    return head.encode() + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
