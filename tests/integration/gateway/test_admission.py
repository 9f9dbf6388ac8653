"""POST over a real job store: what owners and the service have room for, through two gateways."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest

from deploy.local.resp import ask
from gateway.auth.caller import LOCAL
from gateway.idempotency_key import fingerprint_of
from shared.gateway_settings import Allowance
from shared.jobs import JobRequest
from shared.jobstore import keys
from shared.jobstore.callback import DeliveryOutcome
from shared.jobstore.in_flight import count_in_flight
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from shared.limit_errors import TooManyCreates, TooManyJobsInFlight
from tests.support import inspection, jobs
from tests.support.cluster import Server, nodes_of
from tests.support.local_gateway import JOBS, LocalGateway, local_gateway
from tests.support.servers import full
from tests.support.stores import running_store

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
FILE = 70_000
URL = "https://hooks.example.org/waybill"


@contextlib.asynccontextmanager
async def two_gateways(
    store: JobStore, server: Server, allowance: Allowance
) -> AsyncIterator[tuple[LocalGateway, LocalGateway]]:
    """Give two gateways, the second one on connections of its own."""
    async with (
        running_store(server.url, partitions=store.partitions) as second,
        local_gateway(store, FILE, allowance=allowance) as one,
        local_gateway(second, FILE, allowance=allowance) as other,
    ):
        yield one, other


async def in_flight(store: JobStore) -> int:
    """Count the owner's jobs in flight."""
    return sum(await count_in_flight(store.connection, LOCAL.owner, range(store.partitions)))


async def unfinished(store: JobStore) -> int:
    """Count everybody's."""
    return sum([(await store.backlog(partition)).unfinished for partition in range(store.partitions)])


@contextlib.contextmanager
def nearly_full(server: Server) -> Iterator[None]:
    """Leave Redis a twentieth of what it has."""
    for node in nodes_of(server):
        memory = dict(line.split(":", 1) for line in ask(node.port, "INFO", "memory").splitlines() if ":" in line)
        ask(node.port, "CONFIG", "SET", "maxmemory", str(int(int(memory["used_memory"]) * 1.05)))
    try:
        yield
    finally:
        for node in nodes_of(server):
            ask(node.port, "CONFIG", "SET", "maxmemory", "0")


def codes(answers: Sequence[httpx.Response]) -> list[tuple[int, str | None]]:
    """Give the status and the code of each answer."""
    return [(answer.status_code, answer.json().get("code")) for answer in answers]


# ── jobs in flight ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_gateways_let_an_owner_have_as_many_jobs_in_flight_as_the_limit(
    store: JobStore, server: Server
) -> None:
    async with two_gateways(store, server, Allowance(jobs_in_flight=5)) as gateways:
        answers = [await gateways[turn % 2].post(FILE) for turn in range(8)]

    assert codes(answers) == [(202, None)] * 5 + [(429, "LIMIT_JOBS_IN_FLIGHT")] * 3
    assert (await in_flight(store), await unfinished(store)) == (5, 5)


async def test_creates_at_once_are_never_more_than_the_limit_in_one_partition(store: JobStore, server: Server) -> None:
    """In several, those that are under way at the same moment do not see each other: as many too many at most."""
    at_once = 12
    async with two_gateways(store, server, Allowance(jobs_in_flight=5)) as gateways:
        answers = await asyncio.gather(*(gateways[turn % 2].post(FILE) for turn in range(at_once)))

    accepted = [answer.status_code for answer in answers].count(202)
    assert accepted >= 5
    assert accepted == 5 or store.partitions > 1
    assert await in_flight(store) == accepted


async def test_a_limit_is_one_for_all_partitions_together(server: Server) -> None:
    async with (
        running_store(server.url, partitions=3) as store,
        local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=2)) as gateway,
    ):
        answers = [await gateway.post(FILE) for _ in range(20)]

        assert [answer.status_code for answer in answers] == [202] * 2 + [429] * 18
        assert await in_flight(store) == 2


async def test_a_job_that_ends_makes_room_for_another(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=1)) as gateway:
        first = await gateway.post(FILE)
        refused = await gateway.post(FILE)
        await jobs.cancel(store, first.json()["job_id"])
        accepted = await gateway.post(FILE)

    assert codes([first, refused, accepted]) == [(202, None), (429, "LIMIT_JOBS_IN_FLIGHT"), (202, None)]


