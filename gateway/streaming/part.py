"""One job's part in what a stream of many jobs tells: its own place, and the vector of all. Pure.

What is told of a job, and in which order, is decided by its subscription as for a viewer of that job alone. Here its
messages get the id that a stream of many needs, and what cannot be had is told as an error of that job.
"""

from collections.abc import Callable

import msgspec

from gateway.estimate import Outlook
from gateway.streaming.sse import Message, frame_in_many
from gateway.streaming.subscription import Resume, Subscription
from gateway.streaming.vector import Refused, Spot, Vector
from shared import events
from shared.errors import WaybillError
from shared.jobs import JobError, JobRecord

Framing = Callable[[Message, str, bytes | None], bytes]
"""Makes a frame of a message, the id of its job, and the vector that is the frame's id; None where it has none."""


class Part:
    """One job of a stream of many, at `number` (from 0) of its query."""

    __slots__ = ("_refusal", "is_finished", "job_id", "number", "subscription")

    def __init__(self, number: int, job_id: str) -> None:
        self.number = number
        self.job_id = job_id
        self.subscription = Subscription()
        self.is_finished = False
        """The viewer was told its end."""
        self._refusal: Message | None = None

    def open(
        self, spot: Spot, found: JobRecord | WaybillError, outlook_of: Callable[[JobRecord], Outlook], *, at_ms: int
    ) -> bool:
        """Place the viewer in a job that was found, or refused; False when there is nothing more to tell of it."""
        if not isinstance(found, WaybillError):
            self.subscription = Subscription(outlook_of)
            return self.subscription.open(None if isinstance(spot, Refused) else spot, found, at_ms=at_ms)
        if spot is Refused.TOLD:
            self.subscription.give_up()
            self.subscription.resume = Resume.TERMINAL
            return False
        self.refuse(found, at_ms=at_ms)
        return True

    def refuse(self, refusal: WaybillError, *, at_ms: int) -> None:
        """Tell that the job cannot be had (any more), and nothing after that."""
        self._refusal = _refusal_message(self.job_id, refusal, at_ms=at_ms)
        self.subscription.give_up()

    def tell(self, vector: Vector, framing: Framing = frame_in_many) -> list[tuple[Message, bytes]]:
        """Take what is to be sent now, each with its frame, whose id is `vector` as it is after that very message."""
        told = [(message, self._frame(message, vector, framing)) for message in self.subscription.take()]
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            vector.refuse(self.number)
            told.append((refusal, framing(refusal, self.job_id, vector.encode())))
        return told

    def _frame(self, message: Message, vector: Vector, framing: Framing) -> bytes:
        if message.event_id is None:
            return framing(message, self.job_id, None)
        vector.move(self.number, message.event_id)
        return framing(message, self.job_id, vector.encode())


def _refusal_message(job_id: str, refusal: WaybillError, *, at_ms: int) -> Message:
    """Say that a job cannot be had: an `error` message as of a failed job, with the refusal's own code."""
    error = JobError(refusal.code, refusal.message)
    encoded = events.encode(events.Failed(error=error, can_retry=False, at=events.timestamp(at_ms)))
    # What was asked for may be any text.
    return Message(None, b'{"job_id":%b,%b' % (msgspec.json.encode(job_id), encoded[1:]), names_job=True)
