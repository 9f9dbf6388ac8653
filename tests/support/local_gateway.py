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

from gateway.admission import Admission
from gateway.auth.gate import Gate
from gateway.auth.refused_callers import RefusedCallers
from gateway.auth.tickets import Tickets
from gateway.edge.cors import Cors
from gateway.intake import Intake
from gateway.metrics import GatewayMetrics
from gateway.problems import answer_unexpected, answer_waybill_error
from gateway.queue_watch import QueueWatch
from gateway.routes.creation import create_job
from gateway.routes.deliveries import read_deliveries, redeliver
from gateway.routes.jobs import read_job
from gateway.routes.listing import read_jobs
from gateway.routes.retry import retry_job
from gateway.streaming.following import Following
from gateway.streaming.hub import Hub
from gateway.streaming.places import Places
from gateway.streaming.socket_door import SocketDoor
from shared.callbacks.target import CallbackRules
from shared.errors import WaybillError
from shared.gateway_settings import Allowance
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.fleet import Fleet
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.outbox import Outbox
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from shared.objects.catalogue import CatalogueFile
from shared.objects.manifest import Manifest
from shared.retention import Retention
from shared.ticket import TicketSecret

JOBS = "/v1/download/jobs"


class LocalGateway:
    """One gateway that knows these file ids; `http` speaks to it."""

    def __init__(
        self,
        store: JobStore,
        *file_ids: int,
        allowance: Allowance,
        max_backlog: int,
        headroom_percent: int,
        callback_rules: CallbackRules,
    ) -> None:
        self._reader = InMemoryMetricReader()
        # No room: nobody waits here, and no live channel is needed.
        places = Places(OwnerLimits(store.connection), most=allowance.streams)
        hub = Hub(store, store.connection, max_streams=0, places=places)
        self.queue = queue = QueueWatch(store, Fleet(store.connection), headroom_percent=headroom_percent)
        metrics = GatewayMetrics(MeterProvider([self._reader]).get_meter("test"), hub)
        files = [CatalogueFile(file_id=file_id, name=f"{file_id}.txt", key=f"{file_id}.txt") for file_id in file_ids]
        gate = Gate(tickets=Tickets([TicketSecret("k1", b"s" * 32)], life_seconds=60))
        door = SocketDoor(Cors(()), RefusedCallers(metrics), offered=True)
        following = Following(gate=gate, store=store, hub=hub, queue=queue, metrics=metrics, socket_door=door)
        self.keys = keys = IdempotencyKeys(store.connection, keep_ms=Retention(86_400).idempotency_ms)
        self.admission = admission = Admission(store, queue, metrics, allowance=allowance, max_backlog=max_backlog)
        parts: dict[str, object] = {
            "gate": gate,
            "store": store,
            "following": following,
            "queue": queue,
            "intake": Intake(
                following,
                Manifest(files, path=Path("catalogue.jsonl")),
                keys,
                admission,
                callback_rules=callback_rules,
            ),
            "metrics": metrics,
            "admission": admission,
            "outbox": Outbox(store),
            "letters": DeadLetters(store.connection, partitions=store.partitions),
        }
        app = Litestar(
            [create_job, read_job, read_jobs, retry_job, read_deliveries, redeliver],
            dependencies={name: _always(part) for name, part in parts.items()},
            exception_handlers={WaybillError: answer_waybill_error, Exception: answer_unexpected},
            openapi_config=None,
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, app)), base_url="http://gateway")

    async def post(self, *file_ids: int, key: str | None = None, **more: object) -> httpx.Response:
        """Ask for a bundle."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(JOBS, json={"file_ids": file_ids, **more}, headers=headers)

    async def retry(self, job_id: str) -> httpx.Response:
        """Ask for a failed job to be begun anew."""
        return await self.http.post(f"{JOBS}/{job_id}/retry")

    async def deliveries(self, job_id: str) -> list[dict[str, Any]]:
        """Read what became of a job's callbacks."""
        response = await self.http.get(f"{JOBS}/{job_id}/deliveries")
        assert response.status_code == 200, response.text
        return cast("list[dict[str, Any]]", response.json()["deliveries"])

    async def redeliver(self, job_id: str) -> httpx.Response:
        """Ask for a job's end to be told again."""
        return await self.http.post(f"{JOBS}/{job_id}/redeliver")

    def retried(self) -> int:
        """Count the jobs that it says were begun anew."""
        return self._counted("download_jobs_retried")

    def created(self) -> int:
        """Count the jobs that it says it has created."""
        return self._counted("download_jobs_created")

    def refused_creates(self, reason: str) -> int:
        """Count the creates that it says it has refused for this reason."""
        return self._counted("download_creates_refused", reason=reason)

    def _counted(self, name: str, **labels: str) -> int:
        found = self._reader.get_metrics_data()
        assert found is not None
        [counter] = [
            metric
            for resource in found.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        points = [cast(Any, point) for point in counter.data.data_points]
        return sum(int(point.value) for point in points if labels.items() <= dict(point.attributes).items())


@contextlib.asynccontextmanager
async def local_gateway(
    store: JobStore,
    *file_ids: int,
    allowance: Allowance = Allowance(),  # noqa: B008  it cannot be changed
    max_backlog: int = 0,
    headroom_percent: int = 0,
    callback_rules: CallbackRules = CallbackRules(),  # noqa: B008  nor can it
) -> AsyncIterator[LocalGateway]:
    """Give a gateway in this process that knows these file ids; without bounds unless told."""
    gateway = LocalGateway(
        store,
        *file_ids,
        allowance=allowance,
        max_backlog=max_backlog,
        headroom_percent=headroom_percent,
        callback_rules=callback_rules,
    )
    async with gateway.http:
        yield gateway


def _always(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
