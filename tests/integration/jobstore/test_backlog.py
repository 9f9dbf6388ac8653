"""backlog: the numbers that processors are scaled by."""

from shared.jobstore.operations import Backlog
from shared.jobstore.store import JobStore
from tests.support import jobs


async def test_backlog_of_an_empty_partition_is_all_zero(store: JobStore) -> None:
    for partition in range(store.partitions):
        assert await store.backlog(partition) == Backlog(0, 0, 0, 0, 0, 0)


async def test_backlog_counts_waiting_running_parked_and_ready_jobs(store: JobStore) -> None:
    runs = [await jobs.start(store, partition=0, processor=f"p{n}") for n in range(5)]
    for _ in range(2):
        await jobs.create(store, partition=0)
    await store.retry_later(runs[0], message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    await store.release(runs[1], message=jobs.RELEASED)
    await store.finish(runs[2], jobs.failure())

    backlog = await store.backlog(0)

    assert (backlog.unfinished, backlog.waiting, backlog.running, backlog.parked, backlog.ready) == (6, 2, 2, 1, 1)
    assert backlog.dead_letters == 1
    assert 0 <= backlog.oldest_waiting_ms < 60_000


async def wait_until_it_waits(store: JobStore) -> Backlog:
    """Give the backlog once its oldest waiting job has an age: a millisecond after it came."""
    looks = [await store.backlog(0)]
    while looks[-1].oldest_waiting_ms == 0:
        looks.append(await store.backlog(0))
    return looks[-1]


async def test_oldest_unfinished_job_counts_whether_it_waits_or_runs(store: JobStore) -> None:
    run = await jobs.start(store, partition=0)
    age_ms = (await store.backlog(0)).oldest_unfinished_ms
    await jobs.create(store, partition=0)
    look = await wait_until_it_waits(store)

    assert 0 <= age_ms <= look.oldest_unfinished_ms
    assert look.oldest_unfinished_ms >= look.oldest_waiting_ms > 0

    await store.finish(run, jobs.completion())
    rest = await store.backlog(0)

    assert rest.oldest_unfinished_ms == rest.oldest_waiting_ms


async def test_backlog_of_one_partition_does_not_count_the_others(store: JobStore) -> None:
    for partition in range(store.partitions):
        for _ in range(partition + 1):
            await jobs.create(store, partition=partition)

    counted = [(await store.backlog(partition)).unfinished for partition in range(store.partitions)]

    assert counted == [partition + 1 for partition in range(store.partitions)]


async def test_xlen_is_the_number_of_unfinished_jobs_at_every_step_of_a_life(store: JobStore) -> None:
    lengths = []
    run = await jobs.start(store, partition=0)
    lengths.append((await store.backlog(0)).unfinished)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    lengths.append((await store.backlog(0)).unfinished)
    await jobs.sweep(store, 0)
    run = await jobs.take_over(store, await jobs.claim(store, await jobs.take(store, run.job_id)))
    lengths.append((await store.backlog(0)).unfinished)
    await store.release(run, message=jobs.RELEASED)
    lengths.append((await store.backlog(0)).unfinished)
    await store.finish(await jobs.claim(store, await jobs.take(store, run.job_id)), jobs.completion())
    lengths.append((await store.backlog(0)).unfinished)

    assert lengths == [1, 1, 1, 1, 0]
