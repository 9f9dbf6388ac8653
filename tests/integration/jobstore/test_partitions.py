"""prepare: all processes agree on the number of partitions, which may rise and never fall."""

import pytest

from shared.errors import SettingsError
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server


async def test_prepare_repeated_changes_nothing(store: JobStore) -> None:
    job_id = await jobs.create(store)
    before = await inspection.everything_about(store, job_id)

    await store.prepare()

    assert await inspection.everything_about(store, job_id) == before


async def test_prepare_with_fewer_partitions_is_refused_with_the_number_to_set(store: JobStore) -> None:
    more = JobStore(store.connection, partitions=store.partitions + 3)
    await more.prepare()

    with pytest.raises(SettingsError, match=f"WAYBILL_PARTITIONS={store.partitions}: .* set it to {more.partitions}"):
        await store.prepare()


async def test_prepare_with_more_partitions_finds_all_jobs_from_before(store: JobStore) -> None:
    job_ids = [await jobs.create(store, partition=partition) for partition in range(store.partitions)]

    more = JobStore(store.connection, partitions=16)
    await more.prepare()

    for job_id in job_ids:
        assert await more.find(job_id) is not None
        await more.finish(await jobs.claim(more, await jobs.take(more, job_id)), jobs.completion())
    job_id = await jobs.create(more, partition=15)
    assert (await jobs.take(more, job_id)).job_id == job_id


async def test_prepare_keeps_entries_that_are_older_than_their_group(store: JobStore, server: Server) -> None:
    await store.connection.execute("XGROUP", "DESTROY", "waybill:{0}:commands", "processors")
    job_id = await jobs.create(store, partition=0)

    await store.prepare()

    assert (await jobs.take(store, job_id)).job_id == job_id
