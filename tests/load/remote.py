"""An object in a process of its own, asked over a pipe: a load generator must not wait for what it measures."""

import contextlib
import gc
import multiprocessing
import resource
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

ANSWER_WITHIN_SECONDS = 600.0
_PROCESSES = multiprocessing.get_context("spawn")


class Remote:
    """Asks one object; send() and receive() apart let several of them work at the same time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, method: str, *arguments: object) -> None:
        """Let it begin a call."""
        self._connection.send((method, arguments))

    def has_answered(self, within_seconds: float) -> bool:
        """Tell whether the call that was begun has ended, or does so in this time."""
        return self._connection.poll(within_seconds)

    def receive(self) -> Any:
        """Wait for the value of the call that was begun."""
        assert self._connection.poll(ANSWER_WITHIN_SECONDS), "the other process does not answer"
        return self._connection.recv()

    def call(self, method: str, *arguments: object) -> Any:
        """Call, and wait for the value."""
        self.send(method, *arguments)
        return self.receive()


@contextlib.contextmanager
def remote(make: Callable[..., object], *arguments: object) -> Iterator[Remote]:
    """Make an object in a process of its own; `make` is a class or function of a module."""
    near, far = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_serve, args=(far, make, arguments), daemon=True)
    process.start()
    far.close()
    try:
        yield Remote(near)
    finally:
        near.close()
        process.join(timeout=10.0)
        process.kill()


def _serve(connection: Connection, make: Callable[..., object], arguments: tuple[object, ...]) -> None:
    gc.disable()  # a pause of a load generator would look like one of what it measures; it does not live for long
    made = make(*arguments)
    with contextlib.suppress(EOFError):
        while True:
            method, given = connection.recv()
            connection.send(getattr(made, method)(*given))


def raise_file_limit() -> int:
    """Allow this process and its children as many open files as the machine allows them; give the number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
