"""The gateway's routes about jobs over a job store, in this process: for tests that look at Redis in between."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
from litestar import Litestar
from litestar.di import Provide
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from gateway.auth.gate import Gate
from gateway.auth.ticket import TicketSecret
from gateway.auth.tickets import Tickets
from gateway.metrics import GatewayMetrics
from gateway.problems import answer_unexpected, answer_waybill_error
from gateway.queue_watch import QueueWatch
from gateway.routes.creation import create_job
from gateway.routes.jobs import read_job
from gateway.routes.listing import read_jobs
from gateway.streaming.following import Following
from gateway.streaming.hub import Hub
from shared.errors import WaybillError
from shared.jobstore.fleet import Fleet
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.store import JobStore
from shared.objects.catalogue import CatalogueFile
from shared.objects.manifest import Manifest
from shared.retention import Retention

JOBS = "/v1/download/jobs"


class LocalGateway:
    """One gateway that knows these file ids; `http` speaks to it."""

    def __init__(self, store: JobStore, *file_ids: int) -> None:
        self._reader = InMemoryMetricReader()
        hub = Hub(store, store.connection, max_streams=0)  # no room: nobody waits here, and no live channel is needed
        queue = QueueWatch(store, Fleet(store.connection))
        metrics = GatewayMetrics(MeterProvider([self._reader]).get_meter("test"), hub)
        files = [CatalogueFile(file_id=file_id, name=f"{file_id}.txt", key=f"{file_id}.txt") for file_id in file_ids]
        gate = Gate(tickets=Tickets([TicketSecret("k1", b"s" * 32)], life_seconds=60))
        parts: dict[str, object] = {
            "gate": gate,
            "store": store,
            "following": Following(gate=gate, store=store, hub=hub, queue=queue, metrics=metrics),
            "queue": queue,
            "catalogue": Manifest(files, path=Path("catalogue.jsonl")),
            "idempotency_keys": IdempotencyKeys(store.connection, keep_ms=Retention(86_400).idempotency_ms),
            "metrics": metrics,
        }
        app = Litestar(
            [create_job, read_job, read_jobs],
            dependencies={name: _always(part) for name, part in parts.items()},
            exception_handlers={WaybillError: answer_waybill_error, Exception: answer_unexpected},
            openapi_config=None,
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, app)), base_url="http://gateway")

    async def post(self, *file_ids: int, key: str | None = None, **more: object) -> httpx.Response:
        """Ask for a bundle."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(JOBS, json={"file_ids": file_ids, **more}, headers=headers)

    def created(self) -> int:
        """Count the jobs that it says it has created."""
        found = self._reader.get_metrics_data()
        assert found is not None
        [counter] = [
            metric
            for resource in found.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "download_jobs_created"
        ]
        return sum(int(cast(Any, point).value) for point in counter.data.data_points)


@contextlib.asynccontextmanager
async def local_gateway(store: JobStore, *file_ids: int) -> AsyncIterator[LocalGateway]:
    """Give a gateway in this process that knows these file ids."""
    gateway = LocalGateway(store, *file_ids)
    async with gateway.http:
        yield gateway


def _always(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