async def test_a_refusal_says_which_limit_how_much_it_is_and_what_to_do(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=2, creates_per_minute=50)) as gateway:
        accepted = [await gateway.post(FILE) for _ in range(2)]
        refused = await gateway.post(FILE)

    policy = '"jobs-in-flight";q=2;qu="concurrent-requests", "creates";q=50;w=60'
    assert {answer.headers["ratelimit-policy"] for answer in [*accepted, refused]} == {policy}
    assert [answer.headers["ratelimit"] for answer in accepted] == [
        '"jobs-in-flight";r=1, "creates";r=49;t=60',
        '"jobs-in-flight";r=0, "creates";r=48;t=60',
    ]
    assert refused.headers["ratelimit"] == '"jobs-in-flight";r=0'
    assert "You have 2 unfinished jobs, and your limit is 2" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"


# ── creates in a minute ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_gateways_share_the_creates_of_a_minute(store: JobStore, server: Server) -> None:
    async with two_gateways(store, server, Allowance(creates_per_minute=10)) as gateways:
        answers = await asyncio.gather(*(gateways[turn % 2].post(FILE) for turn in range(30)))

    assert sorted(codes(answers), key=lambda one: one[0]) == [(202, None)] * 10 + [(429, "LIMIT_CREATES")] * 20
    assert await unfinished(store) == 10


async def test_one_create_too_many_is_told_when_there_is_room_again(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=1)) as gateway:
        await gateway.post(FILE)
        refused = await gateway.post(FILE)

    wait_seconds = int(refused.headers["retry-after"])
    assert 55 <= wait_seconds <= 60
    assert refused.headers["ratelimit"] == f'"creates";r=0;t={wait_seconds}'
    assert f"Wait {wait_seconds} s" in refused.json()["detail"]


async def test_a_create_that_is_refused_for_another_reason_does_not_count(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=1, creates_per_minute=2)) as gateway:
        first = await gateway.post(FILE)
        refused = [await gateway.post(FILE), await gateway.post(5), await gateway.post(FILE, key="k")]
        await jobs.cancel(store, first.json()["job_id"])
        accepted = await gateway.post(FILE)

    assert [code for _, code in codes(refused)] == ["LIMIT_JOBS_IN_FLIGHT", "UNKNOWN_FILES", "LIMIT_JOBS_IN_FLIGHT"]
    assert accepted.status_code == 202


# ── jobs that are begun anew ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ({"allowance": Allowance(jobs_in_flight=1)}, (429, "LIMIT_JOBS_IN_FLIGHT")),
        ({"allowance": Allowance(creates_per_minute=1)}, (429, "LIMIT_CREATES")),
        ({"max_backlog": 1}, (503, "BACKLOG_FULL")),
    ],
    ids=lambda value: "",
)
async def test_what_refuses_a_create_refuses_a_retry_which_leaves_nothing(
    server: Server, bound: dict[str, Any], code: tuple[int, str]
) -> None:
    async with running_store(server.url, partitions=1) as store, local_gateway(store, FILE, **bound) as gateway:
        run = await jobs.fail(store, owner=LOCAL.owner)
        created = await gateway.post(FILE)
        before = await inspection.everything(store.connection)
        refused = await gateway.retry(run.job_id)

        assert created.status_code == 202
        assert codes([refused]) == [code]
        assert int(refused.headers["retry-after"]) >= 1
        assert await inspection.everything(store.connection) == before
        assert gateway.retried() == 0


async def test_a_retry_finds_room_when_another_job_has_ended_and_counts_as_one_create(store: JobStore) -> None:
    run = await jobs.fail(store, owner=LOCAL.owner)
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=1, creates_per_minute=2)) as gateway:
        other = await gateway.post(FILE)
        refused = await gateway.retry(run.job_id)
        await jobs.cancel(store, other.json()["job_id"])
        begun = await gateway.retry(run.job_id)
        again = await gateway.retry(run.job_id)
        await jobs.cancel(store, run.job_id)
        one_too_many = await gateway.post(FILE)

    assert codes([refused, begun, again]) == [(429, "LIMIT_JOBS_IN_FLIGHT"), (202, None), (202, None)]
    assert codes([one_too_many]) == [(429, "LIMIT_CREATES")]


async def test_the_limit_of_a_retry_is_one_for_all_partitions_together(server: Server) -> None:
    async with (
        running_store(server.url, partitions=3) as store,
        local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=2)) as gateway,
    ):
        runs = [await jobs.fail(store, owner=LOCAL.owner) for _ in range(12)]
        answers = [await gateway.retry(run.job_id) for run in runs]

        assert [answer.status_code for answer in answers] == [202] * 2 + [429] * 10
        assert await in_flight(store) == 2


