"""A collector of traces: a real HTTP server that takes OTLP, and decodes its protobuf as the specification has it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.waiting import until

PATIENCE_SECONDS = 60.0


class CollectedSpan(NamedTuple):
    """A span as it arrived; ids in hexadecimal, `parent` "" where it has none."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, object]
    has_failed: bool


class Collector:
    """A context manager: listens on loopback inside of it. `elsewhere`: sends everybody on to this address (307)."""

    def __init__(self, *, port: int = 0, elsewhere: str = "") -> None:
        self.spans: list[CollectedSpan] = []
        self.texts: list[bytes] = []
        """All bodies as they came."""
        self.asked = threading.Event()
        """Is set by a first request."""
        self.may_answer = threading.Event()
        """Clear it, and whoever asks hangs until it is set."""
        self.may_answer.set()
        self._elsewhere = elsewhere
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="collector")

    @property
    def url(self) -> str:
        """The endpoint, as OTEL_EXPORTER_OTLP_ENDPOINT names it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def named(self, name: str, *, trace_id: str = "") -> list[CollectedSpan]:
        """Give the spans of that name that are there, of one trace or of all."""
        return [span for span in list(self.spans) if span.name == name and trace_id in ("", span.trace_id)]

    def wait_for(self, name: str, count: int, *, job_id: str) -> list[CollectedSpan]:
        """Wait until so many spans of that name about a job are there; give them."""

        def found() -> list[CollectedSpan]:
            return [span for span in self.named(name) if span.attributes.get("job_id") == job_id]

        until(lambda: len(found()) >= count, f"{count} spans {name!r} about {job_id}")
        return found()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_ours = (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                collector.asked.set()
                collector.may_answer.wait(PATIENCE_SECONDS)
                if collector._elsewhere:
                    self._send_on(collector._elsewhere)
                    return
                if is_ours:
                    collector.texts.append(body)
                    collector.spans += _decode(body)
                self.send_response(200 if is_ours else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _send_on(self, elsewhere: str) -> None:
                self.send_response(307)
                self.send_header("Location", elsewhere)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


def _decode(body: bytes) -> list[CollectedSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _collected(span, _attributes(of_resource.resource.attributes))
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _collected(span: trace_pb2.Span, resource: dict[str, object]) -> CollectedSpan:
    return CollectedSpan(
        service=str(resource["service.name"]),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        attributes=_attributes(span.attributes),
        has_failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: object) -> dict[str, object]:
    return {pair.key: _plain(pair.value) for pair in pairs}  # type: ignore[attr-defined]  # a container of protobuf's


def _plain(value: AnyValue) -> object:
    which = value.WhichOneof("value")
    return getattr(value, which) if which else None
