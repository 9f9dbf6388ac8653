"""What a trace says of a call: nothing that opens a job."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.jobstore.store import JobStore
from tests.support.local_gateway import JOBS, local_gateway

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


async def test_no_ticket_and_no_credential_is_in_a_trace(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr("gateway.routes.creation.tracer", provider.get_tracer("test"))
    async with local_gateway(store, 70_000) as gateway:
        headers = {"Authorization": "Bearer hunter2"}
        created = await gateway.http.post(
            f"{JOBS}?ticket=hunter2", json={"file_ids": [70_000], "ticket": True}, headers=headers
        )
        read = await gateway.http.get(created.json()["status_url"])

    traced = "".join(span.to_json() for span in spans.get_finished_spans())

    assert (created.status_code, read.status_code) == (202, 200)
    assert '"name": "create"' in traced
    assert "hunter2" not in traced
    assert created.json()["ticket"] not in traced