async def test_a_retry_is_refused_while_redis_is_nearly_full(store: JobStore, server: Server) -> None:
    run = await jobs.fail(store, owner=LOCAL.owner)
    async with local_gateway(store, FILE, headroom_percent=10) as gateway:
        with nearly_full(server):
            await gateway.queue.look()
            refused = await gateway.retry(run.job_id)

    assert codes([refused]) == [(503, "REDIS_NEARLY_FULL")]


async def test_of_two_retries_at_once_one_has_begun_the_job_and_is_counted(store: JobStore) -> None:
    run = await jobs.fail(store, owner=LOCAL.owner)
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=2)) as gateway:
        answers = await asyncio.gather(gateway.retry(run.job_id), gateway.retry(run.job_id))
        retried = gateway.retried()
        accepted = await gateway.post(FILE)

    assert codes(answers) == [(202, None)] * 2
    assert retried == 1
    assert accepted.status_code == 202, "the one that has begun nothing does not count"


# ── repetitions ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_repetition_under_a_key_is_neither_refused_nor_counted(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=2, creates_per_minute=2)) as gateway:
        first = await gateway.post(FILE, key="k")
        again = [await gateway.post(FILE, key="k") for _ in range(3)]
        second = await gateway.post(FILE)
        at_the_limit = await gateway.post(FILE, key="k")

    assert codes([first, *again, second, at_the_limit]) == [(202, None)] * 6
    assert {answer.headers["location"] for answer in [*again, at_the_limit]} == {first.headers["location"]}
    assert await in_flight(store) == 2


async def test_calls_at_once_under_one_key_count_as_one_create(store: JobStore, server: Server) -> None:
    async with two_gateways(store, server, Allowance(creates_per_minute=1)) as gateways:
        answers = await asyncio.gather(*(gateways[turn % 2].post(FILE, key="k") for turn in range(20)))

    assert codes(answers) == [(202, None)] * 20
    assert await unfinished(store) == 1


@pytest.mark.parametrize("allowance", [Allowance(jobs_in_flight=1), Allowance(creates_per_minute=1)])
async def test_a_refused_create_leaves_nothing_and_does_not_use_its_key_up(
    store: JobStore, allowance: Allowance
) -> None:
    async with local_gateway(store, FILE, 70_001, allowance=allowance) as gateway:
        await gateway.post(FILE)
        before = await inspection.everything(store.connection)
        refused = await gateway.post(FILE, key="k")
        after = await inspection.everything(store.connection)
    async with local_gateway(store, FILE, 70_001) as unbounded:
        accepted = await unbounded.post(70_001, key="k")

    assert refused.status_code == 429
    assert after == before
    assert accepted.status_code == 202
    assert "idempotent-replayed" not in accepted.headers


async def test_a_create_that_met_a_bound_with_its_key_taken_stays_counted(store: JobStore) -> None:
    """Its key makes the job within a day, without being counted again: given back, creates would be free."""
    partition = 0
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=1, creates_per_minute=1)) as gateway:
        job = jobs.new_job(store, partition=partition, owner=LOCAL.owner)
        permit = await gateway.admission.ask(LOCAL.owner, job.job_id, key="k")
        await jobs.create(store, partition=partition, owner=LOCAL.owner)  # somebody takes the last place meanwhile

        with pytest.raises(TooManyJobsInFlight):
            await gateway.admission.create(job, permit)

        with pytest.raises(TooManyCreates):
            await gateway.admission.ask_retry(LOCAL.owner, job.job_id)


async def test_a_create_that_was_refused_with_its_key_taken_succeeds_under_it_later(store: JobStore) -> None:
    """Another request under the key is none of it."""
    async with local_gateway(store, FILE, 70_001, allowance=Allowance(jobs_in_flight=1)) as gateway:
        other = await jobs.create(store, owner=LOCAL.owner)
        reserved = store.new_job_id()
        await gateway.keys.reserve(LOCAL.owner, "k", job_id=reserved, fingerprint=fingerprint_of(JobRequest((FILE,))))
        refused = await gateway.post(FILE, key="k")
        await jobs.cancel(store, other)
        different = await gateway.post(70_001, key="k")
        accepted = await gateway.post(FILE, key="k")

    assert codes([refused, different, accepted]) == [
        (429, "LIMIT_JOBS_IN_FLIGHT"),
        (422, "IDEMPOTENCY_KEY_REUSED"),
        (202, None),
    ]
    assert accepted.json()["job_id"] == reserved


