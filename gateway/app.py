"""The composition root of a gateway: makes the parts, connects them, starts and stops them in order."""

import asyncio
import signal

import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException

from gateway.admission import Admission
from gateway.auth.gate import open_gate
from gateway.auth.refused_callers import REFUSALS_OF_CALLERS, RefusedCallers
from gateway.contract.publication import publish
from gateway.edge.answer_times import AnswerTimes
from gateway.edge.cors import Cors
from gateway.edge.edge import Edge
from gateway.edge.shell import Shell
from gateway.file_limit import raise_file_limit
from gateway.garbage import collect_rarely
from gateway.intake import Intake
from gateway.metrics import GatewayMetrics
from gateway.page_files import PageFiles
from gateway.problems import answer_http_exception, answer_unexpected, answer_waybill_error
from gateway.queue_watch import QueueWatch
from gateway.routes.catalogue import read_files
from gateway.routes.contract import read_document, read_page, read_version
from gateway.routes.creation import create_job
from gateway.routes.deliveries import read_deliveries, redeliver
from gateway.routes.events import read_events
from gateway.routes.files import fetch_archive
from gateway.routes.jobs import cancel_job, delete_job, read_job
from gateway.routes.listing import read_jobs
from gateway.routes.page import show_asset, show_icon, show_page
from gateway.routes.retry import retry_job
from gateway.routes.stream import stream_job, stream_jobs
from gateway.routes.tickets import give_ticket
from gateway.server import GatewayServer, bound_connections
from gateway.streaming.following import Following
from gateway.streaming.hub import Hub
from gateway.streaming.places import Places
from gateway.streaming.socket_door import SocketDoor
from shared import limits
from shared.errors import WaybillError
from shared.gateway_settings import GatewaySettings
from shared.jobstore.access import open_commands
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.fleet import Fleet
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.outbox import Outbox
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from shared.listener import listen
from shared.objects.catalogue_choice import needs_sources, open_catalogue
from shared.objects.health import StoreHealth
from shared.objects.opening import open_store
from shared.objects.store import ObjectStore
from shared.retention import Retention
from shared.telemetry.admin import admin_server
from shared.telemetry.metrics import configure_metrics, report_backlog, report_dependencies
from shared.telemetry.outbox_gauges import report_outbox

log = structlog.get_logger(__name__)

ROUTES = (
    create_job, read_jobs, read_job, cancel_job, delete_job, retry_job, read_events, stream_job, stream_jobs,
    fetch_archive, read_deliveries, redeliver, read_files, give_ticket,
    read_document, read_page, read_version,
    show_page, show_icon, show_asset,
)  # fmt: skip
"""What is served. Each has its row in contract/calls.py (or event_calls.py), but those of the page for people."""


async def serve(settings: GatewaySettings) -> None:
    """Open the object stores and run one gateway to its end."""
    async with open_store(settings.sources) as sources, open_store(settings.objects) as objects:
        await Gateway(settings, sources, objects).run()


