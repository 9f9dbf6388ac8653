"""Reads an event stream from bytes in any pieces (WHATWG HTML §9.2.6). Pure: sans I/O.

An event begins with its first line and ends with an empty one; what a cut leaves behind an unfinished event is none.
Comments, blocks without data and fields that nobody knows are passed over, as browsers do.
"""

import re
from typing import NamedTuple

from gateway.client.errors import NotWaybill
from shared import limits

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event. `id` and `retry_ms` are its own; None where it says none, whatever the one before it said."""

    id: str | None
    event: str
    data: str
    retry_ms: int | None


class EventStream:
    """Takes bytes and gives the events that have ended with them."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_first_line = True
        self._begin()

    def feed(self, piece: bytes) -> list[Frame]:
        """Give the events that this piece ends. Raises NotWaybill when a line or an event has no end."""
        self._rest += piece
        if len(self._rest) > limits.CLIENT_MAX_FRAME_BYTES or self._data_bytes > limits.CLIENT_MAX_FRAME_BYTES:
            raise NotWaybill("The stream sent an event without an end. Check the address.")
        frames: list[Frame] = []
        start = 0
        for end in _LINE_END.finditer(self._rest):
            if end.group() == b"\r" and end.end() == len(self._rest):
                break  # the line feed that belongs to it may be on its way
            frames += self._take(self._rest[start : end.start()])
            start = end.end()
        self._rest = self._rest[start:]
        return frames

    def _take(self, line: bytes) -> list[Frame]:
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(_BOM), False
        if line:
            self._field(*_field_of(line.decode("utf-8", "replace")))
            return []
        frames = [Frame(self._id, self._event or "message", "\n".join(self._data), self._retry_ms)]
        has_data = bool(self._data)
        self._begin()
        return frames if has_data else []

    def _begin(self) -> None:
        self._id: str | None = None
        self._event = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._retry_ms: int | None = None

    def _field(self, name: str, text: str) -> None:
        if name == "data":
            self._data.append(text)
            self._data_bytes += len(text)
        elif name == "event":
            self._event = text
        elif name == "id" and "\0" not in text:
            self._id = text
        elif name == "retry" and text.isascii() and text.isdigit():
            self._retry_ms = int(text)


def _field_of(line: str) -> tuple[str, str]:
    name, _, text = line.partition(":")
    return name, text.removeprefix(" ")
