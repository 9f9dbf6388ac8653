"""How long callers wait for the head of an answer, by call and kind of status: never by address, owner or id."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.edge.header import Header

CALLS_THAT_STREAM = frozenset({"stream_job", "stream_jobs"})
NO_CALL = "none"
"""Of what no route has answered: an unknown address or method, a refusal of the edge, a preflight."""

Observe = Callable[[str, str, float], None]
"""Takes the call, the kind of status ("2xx" …) and the seconds."""


class AnswerTimes:
    """Tells `observe` of each answer that was not a stream, and did not wait because its caller wished it to."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe

    def note(self, scope: Any, status: int, headers: Iterable[Header], seconds: float) -> None:
        """Take the head of an answer, and the time since its request was read."""
        handler = scope.get("route_handler")  # put there by the framework once it has found the route
        call = NO_CALL if handler is None else handler.fn.__name__
        # Both last for as long as their callers like: one of them hides what a thousand others took.
        if call in CALLS_THAT_STREAM or any(name == b"preference-applied" for name, _ in headers):
            return
        self._observe(call, f"{status // 100}xx", seconds)
