"""What the terminal script learns from jobs that end: the same as its model in Python, from completed runs alone."""

import random

import msgspec
import pytest

from shared import clock
from shared.jobstore import keys
from shared.jobstore.line import read_line
from shared.jobstore.operations import Ending, Run
from shared.jobstore.service_times import Moments
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.learned import Learned

HOUR_MS = 3_600_000


async def end(
    store: JobStore,
    ending: Ending,
    *,
    ran_ms: int,
    waited_ms: int = 0,
    size_bytes: int | None = None,
    promised_ms: int | None = None,
) -> None:
    """End a job of partition 0 that has run for so long, after it had waited for so long."""
    new = jobs.new_job(store, partition=0)
    await store.create(msgspec.structs.replace(new, expected_bytes=size_bytes, promised_ms=promised_ms))
    run = await jobs.claim(store, await jobs.take(store, new.job_id))
    await _began(store, run, ran_ms=ran_ms, waited_ms=waited_ms)
    await store.finish(run, ending)


async def _began(store: JobStore, run: Run, *, ran_ms: int, waited_ms: int) -> None:
    run_at_ms = clock.now_ms() - ran_ms
    record = keys.of_job(0, run.job_id).record
    times = ("run_at", run_at_ms, "started_at", run_at_ms, "created_at", run_at_ms - waited_ms)
    await store.connection.execute("HSET", record, *times)


async def test_the_script_learns_what_its_model_does(store: JobStore) -> None:
    chance, model = random.Random(1), Learned()

    for number in range(30):
        ran_ms, waited_ms = chance.randrange(60_000, HOUR_MS), chance.randrange(HOUR_MS)
        size_bytes = chance.randrange(10**10) if number % 3 else None
        promised_ms = chance.randrange(60_000, HOUR_MS) if number % 4 else None
        await end(
            store, jobs.completion(), ran_ms=ran_ms, waited_ms=waited_ms, size_bytes=size_bytes, promised_ms=promised_ms
        )
        took_ms = ran_ms + waited_ms
        model.take(service_ms=ran_ms, size_bytes=size_bytes, took_ms=took_ms, promised_ms=promised_ms)

    learned, expected = (await read_line(store, 0)).times, model.times()
    assert learned.mean_ms == pytest.approx(expected.mean_ms, rel=0.01)
    assert learned.miss == pytest.approx(expected.miss, rel=0.01)
    assert learned.moments is not None
    assert list(learned.moments) == pytest.approx(list(expected.moments or ()), rel=0.01)


@pytest.mark.parametrize("ending", [jobs.failure(), jobs.cancellation()], ids=["failed", "cancelled"])
async def test_nothing_is_learned_from_a_job_that_made_nothing(store: JobStore, ending: Ending) -> None:
    await end(store, ending, ran_ms=HOUR_MS, size_bytes=1_000_000, promised_ms=1_000)

    assert (await read_line(store, 0)).times == (None, None, None)


async def test_the_time_between_two_runs_is_no_work(store: JobStore) -> None:
    first = await jobs.start(store, partition=0)
    await _began(store, first, ran_ms=HOUR_MS, waited_ms=0)
    second = await jobs.take_over(store, first)

    await store.finish(second, jobs.completion())

    mean_ms = (await read_line(store, 0)).times.mean_ms
    assert mean_ms is not None
    assert mean_ms < HOUR_MS / 2


@pytest.mark.parametrize("learned", ["", "1 2", "a b c d e f g h i j", "nan 0 0 0 0 0 0 0 0 0", "1 0 0 -5 0 0 0 0 0 0"])
async def test_what_cannot_be_read_is_not_known(store: JobStore, learned: str) -> None:
    await store.connection.execute("HSET", keys.stats(0), "learned", learned)

    assert (await read_line(store, 0)).times == (None, None, None)


async def test_a_size_is_read_off_what_sizes_took(store: JobStore) -> None:
    for size_mb in (10, 1_000, 100, 5_000):
        await end(store, jobs.completion(), ran_ms=2_000 + 50 * size_mb, size_bytes=size_mb * 1_000_000)

    times = (await read_line(store, 0)).times

    assert times.of(2_000_000_000) == pytest.approx(102_000, rel=0.02)
    assert times.of(10_000) == pytest.approx(2_000, rel=0.05)
    assert times.of(None) == times.mean_ms
    assert isinstance(times.moments, Moments)