async def test_a_create_for_which_a_partition_does_not_answer_does_not_count(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=9, creates_per_minute=1)) as gateway:
        await store.connection.execute("SET", keys.in_flight(0), "what no set is")
        unanswered = await gateway.post(FILE, key="k")
        await store.connection.execute("DEL", keys.in_flight(0))
        accepted = await gateway.post(FILE)

    assert unanswered.status_code == 503
    assert accepted.status_code == 202


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_full_backlog_refuses_creates_and_nothing_else(store: JobStore) -> None:
    most = 3 * store.partitions
    async with local_gateway(store, FILE, max_backlog=most) as gateway:
        answers = [await gateway.post(FILE, key=f"{turn}") for turn in range(10 * most)]
        first = next(answer for answer in answers if answer.status_code == 202)
        repeated = await gateway.post(FILE, key=f"{answers.index(first)}")
        read = await gateway.http.get(first.headers["location"])

    refused = [answer for answer in answers if answer.status_code != 202]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "BACKLOG_FULL")}
    assert all(1 <= int(answer.headers["retry-after"]) <= 300 for answer in refused)
    assert await unfinished(store) == most, "each partition is filled up to its share, and no further"
    assert (repeated.status_code, read.status_code) == (202, 200)


async def test_a_redis_that_is_nearly_full_refuses_creates_and_nothing_else(store: JobStore, server: Server) -> None:
    async with local_gateway(store, FILE, headroom_percent=10) as gateway:
        first = await gateway.post(FILE, key="first")
        with nearly_full(server):
            await gateway.queue.look()
            refused = [await gateway.post(FILE), await gateway.post(FILE, key="second")]
            repeated = await gateway.post(FILE, key="first")
            read = await gateway.http.get(first.headers["location"])
            refusals = gateway.refused_creates("memory")
        await gateway.queue.look()
        accepted = await gateway.post(FILE, key="second")

    assert codes(refused) == [(503, "REDIS_NEARLY_FULL")] * 2
    assert all(30 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    assert (repeated.status_code, read.status_code, accepted.status_code) == (202, 200, 202)
    assert refusals == 2


async def test_a_redis_that_is_full_is_told_and_counted_and_leaves_no_create_of_the_minute(
    store: JobStore, server: Server
) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=1)) as gateway:
        with full(server):
            refused = await gateway.post(FILE)
        refusals = gateway.refused_creates("redis_full")
        accepted = await gateway.post(FILE)

    assert codes([refused, accepted]) == [(503, "REDIS_FULL"), (202, None)]
    assert refusals == 1


async def test_a_redis_without_a_bound_is_never_nearly_full(store: JobStore) -> None:
    async with local_gateway(store, FILE, headroom_percent=90) as gateway:
        await gateway.queue.look()

        assert (await gateway.post(FILE)).status_code == 202


async def test_refused_creates_do_not_move_the_line_of_the_others(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(jobs_in_flight=1)) as gateway:
        await gateway.queue.look()
        first = await gateway.post(FILE)
        for _ in range(20):
            await gateway.post(FILE)
        await jobs.cancel(store, first.json()["job_id"])
        accepted = await gateway.post(FILE)

    assert accepted.json()["queue_position"] <= 2 * store.partitions


async def test_refusals_are_counted_by_their_reason(store: JobStore) -> None:
    allowance = Allowance(jobs_in_flight=1, creates_per_minute=2)
    async with local_gateway(store, FILE, allowance=allowance) as gateway:
        await gateway.http.post(JOBS, json={"file_ids": [FILE]})
        await gateway.post(FILE)

        assert gateway.refused_creates("jobs_in_flight") == 1
        assert gateway.refused_creates("creates") == 0


# ── callbacks that wait ───────────────────────────────────────────────────────────────────────────────────────────────


async def let_wait(store: JobStore, count: int = 1) -> list[str]:
    """Let callbacks of the owner wait, each of a job that has failed."""
    runs = [await jobs.fail(store, owner=LOCAL.owner, callback_url=URL) for _ in range(count)]
    return [run.job_id for run in runs]


async def give_up(store: JobStore, job_id: str) -> None:
    """Let the callback of a job that is due be tried no more."""
    outbox, partition = Outbox(store), jobs.partition_number(job_id)
    for taken in await outbox.take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10):
        if taken.name.job_id == job_id:
            await outbox.give_up(taken, DeliveryOutcome(at_ms=1, duration_ms=2, status=410))
        else:
            await outbox.release(taken)


async def test_two_gateways_let_as_many_callbacks_wait_as_the_limit_and_take_jobs_without_one(
    store: JobStore, server: Server
) -> None:
    await let_wait(store, 3)
    async with two_gateways(store, server, Allowance(callbacks_waiting=3, creates_per_minute=10)) as gateways:
        refused = [await gateway.post(FILE, callback_url=URL) for gateway in gateways]
        refused.append(await gateways[0].post(FILE, key="k", callback_url=URL))
        silent = await gateways[1].post(FILE)

        assert gateways[0].refused_creates("callbacks_waiting") == 2

    assert codes([*refused, silent]) == [(429, "LIMIT_CALLBACKS_WAITING")] * 3 + [(202, None)]
    assert silent.headers["ratelimit"] == '"creates";r=9;t=60', "what is refused does not count"
    assert await unfinished(store) == 1


