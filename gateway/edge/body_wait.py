"""How long a caller lets us wait for a body. What the event loop has to do first is not theirs, and stays ours.

A body mostly stands in the socket already, and the loop comes to it once the others have had their turn. So waiting
begins when the loop has looked at all sockets once, and read what was there: two turns after it was asked for.

    asked for ── turn: others run, sockets are looked at ── turn: they are read ── waiting begins ── it arrives
"""

import asyncio
import time


class BodyWait:
    """One wait, from its making on; `end` it whatever becomes of it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._next_turn = self._loop.call_soon(self._look_at_sockets)

    def _look_at_sockets(self) -> None:
        self._next_turn = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._since = time.perf_counter()

    def end(self) -> float:
        """Give the seconds for which nothing had arrived."""
        self._next_turn.cancel()
        return 0.0 if self._since is None else time.perf_counter() - self._since
