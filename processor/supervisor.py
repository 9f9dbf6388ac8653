"""The composition root of a processor: makes the parts, connects them, starts and stops them in order."""

import asyncio
import os
import secrets
import signal
import socket
from contextlib import AsyncExitStack

import structlog

from processor.consumer import Consumer
from processor.execution import Execution
from processor.maintenance.janitor import Janitor
from processor.maintenance.orphans import OrphanSearch
from processor.maintenance.sweeper import Sweeper
from processor.maintenance.teller import Teller
from processor.metrics import AdminCallbackMetrics, ProcessorMetrics
from processor.outcome import RetryPolicy
from processor.settlement import RunPolicy
from processor.sign_of_life import SignOfLife
from processor.watchdog import Watchdog
from processor.work import Work, choose_work
from shared.jobstore.access import open_commands, open_live
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.fleet import Fleet
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import JobStore
from shared.objects.opening import open_store
from shared.retention import Retention
from shared.settings import ProcessorSettings
from shared.telemetry.admin import admin_server
from shared.telemetry.metrics import BacklogGauges, configure_metrics, report_dependencies

log = structlog.get_logger(__name__)


def processor_name() -> str:
    """Name this process for consumers, records and logs; new at every start, so that no old lease is its own."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


async def work(settings: ProcessorSettings) -> None:
    """Open the object stores and run one processor to its end."""
    async with AsyncExitStack() as stack:
        sources = await stack.enter_async_context(open_store(settings.sources))
        objects = await stack.enter_async_context(open_store(settings.objects))
        await Supervisor(settings, choose_work(settings, sources=sources, objects=objects)).run()


class Supervisor:
    """One processor process."""

    def __init__(self, settings: ProcessorSettings, work: Work) -> None:
        self._settings = settings
        self._upkeep = work.upkeep
        self._stores = work.stores
        self._name = processor_name()
        self._connection = open_commands(settings.redis_location(), name=self._name)
        self._store = JobStore(self._connection, partitions=settings.partitions)
        meter = configure_metrics("processor")
        self._gauges = BacklogGauges(meter, self._store)
        report_dependencies(meter, self._connection, self._stores)
        metrics = ProcessorMetrics(meter)
        policy = RunPolicy(
            processor=self._name,
            lease_ms=settings.lease_ms,
            renew_every_ms=settings.renew_every_ms,
            retention=Retention(settings.keep_seconds),
            retry=RetryPolicy(max_failures=settings.max_failures, base_ms=settings.retry_base_ms),
        )
        self._wake = asyncio.Event()
        # With several partitions a blocking read would wait for one of them only.
        reader = (
            BlockingReader(self._connection, partition=0, processor=self._name) if settings.partitions == 1 else None
        )
        self._consumer = Consumer(
            self._store,
            reader,
            processor=self._name,
            slots=settings.slots,
            may_work=work.can_be_done,
            new_execution=lambda: Execution(self._store, work, policy, metrics),
        )
        self._sign_of_life = SignOfLife(
            Fleet(self._connection),
            processor=self._name,
            slots=settings.slots,
            takes_work=lambda: self._is_prepared and not self._stopping.is_set() and work.can_be_done(),
        )
        self._live = open_live(
            self._connection,
            name=f"{self._name}-live",
            on_message=lambda _channel, _data: self._wake.set(),
            on_restored=self._wake.set,
        )
        self._sweeper = Sweeper(self._store, processor=self._name, lease_ms=settings.lease_ms)
        self._janitor = Janitor(
            self._store, work.objects, retention=policy.retention, metrics=metrics, processor=self._name
        )
        self._watchdog = Watchdog(lease_ms=settings.lease_ms, jobs_in_hand=self._consumer.jobs_in_hand)
        self._teller = Teller(
            DeadLetters(self._connection, partitions=settings.partitions),
            settings.admin_callback_url,
            AdminCallbackMetrics(meter),
            processor=self._name,
        )
        self._orphans = OrphanSearch(work.objects, metrics)
        self._admin = admin_server(settings.admin_host, settings.admin_port, self.problems)
        self._is_prepared = False
        self._stopping = asyncio.Event()

    def problems(self) -> list[str]:
        """Say why this process cannot work, a sentence each; none when it is ready."""
        problems = []
        if self._stopping.is_set():
            problems.append("This processor is stopping.")
        if self._connection.healthy_since is None:
            problems.append(f"Redis does not answer: {self._connection.last_trouble}.")
        elif not self._is_prepared:
            problems.append("The job store is being prepared.")
        return problems + [problem for store in self._stores for problem in store.problems()]

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then hand the running jobs back and return."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        log.info("processor starting", name=self._name, slots=self._settings.slots)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(part, name=name)
                for name, part in (
                    ("redis", self._connection.run()),
                    ("live", self._live.run()),
                    ("sweeper", self._sweeper.run()),
                    ("janitor", self._janitor.run()),
                    ("watchdog", self._watchdog.run()),
                    ("sign of life", self._sign_of_life.run()),
                    ("orphans", self._orphans.run()),
                    ("gauges", self._gauges.run()),
                    ("teller", self._teller.run()),
                    ("upkeep", self._upkeep()),
                    *((f"look at {store.name}", store.run()) for store in self._stores),
                )
            ]
            admin = group.create_task(self._admin.serve(), name="admin")
            preparing = group.create_task(self._store.prepare_when_reachable(), name="prepare")
            stopping = group.create_task(self._stopping.wait(), name="stopping")
            await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._is_prepared = preparing.done()
            background.append(preparing)
            stopping.cancel()
            background.append(group.create_task(self._pass_on_wakes(), name="wake"))
            await self._consumer.run()
            await self._sign_of_life.end()
            self._admin.should_exit = True
            await admin
            for part in background:
                part.cancel()
        log.info("processor stopped", name=self._name)

    def stop(self) -> None:
        """Begin to stop; running jobs are handed back uncounted."""
        self._stopping.set()
        self._consumer.stop()
        self._wake.set()

    async def _pass_on_wakes(self) -> None:
        # A channel that cannot be subscribed now stays wanted, and is when Redis is back.
        channels = map(self._live.subscribe, self._store.wake_channels())
        await asyncio.gather(*channels, return_exceptions=True)
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._consumer.wake()
