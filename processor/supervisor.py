"""The composition root of a processor: makes the parts, connects them, starts and stops them in order."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import structlog

from processor.callbacks.courier import Courier, Terms
from processor.callbacks.deliverer import Deliverer
from processor.callbacks.metrics import DeliveryMetrics
from processor.callbacks.name_look_up import NameLookUp
from processor.consumer import Consumer
from processor.drain import Drain
from processor.execution import Execution
from processor.maintenance.archives import ArchiveSearch
from processor.maintenance.janitor import Janitor
from processor.maintenance.orphans import OrphanSearch
from processor.maintenance.sweeper import Sweeper
from processor.metrics import ProcessorMetrics
from processor.outcome import RetryPolicy
from processor.settlement import RunPolicy
from processor.sign_of_life import SignOfLife
from processor.watchdog import Watchdog
from processor.work import Work, choose_work
from shared import limits
from shared.jobstore.access import open_commands, open_live
from shared.jobstore.fleet import Fleet
from shared.jobstore.outbox import Outbox
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import JobStore
from shared.objects.opening import open_store
from shared.objects.store import ObjectStore
from shared.processor_settings import ProcessorSettings
from shared.retention import Retention
from shared.telemetry.admin import admin_server
from shared.telemetry.metrics import configure_metrics, report_backlog, report_dependencies
from shared.telemetry.outbox_gauges import report_outbox

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
        self._store = JobStore(
            self._connection, partitions=settings.partitions, tells_admins=bool(settings.admin_callback_url)
        )
        meter = configure_metrics("processor")
        self._gauges = report_backlog(meter, self._store)
        report_dependencies(meter, self._store, self._stores)
        metrics = ProcessorMetrics(meter, deadline_seconds=settings.deadline_seconds)
        policy = RunPolicy(
            processor=self._name,
            lease_ms=settings.lease_ms,
            renew_every_ms=settings.renew_every_ms,
            retention=Retention(settings.keep_seconds),
            retry=RetryPolicy(max_failures=settings.max_failures, base_ms=settings.retry_base_ms),
        )
        self._drain = Drain(metrics)
        self._wake = asyncio.Event()
        self._consumer = Consumer(
            self._store,
            self._blocking_reader(),
            processor=self._name,
            slots=settings.slots,
            may_work=work.can_be_done,
            new_execution=lambda: Execution(self._store, work, policy, metrics),
            drain=self._drain,
        )
        metrics.observe(
            jobs_in_hand=lambda: len(self._consumer.jobs_in_hand()), drain_seconds=lambda: self._drain.seconds
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
            on_message=self._pass_on,
            on_restored=self._wake.set,
        )
        outbox = Outbox(self._store)
        self._outbox_channels = frozenset(outbox.wake_channels())
        self._outbox_gauges = report_outbox(meter, self._store)
        self._deliverer = self._make_deliverer(outbox, DeliveryMetrics(meter))
        self._watchdog = Watchdog(lease_ms=settings.lease_ms, jobs_in_hand=self._consumer.jobs_in_hand)
        self._offices = self._make_offices(work.objects, policy, metrics)
        self._is_prepared = False
        self._stopping = asyncio.Event()
        self._admin = admin_server(
            settings.admin_host, settings.admin_port, self.problems, is_stopping=self._stopping.is_set
        )
        self._duties: list[asyncio.Task[None]] = []

    def _blocking_reader(self) -> BlockingReader | None:
        """Make what waits for work; with several partitions it would wait for one of them only."""
        if self._settings.partitions > 1:
            return None
        return BlockingReader(self._connection, partition=0, processor=self._name)

    def _make_deliverer(self, outbox: Outbox, metrics: DeliveryMetrics) -> Deliverer:
        """Make what tells others of jobs' ends, on the operators' terms."""
        courier = Courier(Terms.of(self._settings), NameLookUp())
        schedule_seconds = self._settings.schedule_seconds
        return Deliverer(outbox, courier, metrics, processor=self._name, schedule_seconds=schedule_seconds)

    def _make_offices(
        self, objects: ObjectStore, policy: RunPolicy, metrics: ProcessorMetrics
    ) -> dict[str, Sweeper | Janitor | OrphanSearch | ArchiveSearch]:
        """Make what one processor does for all, by name."""
        store, name, retention = self._store, self._name, policy.retention
        return {
            "sweeper": Sweeper(store, processor=name, lease_ms=policy.lease_ms),
            "janitor": Janitor(store, objects, retention=retention, metrics=metrics, processor=name),
            "orphans": OrphanSearch(objects, metrics),
            "archives": ArchiveSearch(store, objects, retention=retention, metrics=metrics),
        }

    def problems(self) -> list[str]:
        """Say why this process cannot work, a sentence each; none when it is ready."""
        problems = []
        if self._stopping.is_set():
            jobs = len(self._consumer.jobs_in_hand())
            problems.append(f"This processor is draining: it takes no more jobs, and has {jobs} in hand.")
        if self._connection.healthy_since is None:
            problems.append(
                f"Redis does not answer: {self._connection.last_trouble} (REDIS_URL={self._connection.location.shown})."
            )
        elif not self._is_prepared:
            problems.append("The job store is being prepared.")
        return problems + [problem for store in self._stores for problem in store.problems()]

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then drain, hand back what still runs, and return."""
        log.info("processor starting", name=self._name, slots=self._settings.slots)
        with self._obeying_signals(asyncio.get_running_loop()):
            await self._work()
        log.info("processor stopped", name=self._name)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(part, name=name)
                for name, part in (
                    ("redis", self._connection.run()),
                    ("live", self._live.run()),
                    ("watchdog", self._watchdog.run()),
                    ("sign of life", self._sign_of_life.run()),
                    ("gauges", self._gauges.run()),
                    ("outbox gauges", self._outbox_gauges.run()),
                    ("upkeep", self._upkeep()),
                    *((f"look at {store.name}", store.run()) for store in self._stores),
                )
            ]
            self._duties = [group.create_task(office.run(), name=name) for name, office in self._offices.items()]
            delivering = group.create_task(self._deliverer.run(), name="deliverer")
            admin = group.create_task(self._admin.serve(), name="admin")
            preparing = group.create_task(self._store.prepare_when_reachable(), name="prepare")
            stopping = group.create_task(self._stopping.wait(), name="stopping")
            await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._is_prepared = preparing.done()
            background.append(preparing)
            stopping.cancel()
            background.append(group.create_task(self._pass_on_wakes(), name="wake"))
            await self._consumer.run()
            await asyncio.wait([delivering])  # it hands back what it has, for which Redis must be there yet
            await self._sign_of_life.end()
            self._admin.should_exit = True
            await admin
            for part in background:
                part.cancel()

    def drain(self) -> None:
        """Begin to stop: take no more jobs, and let those in hand go on for the time that is set."""
        self._end_duties()
        self._consumer.drain(within_seconds=self._settings.drain_seconds)

    def stop(self) -> None:
        """Stop now: running jobs are handed back uncounted."""
        self._end_duties()
        self._deliverer.hurry()
        self._consumer.stop()

    def _end_duties(self) -> None:
        """Do nothing for others any more; the consumer gives up the offices once nobody here asks for them again."""
        self._stopping.set()
        self._wake.set()
        self._deliverer.stop()
        for duty in self._duties:
            duty.cancel()

    @contextmanager
    def _obeying_signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        def note(number: int, _: object) -> None:
            # Not by the loop's own signal handlers: a handler that never yields keeps those from being called, and
            # this from nothing but passing the request on. From here on somebody counts the seconds.
            self._watchdog.insist_on_end(self._settings.stop_grace_seconds - limits.LAST_MOMENT_SECONDS)
            loop.call_soon_threadsafe(self._obey, number)

        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            signal.signal(number, note)
        try:
            yield
        finally:
            # All is said and done: one signal more would only spoil the exit code.
            for number in signals:
                signal.signal(number, signal.SIG_IGN)

    def _obey(self, number: int) -> None:
        """Drain when asked politely, once; who presses Ctrl-C, or asks again, does not want to wait."""
        if number == signal.SIGTERM and not self._stopping.is_set():
            self.drain()
        else:
            self.stop()

    def _pass_on(self, channel: str, _: bytes) -> None:
        if channel in self._outbox_channels:
            self._deliverer.wake()
        else:
            self._wake.set()

    async def _pass_on_wakes(self) -> None:
        # A channel that cannot be subscribed now stays wanted, and is when Redis is back.
        channels = map(self._live.subscribe, [*self._store.wake_channels(), *self._outbox_channels])
        await asyncio.gather(*channels, return_exceptions=True)
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._consumer.wake()
