"""The gateway's own metrics."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from opentelemetry.metrics import Meter, Observation

from gateway.streaming.sse import Message
from gateway.streaming.subscription import Resume
from shared import limits
from shared.event_id import EventId
from shared.telemetry.job_ends import JobEnds

if TYPE_CHECKING:
    from gateway.streaming.hub import Hub

_ANSWER_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_AGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)

HTTP_REFUSALS = ("head_size", "address_size", "body_size", "head_time", "body_time", "malformed")
AUTH_REFUSALS = (
    *("anonymous", "unauthenticated", "ticket_refused", "ticket_expired"),
    *("owner_refused", "scope_missing", "files_forbidden", "tickets_not_offered"),
    *("origin_refused", "misdirected"),
)
CREATE_REFUSALS = ("jobs_in_flight", "creates", "callbacks_waiting", "backlog", "memory", "redis_full")
REFUSALS = ("drain", "overload", "redis", "token_keys", "limit")
"""Of streams that did not begin: the reasons in their busy frames."""
ENDS = ("terminal", "left", "slow", "refused", "max_age", "ticket_expired", "drain", "redis", "unreadable", "error")
"""Of streams that had begun."""


class GatewayMetrics:
    """Counts created jobs, answers and open streams."""

    def __init__(self, meter: Meter, hub: "Hub", *, deadline_seconds: int = limits.DEADLINE_SECONDS) -> None:
        self._ends_of_jobs = JobEnds(meter, deadline_seconds=deadline_seconds)
        self.stream_bytes = 0
        """What was written to viewers; a number and no instrument: a busy gateway writes 10,000 frames a second."""
        self._created = meter.create_counter("download_jobs_created", description="Jobs accepted")
        self._cancelled = meter.create_counter("download_jobs_cancelled", description="Jobs that were given up")
        self._refused_creates = meter.create_counter(
            "download_creates_refused", description="Creates that a limit of their owner, or of the service, refused"
        )
        self._retried = meter.create_counter(
            "download_jobs_retried", description="Failed jobs that their owners have begun anew"
        )
        self._streams = {
            "sse": meter.create_up_down_counter("sse_connections_active", description="Open event streams"),
            "websocket": meter.create_up_down_counter("websocket_connections_active", description="Open WebSockets"),
        }
        self._resumes = meter.create_counter(
            "sse_resumes", description="Opened streams by how they were resumed; one of many jobs counts for each"
        )
        self._places = meter.create_up_down_counter(
            "sse_places_active",
            description="Unfinished jobs that open streams of many jobs follow, one for each stream",
        )
        self._refusals = meter.create_counter("sse_refusals", description="Streams that were sent away, by reason")
        self._ends = meter.create_counter("sse_streams_ended", description="Streams by why they ended")
        self._replayed = meter.create_counter(
            "sse_replay", unit="By", description="What was read from logs for viewers that had missed it"
        )
        self._http_refusals = meter.create_counter(
            "http_refusals", description="Connections that were closed for what they sent, or did not send, by reason"
        )
        self._auth_refusals = meter.create_counter(
            "auth_refusals", description="Calls that were answered 401, 403 or 421, by reason"
        )
        self._age = meter.create_histogram(
            "sse_event_age",
            unit="s",
            description="From the writing of a live event to its hand-over to a viewer's socket",
            explicit_bucket_boundaries_advisory=_AGE_SECONDS,
        )
        self._sent = meter.create_counter(
            "download_archive_sent", unit="By", description="Bytes of archives that this gateway has sent by itself"
        )
        self._answers = meter.create_counter("http_answers", description="Answers by call, streams among them")
        self._answer_times = meter.create_histogram(
            "http_request_duration",
            unit="s",
            description="From a request to the head of its answer, by call; no uploads of bodies, streams, long polls",
            explicit_bucket_boundaries_advisory=_ANSWER_SECONDS,
        )
        meter.create_observable_counter(
            "sse_sent",
            [lambda _: [Observation(self.stream_bytes)]],
            unit="By",
            description="Bytes of messages that were written to viewers",
        )
        _report_hub(meter, hub)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        self._created.add(0)  # a counter that appears only with its first event hides that event from rate()
        self._cancelled.add(0)
        self._retried.add(0)
        for counter in self._streams.values():
            counter.add(0)
        self._places.add(0)
        self._replayed.add(0)
        self._sent.add(0)
        for reason in CREATE_REFUSALS:
            self._refused_creates.add(0, {"reason": reason})
        for reason in HTTP_REFUSALS:
            self._http_refusals.add(0, {"reason": reason})
        for reason in AUTH_REFUSALS:
            self._auth_refusals.add(0, {"reason": reason})
        for reason in REFUSALS:
            self._refusals.add(0, {"reason": reason})
        for reason in ENDS:
            self._ends.add(0, {"reason": reason})
        for outcome in Resume:
            self._resumes.add(0, {"outcome": outcome.value})

    def count_creation(self) -> None:
        """Count an accepted job."""
        self._created.add(1)

    def count_refused_create(self, reason: str) -> None:
        """Count a create that a bound refused; `reason` is one of CREATE_REFUSALS."""
        self._refused_creates.add(1, {"reason": reason})

    def count_cancellation(self, accepted_at_ms: int, ended_at_ms: int) -> None:
        """Count a job that was waiting and has been ended; a running one is counted by its processor."""
        self._cancelled.add(1)
        self._ends_of_jobs.count(accepted_at_ms, ended_at_ms)

    def count_sent(self, count_bytes: int) -> None:
        """Count a piece of an archive that goes to a caller."""
        self._sent.add(count_bytes)

    def count_answer(self, call: str, status: str) -> None:
        """Count an answer, whatever it is; `call` is the name of a route's handler, `status` "2xx" or another kind."""
        self._answers.add(1, {"call": call, "status": status})

    def observe_answer(self, call: str, status: str, seconds: float) -> None:
        """Record how long a caller has waited for an answer; `call` is the name of a route's handler."""
        self._answer_times.record(seconds, {"call": call, "status": status})

    def count_retry(self) -> None:
        """Count a failed job that its owner has begun anew."""
        self._retried.add(1)

    def count_resume(self, outcome: Resume) -> None:
        """Count an opened stream, or a job of one of many."""
        self._resumes.add(1, {"outcome": outcome.value})

    def count_refusal(self, reason: str) -> None:
        """Count a stream that got a busy frame and nothing else; `reason` is one of REFUSALS."""
        self._refusals.add(1, {"reason": reason})

    def count_http_refusal(self, reason: str) -> None:
        """Count a connection that sent too much, too slowly, or no HTTP; `reason` is one of HTTP_REFUSALS."""
        self._http_refusals.add(1, {"reason": reason})

    def count_auth_refusal(self, reason: str) -> None:
        """Count a caller who was not let in; `reason` is one of AUTH_REFUSALS."""
        self._auth_refusals.add(1, {"reason": reason})

    def count_end(self, reason: str) -> None:
        """Count a stream that has ended; `reason` is one of ENDS."""
        self._ends.add(1, {"reason": reason})

    def count_replay(self, page: Sequence[tuple[EventId, bytes]]) -> None:
        """Count a page of a log."""
        self._replayed.add(sum(len(message) for _, message in page))

    def open_stream(self, transport: str) -> None:
        """Count a stream in; `transport` is the name of its dress."""
        self._streams[transport].add(1)

    def close_stream(self, transport: str) -> None:
        """Count a stream out."""
        self._streams[transport].add(-1)

    def follow_many(self, jobs: int) -> None:
        """Count unfinished jobs of streams of many in; out, when negative."""
        self._places.add(jobs)

    def observe_ages(self, messages: Iterable[Message], now_ms: int) -> None:
        """Record how old live events are (milliseconds since 1970 on this machine's clock) when they go out."""
        for message in messages:
            if message.written_at_ms is not None:
                self._age.record(max(0.0, now_ms - message.written_at_ms) / 1000)


def _report_hub(meter: Meter, hub: "Hub") -> None:
    meter.create_observable_gauge(
        "long_polls_active",
        callbacks=[lambda _: [Observation(hub.long_polls)]],
        description="Answers that wait for news",
    )
    meter.create_observable_gauge(
        "sse_jobs_followed",
        callbacks=[lambda _: [Observation(hub.jobs)]],
        description="Jobs with viewers in this process",
    )
    meter.create_observable_gauge(
        "sse_jobs_polled",
        callbacks=[lambda _: [Observation(hub.jobs_without_channel)]],
        description="Those of them whose log is read twice a second, because the live channel does not deliver",
    )