async def test_a_refusal_for_callbacks_says_how_many_may_wait_and_what_to_do(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(callbacks_waiting=2)) as gateway:
        await let_wait(store)
        accepted = await gateway.post(FILE, callback_url=URL)
        await let_wait(store)
        refused = await gateway.post(FILE, callback_url=URL)

    policy = '"callbacks-waiting";q=2;qu="concurrent-requests"'
    assert [answer.headers["ratelimit-policy"] for answer in (accepted, refused)] == [policy] * 2
    assert [answer.headers["ratelimit"] for answer in (accepted, refused)] == [
        '"callbacks-waiting";r=1',
        '"callbacks-waiting";r=0',
    ]
    assert refused.json()["detail"].startswith("2 callbacks of yours wait to be delivered, which is your limit")
    assert "or create jobs without callback_url" in refused.json()["detail"]
    assert 60 <= int(refused.headers["retry-after"]) <= 120


async def test_a_create_that_waited_for_its_end_is_told_the_limits_and_not_what_was_left_before(
    store: JobStore,
) -> None:
    limit = Allowance(jobs_in_flight=5, creates_per_minute=10, callbacks_waiting=2)
    async with local_gateway(store, FILE, allowance=limit) as gateway:
        first = await gateway.post(FILE, key="k", callback_url=URL)
        await jobs.cancel(store, first.json()["job_id"])
        gateway.http.headers["prefer"] = "wait=20"
        ended = await gateway.post(FILE, key="k", callback_url=URL)

    assert (first.status_code, ended.status_code) == (202, 200)
    assert ended.headers["ratelimit-policy"] == first.headers["ratelimit-policy"]
    assert '"callbacks-waiting";q=2' in first.headers["ratelimit-policy"]
    assert "ratelimit" not in ended.headers, "and a repetition counts among no creates"


async def test_a_key_that_met_the_limit_of_callbacks_is_not_used_up(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(callbacks_waiting=1)) as gateway:
        [waiting] = await let_wait(store)
        refused = await gateway.post(FILE, key="k", callback_url=URL)
        await give_up(store, waiting)
        accepted = await gateway.post(FILE, key="k", callback_url=URL)
        await let_wait(store)
        again = await gateway.post(FILE, key="k", callback_url=URL)

    assert codes([refused, accepted, again]) == [(429, "LIMIT_CALLBACKS_WAITING"), (202, None), (202, None)]
    assert "idempotent-replayed" not in accepted.headers
    assert (again.headers["idempotent-replayed"], again.json()["job_id"]) == ("true", accepted.json()["job_id"])


async def test_a_retry_and_a_redelivery_meet_the_limit_of_callbacks_where_one_more_would_wait(store: JobStore) -> None:
    allowance = Allowance(callbacks_waiting=2, creates_per_minute=10)
    async with local_gateway(store, FILE, allowance=allowance) as gateway:
        [given_up] = await let_wait(store)
        await give_up(store, given_up)
        waiting = await let_wait(store, 2)
        silent = await jobs.fail(store, owner=LOCAL.owner)

        refused = [await gateway.retry(given_up), await gateway.redeliver(given_up)]
        done = [
            await gateway.redeliver(waiting[0]),
            await gateway.retry(waiting[1]),
            await gateway.retry(silent.job_id),
        ]

        assert gateway.refused_creates("callbacks_waiting") == 2

    assert codes([*refused, *done]) == [(429, "LIMIT_CALLBACKS_WAITING")] * 2 + [(202, None)] * 3


async def test_the_limit_of_callbacks_is_one_for_all_partitions_together(server: Server) -> None:
    async with (
        running_store(server.url, partitions=3) as store,
        local_gateway(store, FILE, allowance=Allowance(callbacks_waiting=3)) as gateway,
    ):
        for partition in range(3):
            await jobs.fail(store, partition=partition, owner=LOCAL.owner, callback_url=URL)
        [given_up] = await let_wait(store)
        await give_up(store, given_up)

        answers = [await gateway.post(FILE, callback_url=URL) for _ in range(5)]
        answers += [await gateway.retry(given_up), await gateway.redeliver(given_up)]

    assert codes(answers) == [(429, "LIMIT_CALLBACKS_WAITING")] * 7
