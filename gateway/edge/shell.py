"""The outermost ASGI app of a gateway: judges every request before the app does, and completes every answer.

    request ─▶ id, client's address ─▶ Host ─▶ page ─▶ address ─▶ preflight? ─▶ OPTIONS? ─▶ app
                                        421     403      400        204           Allow      │
    answer  ◀── security headers, CORS, X-Request-Id ◀───────────────────────────────────────┘

It is on the path of every poll, so it goes once through the request's headers and holds nothing for a stream: what it
wraps around `send` and `receive` goes when the stream is handed over. Around `send` it completes the answer; around
`receive` it only measures, so that the time of an answer has no time of an upload (`body_wait.py`).
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import structlog
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

from gateway.edge.address import insist_on_readable
from gateway.edge.answer_times import AnswerTimes
from gateway.edge.body_wait import BodyWait
from gateway.edge.edge import Edge
from gateway.edge.header import Header
from gateway.edge.request_id import bind_request, request_id_of
from gateway.problems import INTERNAL, PROBLEM_JSON, problem_body
from shared.caller_errors import Misdirected, OriginRefused
from shared.errors import RequestError, UnsupportedMediaType

log = structlog.get_logger(__name__)


class Shell:
    """An ASGI app around `app`, for HTTP. `count_refusal` is told of callers who may not: one of AUTH_REFUSALS."""

    def __init__(
        self, app: ASGIApp, edge: Edge, *, count_refusal: Callable[[str], None], answer_times: AnswerTimes
    ) -> None:
        self._app = app
        self._answer_times = answer_times
        self._count_refusal = count_refusal
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        # Of a header that comes twice the last one counts here; where that matters all lines are read again.
        given = dict(scope["headers"])
        request_id = request_id_of(given.get(b"x-request-id"))
        is_https = self._note_sender(scope, request_id)
        is_started, begun_at = False, time.perf_counter()

        async def read() -> HTTPReceiveMessage:
            nonlocal begun_at
            wait = BodyWait()
            try:
                message = cast(HTTPReceiveMessage, await receive())
            finally:
                waited_seconds = wait.end()
            if message["type"] == "http.request":  # how long a caller uploads its body says nothing of us
                begun_at += waited_seconds
            return message

        async def complete(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = self._edge.answers.complete(
                    message["headers"], request_id=request_id.encode(), origin=given.get(b"origin"), is_https=is_https
                )
                self._answer_times.note(scope, message["status"], message["headers"], time.perf_counter() - begun_at)
            await send(message)

        try:
            await self._answer(scope, read, complete, given)
        except Exception as error:
            if is_started:
                raise  # uvicorn says so, and cuts the connection: nothing true can be added to half an answer
            log.error("request failed", exc_info=error)
            await _send_problem(complete, 500, *INTERNAL)

    def _note_sender(self, scope: Any, request_id: str) -> bool:
        """Write down who asks; tell whether a trusted proxy says that they came by https."""
        peer = scope["client"]
        sender = self._edge.proxies.sender_of(peer[0] if peer else "", scope["headers"])
        if peer and sender.address != peer[0]:
            scope["client"] = (sender.address, 0)
        if sender.scheme:
            scope["scheme"] = sender.scheme
        bind_request(request_id, sender.address)
        return sender.scheme == "https"

    async def _answer(self, scope: Any, receive: Receive, send: Send, given: Mapping[bytes, bytes]) -> None:
        try:
            self._edge.hosts.insist(given.get(b"host"))
            self._edge.pages.insist(scope["method"], given)
            insist_on_readable(scope["raw_path"], scope["query_string"])
            if b"content-encoding" in given:
                _insist_on_plain_body(scope["headers"])
        except RequestError as error:
            if isinstance(error, Misdirected | OriginRefused):
                self._count_refusal(error.code.lower())
            await _send_problem(send, error.status, error.code, error.message)
            return
        if scope["method"] != "OPTIONS":
            await self._app(scope, receive, send)
        elif preflight := self._edge.cors.preflight(given):
            await _send_nothing(send, preflight)
        else:
            await self._tell_methods(scope, receive, send)

    async def _tell_methods(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer OPTIONS by what the app answers to a method that no route takes: 405 with all methods, or 404.

        The framework's own OPTIONS tells the methods of one handler, where a path has several.
        """
        is_known = False

        async def without_problem(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and message["status"] == 405:
                is_known = True
                allowed = [header for header in message["headers"] if header[0] == b"allow"]
                await _send_nothing(send, allowed)
            elif not is_known:
                await send(message)

        await self._app(cast(Any, {**scope, "method": "TRACE"}), receive, without_problem)


def _insist_on_plain_body(headers: list[Header]) -> None:
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding: none is taken here.")


async def _send_nothing(send: Send, headers: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_problem(send: Send, status: int, code: str, detail: str) -> None:
    body = problem_body(status, code, detail)
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