class Gateway:
    """One gateway process."""

    def __init__(self, settings: GatewaySettings, sources: ObjectStore, objects: ObjectStore) -> None:
        self._settings = settings
        self._objects = objects
        self._connection = open_commands(settings.redis_location(), name="gateway")
        self._store = JobStore(self._connection, partitions=settings.partitions)
        self._gate = open_gate(settings, self._connection)
        self._places = Places(OwnerLimits(self._connection), most=settings.allowance.streams)
        self._hub = Hub(self._store, self._connection, max_streams=settings.max_streams, places=self._places)
        self._queue = QueueWatch(
            self._store, Fleet(self._connection), headroom_percent=settings.memory_headroom_percent
        )
        self._catalogue = open_catalogue(settings.catalogue, sources)
        meter = configure_metrics("gateway")
        self._gauges = report_backlog(meter, self._store)
        self._outbox_gauges = report_outbox(meter, self._store)
        self._stores = _stores_of(settings, sources, objects)
        report_dependencies(meter, self._store, self._stores)
        metrics = GatewayMetrics(meter, self._hub, deadline_seconds=settings.deadline_seconds)
        self._queue.report(meter)
        edge = Edge(settings)
        self._public = GatewayServer(
            Shell(
                self._make_app(metrics, edge.cors),
                edge,
                count_refusal=metrics.count_auth_refusal,
                answer_times=AnswerTimes(metrics.count_answer, metrics.observe_answer),
            ),
            edge,
            drain_seconds=settings.drain_seconds,
            drain=self._hub.drain,
            count_refusal=metrics.count_http_refusal,
        )
        self._admin = admin_server(
            settings.admin_host, settings.admin_port, self.problems, is_stopping=lambda: self._hub.is_draining
        )
        self._is_prepared = False

    def _make_app(self, metrics: GatewayMetrics, cors: Cors) -> Litestar:
        retention = Retention(self._settings.keep_seconds)
        refused = RefusedCallers(metrics)
        following = Following(
            gate=self._gate,
            store=self._store,
            hub=self._hub,
            queue=self._queue,
            metrics=metrics,
            socket_door=SocketDoor(cors, refused, offered=self._settings.websockets),
        )
        admission = Admission(
            self._store,
            self._queue,
            metrics,
            allowance=self._settings.allowance,
            max_backlog=self._settings.max_backlog,
        )
        idempotency_keys = IdempotencyKeys(self._connection, keep_ms=retention.idempotency_ms)
        parts: dict[str, object] = {
            "gate": self._gate,
            "store": self._store,
            "queue": self._queue,
            "metrics": metrics,
            "objects": self._objects,
            "following": following,
            "retention": retention,
            "intake": Intake(
                following, self._catalogue, idempotency_keys, admission, callback_rules=self._settings.callback_rules
            ),
            "admission": admission,
            "outbox": Outbox(self._store),
            "contract": publish(),
            "catalogue": self._catalogue,
            "lists_files": self._settings.list_files,
            "letters": DeadLetters(self._connection, partitions=self._settings.partitions),
            "page_files": PageFiles(),
        }
        return Litestar(
            ROUTES,
            dependencies={name: _always(part) for name, part in parts.items()},
            exception_handlers={
                **dict.fromkeys(REFUSALS_OF_CALLERS, refused.answer),
                WaybillError: answer_waybill_error,
                HTTPException: answer_http_exception,
                Exception: answer_unexpected,
            },
            request_max_body_size=limits.MAX_BODY_BYTES,
            openapi_config=None,
            logging_config=None,
        )

    def problems(self) -> list[str]:
        """Say why this process should not be sent requests, a sentence each; none when it is ready.

        The stores are not among them: all gateways have the same ones, and without them streams and jobs go on.
        """
        problems = []
        if self._hub.is_draining:
            problems.append("This gateway is stopping.")
        if self._connection.healthy_since is None:
            problems.append(
                f"Redis does not answer: {self._connection.last_trouble} (REDIS_URL={self._connection.location.shown})."
            )
        elif not self._is_prepared:
            problems.append("The job store is being prepared.")
        problems += self._gate.problems
        if not self._hub.live.is_connected:
            problems.append("The live channel is not connected; streams read the log instead.")
        return problems

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain and return."""
        listener = listen(self._settings.host, self._settings.port, port_variable="WAYBILL_PORT")
        bound_connections(listener)
        raise_file_limit(self._settings.max_streams)
        collect_rarely()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self._connection.run(), name="redis"),
                group.create_task(self._hub.live.run(), name="live"),
                group.create_task(self._hub.run(), name="hub"),
                group.create_task(self._places.run(), name="places"),
                group.create_task(self._gauges.run(), name="gauges"),
                group.create_task(self._outbox_gauges.run(), name="outbox gauges"),
                group.create_task(self._queue.run(), name="queue"),
                group.create_task(self._catalogue.run(), name="catalogue"),
                group.create_task(self._gate.run(), name="gate"),
                group.create_task(self._prepare(), name="prepare"),
                *(group.create_task(store.run(), name=f"look at {store.name}") for store in self._stores),
            ]
            admin = group.create_task(self._admin.serve(), name="admin")
            log.info(
                "gateway listening", host=self._settings.host, port=listener.getsockname()[1], auth=self._settings.auth
            )
            await self._public.serve(sockets=[listener])
            await self._places.tell()  # of the last streams, for which nobody need wait a lease
            self._admin.should_exit = True
            await admin
            for part in background:
                part.cancel()
        log.info("gateway stopped")

    def stop(self) -> None:
        """Begin to stop: drain, then return from run()."""
        self._public.should_exit = True

    async def _prepare(self) -> None:
        await self._store.prepare_when_reachable()
        self._is_prepared = True


def _stores_of(settings: GatewaySettings, sources: ObjectStore, objects: ObjectStore) -> list[StoreHealth]:
    """Give the stores that this process itself asks for something."""
    stores = [StoreHealth("objects", objects, for_writing=False, variable=settings.objects_variable)]
    if needs_sources(settings.catalogue):
        stores.append(StoreHealth("sources", sources, for_writing=False, variable=settings.sources_variable))
    return stores


def _always(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
