"""The janitor repairs what does not fit together, page by page, and tells and counts each repair."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from processor.maintenance.inspector import Inspector
from processor.metrics import ProcessorMetrics
from shared import limits
from shared.errors import RedisRefused
from shared.jobstore import keys
from shared.jobstore.consistency import Kind
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.stores import running_store


class Counted(ProcessorMetrics):
    """The metrics, with the repairs in reach."""

    def __init__(self) -> None:
        self.repairs: list[str] = []
        self.dropped = 0
        super().__init__(NoOpMeter("test"))

    def count_repair(self, kind: str) -> None:
        """Count here too."""
        self.repairs.append(kind)
        super().count_repair(kind)

    def count_dropped_consumers(self, consumers: int) -> None:
        """Count here too."""
        self.dropped += consumers
        super().count_dropped_consumers(consumers)


@pytest_asyncio.fixture
async def single(redis_url: str) -> AsyncIterator[JobStore]:
    """A store with one partition."""
    async with running_store(redis_url, partitions=1) as store:
        yield store


async def take_round(inspector: Inspector) -> int:
    """Let a round go on to its end; give its pages."""
    pages = 0
    while await inspector.inspect(0):
        pages += 1
    return pages


async def lose_entry(store: JobStore) -> str:
    """Create a job whose entry is lost."""
    job_id = await jobs.create(store)
    record = await store.find(job_id)
    assert record is not None
    await store.connection.execute("XDEL", keys.commands(0), record.entry)
    return job_id


async def test_a_job_that_nobody_would_have_found_is_repaired_told_and_counted_once(single: JobStore) -> None:
    job_id, metrics = await lose_entry(single), Counted()
    inspector = Inspector(single, metrics)

    with capture_logs() as lines:
        await take_round(inspector)
        await take_round(inspector)

    [line] = lines
    assert (line["event"], line["log_level"]) == ("job store repaired", "warning")
    assert (line["job_id"], line["kind"]) == (job_id, "record_without_entry")
    assert metrics.repairs == ["record_without_entry"]
    assert list((await inspection.commands(single, 0)).values()) == [job_id]


async def test_a_round_is_taken_in_bounded_pages(single: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSISTENCY_PAGE_JOBS", 10)
    for _ in range(50):
        await jobs.create(single)

    assert await take_round(Inspector(single, Counted())) >= 10


async def test_what_cannot_be_repaired_is_told_in_every_round(single: JobStore) -> None:
    await single.connection.execute("SET", keys.record(0, single.new_job_id()), "x")
    metrics = Counted()
    inspector = Inspector(single, metrics)

    with capture_logs() as lines:
        for _ in range(2):
            await take_round(inspector)

    assert [line["log_level"] for line in lines] == ["error"] * 2
    assert metrics.repairs == [Kind.RECORD_UNREADABLE] * 2


async def test_a_round_removes_the_consumers_of_the_dead(single: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSUMER_GONE_AFTER_MS", 0)
    await single.finish(await jobs.start(single), jobs.completion())
    metrics = Counted()

    await take_round(Inspector(single, metrics))

    assert metrics.dropped == 1


@pytest.mark.parametrize(
    "refusal",
    [
        "NOPERM User u has no permissions to run the 'scan' command.",
        "ACL failure in script: User u has no permissions to run the 'hlen' command.",  # Valkey 9
        "The user executing the script can't run this command or subcommand.",  # Redis 7.0
    ],
)
async def test_a_user_who_may_not_is_told_and_the_round_is_over(
    single: JobStore, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    job_id = await lose_entry(single)
    execute = single.connection.execute

    async def refuse(*arguments: str | bytes | int, **options: object) -> object:
        if arguments[0] == "SCAN":
            raise RedisRefused(f"Redis refuses the operation: {refusal}")
        return await execute(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(single.connection, "execute", refuse)
    with capture_logs() as lines:
        await take_round(Inspector(single, Counted()))

    [line] = lines
    assert line["event"] == "cannot inspect the job store"
    assert line["advice"] == "docs/redis.md has what its user must be let do."
    assert job_id not in (await inspection.commands(single, 0)).values()


async def test_a_refusal_at_the_beginning_of_a_round_is_told_and_the_next_one_is_due_later(
    single: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOST_RUN_AFTER_MS", 0)
    monkeypatch.setattr(limits, "INSPECTION_EVERY_SECONDS", 0.0)
    inspector = Inspector(single, Counted())
    await inspector.step(0)  # becomes due at once, begins, and goes on to its end
    while await inspector.inspect(0):
        pass
    monkeypatch.setattr(limits, "INSPECTION_EVERY_SECONDS", 3_600.0)

    async def refuse(*_arguments: object) -> object:
        raise RedisRefused("Redis refuses the operation: MISCONF.")

    monkeypatch.setattr(single.connection, "run_script", refuse)
    with capture_logs() as lines:
        for _ in range(5):
            await inspector.step(0)

    [line] = lines
    assert (line["event"], line["log_level"]) == ("cannot inspect the job store", "warning")
    assert "advice" not in line, "the right to SCAN is not what is missing"


async def test_a_round_begins_when_it_is_due_and_not_again_at_once(
    single: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOST_RUN_AFTER_MS", 0)
    monkeypatch.setattr(limits, "INSPECTION_EVERY_SECONDS", 0.0)
    metrics = Counted()
    inspector = Inspector(single, metrics)
    await lose_entry(single)

    await inspector.step(0)  # becomes due at once, and begins
    monkeypatch.setattr(limits, "INSPECTION_EVERY_SECONDS", 3_600.0)
    for _ in range(20):
        await inspector.step(0)
    assert len(metrics.repairs) == 1
    await lose_entry(single)
    for _ in range(20):
        await inspector.step(0)

    assert len(metrics.repairs) == 1


async def test_nothing_is_repaired_right_after_an_outage(single: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INSPECTION_EVERY_SECONDS", 0.0)
    metrics = Counted()
    inspector = Inspector(single, metrics)
    await lose_entry(single)

    for _ in range(20):
        await inspector.step(0)

    assert metrics.repairs == []
