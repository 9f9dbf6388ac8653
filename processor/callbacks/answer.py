"""Reads the head of one answer and no more: it costs a bounded time, and its socket ends with the call.

All callbacks and jobs of a processor share one event loop. A receiver that pours out what HTTP allows without end
(announcements of an answer, 1xx) would have it parse for ever, a quarter of a megabyte at a time; one that takes a body
and never closes would keep the socket.
"""

import functools
from asyncio import AbstractEventLoop
from typing import Any

from aiohttp import ClientPayloadError, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from shared import limits


class OneAnswerConnector(TCPConnector):
    """Makes connections of which the head of one answer is read. It keeps neither connections nor addresses."""

    def __init__(self, **more: Any) -> None:
        super().__init__(use_dns_cache=False, force_close=True, **more)
        # aiohttp has no public name for it; test_delivery.py fails where this has no effect any more.
        self._factory = functools.partial(_answer_head, loop=self._loop)


class AnswerHead(ResponseHandler):
    """One connection of the client's."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._left_bytes = limits.CALLBACK_ANSWER_HEAD_BYTES
        self._left_messages = limits.CALLBACK_ANSWERS_ANNOUNCED + 1
        self._has_answer = False

    def data_received(self, data: bytes) -> None:
        """Parse a piece at a time, and nothing behind the head of an answer. More than there may be is no answer."""
        while data and not self._is_over():
            size_bytes = min(limits.CALLBACK_ANSWER_PIECE_BYTES, self._left_bytes, len(data))
            self._left_bytes -= size_bytes
            piece, data = data[:size_bytes], data[size_bytes:]
            super().data_received(piece)
            if self._is_over() and not self._has_answer:
                self.set_exception(ClientPayloadError("The head of the answer has no end."))

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size_bytes: int = 0) -> None:
        """Take note of a head that was parsed."""
        message, _ = data
        self._left_messages -= 1
        self._has_answer |= not 100 <= message.code < 200 or message.code == 101
        super().feed_data(data, size_bytes)

    def close(self) -> None:
        """End the socket now: what is not sent by then, and a receiver that never closes, are waited for by nobody."""
        self.abort()

    def _is_over(self) -> bool:
        return self._has_answer or self._left_bytes <= 0 or self._left_messages <= 0 or self.exception() is not None


def _answer_head(loop: AbstractEventLoop) -> ResponseHandler:
    return AnswerHead(loop)
