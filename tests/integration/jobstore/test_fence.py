"""The fence: a run is fenced by epoch AND token AND state, and whoever is superseded touches nothing."""

from collections.abc import Awaitable, Callable

import pytest

from shared.jobstore.operations import Answer, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs

Operation = Callable[[JobStore, Run], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {
    "append_progress": lambda store, run: store.append_progress(
        run, seq=run.record.seq + 1, message=jobs.progress(0.5)
    ),
    "renew": lambda store, run: store.renew(run, processor="zombie", lease_ms=1),
    "retry_later": lambda store, run: store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS
    ),
    "release": lambda store, run: store.release(run, message=jobs.RELEASED),
    "finish_completed": lambda store, run: store.finish(run, jobs.completion()),
    "finish_failed": lambda store, run: store.finish(run, jobs.failure()),
}


@pytest.fixture(params=list(OPERATIONS.values()), ids=list(OPERATIONS))
def operation(request: pytest.FixtureRequest) -> Operation:
    """Each operation of a run."""
    chosen: Operation = request.param
    return chosen


async def test_a_superseded_run_answers_stale_and_touches_nothing(store: JobStore, operation: Operation) -> None:
    superseded = await jobs.start(store)
    await jobs.take_over(store, superseded)
    before = await inspection.everything_about(store, superseded.job_id)

    answer = await operation(store, superseded)

    assert answer is Answer.STALE
    assert await inspection.everything_about(store, superseded.job_id) == before


async def test_a_run_whose_job_another_one_ended_answers_stale(store: JobStore, operation: Operation) -> None:
    superseded = await jobs.start(store)
    await store.finish(await jobs.take_over(store, superseded), jobs.completion())
    before = await inspection.everything_about(store, superseded.job_id)

    answer = await operation(store, superseded)

    assert answer is Answer.STALE
    assert await inspection.everything_about(store, superseded.job_id) == before


@pytest.mark.parametrize("offset", [-1, 1])
async def test_the_right_token_with_another_epoch_is_not_enough(
    store: JobStore, operation: Operation, offset: int
) -> None:
    run = await jobs.start(store)
    before = await inspection.everything_about(store, run.job_id)

    answer = await operation(store, run._replace(epoch=run.epoch + offset))

    assert answer is Answer.STALE
    assert await inspection.everything_about(store, run.job_id) == before


@pytest.mark.parametrize("token", ["", "another"])
async def test_the_right_epoch_with_another_token_is_not_enough(
    store: JobStore, operation: Operation, token: str
) -> None:
    run = await jobs.start(store)
    before = await inspection.everything_about(store, run.job_id)

    answer = await operation(store, run._replace(token=token))

    assert answer is Answer.STALE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_the_right_epoch_and_token_in_another_state_are_not_enough(store: JobStore, operation: Operation) -> None:
    run = await jobs.start(store)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    before = await inspection.everything_about(store, run.job_id)

    answer = await operation(store, run)

    assert answer is Answer.DONE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_the_run_that_took_over_is_not_disturbed_by_the_one_before(store: JobStore, operation: Operation) -> None:
    superseded = await jobs.start(store, processor="p1")
    current = await jobs.take_over(store, superseded, processor="p2")

    await operation(store, superseded)

    assert await store.append_progress(current, seq=4, message=jobs.progress(0.5)) is Answer.OK
    assert await store.finish(current, jobs.completion()) is Answer.OK
