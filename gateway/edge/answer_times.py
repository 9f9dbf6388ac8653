"""What is answered, and how long callers wait for it, by call and kind of status: never by address, owner or id."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.edge.header import Header

CALLS_THAT_STREAM = frozenset({"stream_job", "stream_jobs"})
NO_CALL = "none"
"""Of what no route has answered: an unknown address or method, a refusal of the edge, a preflight."""

Count = Callable[[str, str], None]
"""Takes the call and the kind of status ("2xx" …)."""
Observe = Callable[[str, str, float], None]
"""Takes the same, and the seconds."""


class AnswerTimes:
    """Tells `count` of each answer, and `observe` of those that no stream is, and that nobody wished to wait for."""

    def __init__(self, count: Count, observe: Observe) -> None:
        self._count = count
        self._observe = observe

    def note(self, scope: Any, status: int, headers: Iterable[Header], seconds: float) -> None:
        """Take the head of an answer, and the time since its request was read."""
        handler = scope.get("route_handler")  # put there by the framework once it has found the route
        call = NO_CALL if handler is None else handler.fn.__name__
        kind = f"{status // 100}xx"
        self._count(call, kind)  # of streams too: else those that break are in no number
        # Both last for as long as their callers like: one of them hides what a thousand others took.
        if call in CALLS_THAT_STREAM or any(name == b"preference-applied" for name, _ in headers):
            return
        self._observe(call, kind, seconds)
