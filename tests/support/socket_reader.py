"""A WebSocket client of `websockets`, which insists on the promised messages and keeps what it was told."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.promised import promised
from tests.support.waiting import PATIENCE_SECONDS


class SocketReader:
    """One connection; `messages` are all that came, and `close` is code and reason, once it is closed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []
        self.close: tuple[int, str] | None = None

    def next(self) -> dict[str, Any] | None:
        """Give the next message; None once it is closed."""
        try:
            text = self.connection.recv(timeout=PATIENCE_SECONDS)
        except ConnectionClosed as closed:
            self.close = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            return None
        assert isinstance(text, str), "messages are text"
        message: dict[str, Any] = json.loads(text)
        without_id = {name: value for name, value in message.items() if name != "id"}
        assert not (breaches := promised().breaches_of_message(without_id)), breaches
        self.messages.append(message)
        return message

    def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read on until such a message comes; give it."""
        while (message := self.next()) is not None:
            if is_it(message):
                return message
        raise AssertionError(f"closed with {self.close} after {self.types}")

    def to_the_end(self) -> tuple[int, str]:
        """Read on until it is closed; give code and reason."""
        while self.next() is not None:
            pass
        assert self.close is not None
        return self.close

    @property
    def types(self) -> list[str]:
        """The types of all messages, oldest first."""
        return [message["type"] for message in self.messages]

    @property
    def last_id(self) -> str | None:
        """The cursor with which to come back."""
        return next((message["id"] for message in reversed(self.messages) if "id" in message), None)


@contextlib.contextmanager
def open_socket(url: str, headers: Mapping[str, str] | None = None, **options: Any) -> Iterator[SocketReader]:
    """Open a WebSocket at an http address, as no page would: without an Origin, unless `options` has one."""
    address = "ws" + url.removeprefix("http")
    with connect(address, additional_headers=headers, proxy=None, max_size=None, **options) as connection:
        yield SocketReader(connection)


def closed_at_once(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Open a WebSocket and read it to its end; give code and reason."""
    with open_socket(url, headers) as reader:
        return reader.to_the_end()
