"""POST with an Idempotency-Key over a real job store: the same answer, whatever befell the first call."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from deploy.local.valkey import EmbeddedValkey
from gateway.auth.caller import LOCAL
from gateway.idempotency_key import fingerprint_of
from shared.errors import RedisUnavailable
from shared.jobs import JobRequest
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.operations import Bounds, Created, NewJob, Refused
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.local_gateway import JOBS, LocalGateway, local_gateway
from tests.support.ports import free_ports
from tests.support.proxy import FaultProxy
from tests.support.servers import empty, full
from tests.support.stores import running_store

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
FILES = (70_000, 70_001)
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.fixture
def server(standalone_server: EmbeddedValkey) -> EmbeddedValkey:
    """The standalone server, which is empty."""
    empty(standalone_server)
    return standalone_server


@pytest_asyncio.fixture
async def store(server: EmbeddedValkey) -> AsyncIterator[JobStore]:
    """A job store."""
    async with running_store(server.url, partitions=1) as running:
        yield running


@pytest_asyncio.fixture
async def gateway(store: JobStore) -> AsyncIterator[LocalGateway]:
    """A gateway that knows both files."""
    async with local_gateway(store, *FILES) as running:
        yield running


class ResendingStore(JobStore):
    """A job store whose connection breaks behind each create: it is sent again, and the second reply arrives."""

    async def create_within(self, job: NewJob, bounds: Bounds) -> Created | Refused:
        """Create, and find what was created."""
        await super().create_within(job, bounds)
        return await super().create_within(job, bounds)


def answer_of(response: httpx.Response) -> tuple[int, bytes, str | None]:
    """Give what must be the same in all answers."""
    return response.status_code, response.content, response.headers.get("location")


async def count_jobs(store: JobStore) -> int:
    """Count the unfinished jobs."""
    return (await store.backlog(0)).unfinished


async def test_a_repetition_gets_the_first_answer_and_is_told_so(gateway: LocalGateway, store: JobStore) -> None:
    first = await gateway.post(*FILES, key=KEY)

    again = await gateway.post(*FILES, key=KEY)

    assert first.status_code == 202
    assert answer_of(again) == answer_of(first)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (await count_jobs(store), gateway.created()) == (1, 1)


async def test_both_answers_say_until_when_the_key_is_kept(gateway: LocalGateway) -> None:
    asked_at = datetime.now(UTC)

    answers = [await gateway.post(*FILES, key=KEY) for _ in range(2)]

    answered_at = datetime.now(UTC)
    for answer in answers:
        kept_until = parsedate_to_datetime(answer.headers["idempotency-key-expires"])
        assert asked_at - timedelta(seconds=1) < kept_until - timedelta(days=1) <= answered_at


async def test_without_a_key_nothing_is_said_of_one_and_each_call_makes_a_job(
    gateway: LocalGateway, store: JobStore
) -> None:
    answers = [await gateway.post(*FILES) for _ in range(2)]

    assert not [name for answer in answers for name in answer.headers if name.startswith("idempoten")]
    assert (await count_jobs(store), gateway.created()) == (2, 2)


async def test_the_key_is_the_same_with_and_without_quotes(gateway: LocalGateway, store: JobStore) -> None:
    answers = [await gateway.post(*FILES, key=key) for key in (KEY, f'"{KEY}"')]

    assert answer_of(answers[0]) == answer_of(answers[1])
    assert await count_jobs(store) == 1


async def test_a_request_is_what_it_asks_for_and_not_its_bytes(gateway: LocalGateway, store: JobStore) -> None:
    first = await gateway.post(*FILES, key=KEY)
    spelled = b'{ "on_missing":"fail",\n"archive_name": null, "file_ids":[70000, 70001] }'

    again = await gateway.http.post(
        JOBS, content=spelled, headers={"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": KEY}
    )

    assert answer_of(again) == answer_of(first)
    assert await count_jobs(store) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"file_ids": [70_000]},
        {"file_ids": [70_001, 70_000]},
        {"file_ids": FILES, "archive_name": "x"},
        {"file_ids": FILES, "on_missing": "skip"},
        {"file_ids": [70_000, 5]},
    ],
)
async def test_another_request_under_the_key_is_refused(
    gateway: LocalGateway, store: JobStore, other: dict[str, object]
) -> None:
    await gateway.post(*FILES, key=KEY)

    refused = await gateway.http.post(JOBS, json=other, headers={"Idempotency-Key": KEY})

    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count_jobs(store) == 1


async def test_a_refused_request_does_not_use_the_key_up(gateway: LocalGateway) -> None:
    refused = [await gateway.post(70_000, 5, key=KEY), await gateway.post(key=KEY)]

    accepted = await gateway.post(*FILES, key=KEY)

    assert [answer.json()["code"] for answer in refused] == ["UNKNOWN_FILES", "INVALID_REQUEST"]
    assert accepted.status_code == 202
    assert "idempotent-replayed" not in accepted.headers


async def test_a_hundred_calls_at_once_through_two_gateways_make_one_job(
    gateway: LocalGateway, store: JobStore
) -> None:
    async with local_gateway(store, *FILES) as other:
        answers = await asyncio.gather(*((gateway, other)[turn % 2].post(*FILES, key=KEY) for turn in range(100)))
        created = gateway.created() + other.created()

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count(None) == 1
    assert (await count_jobs(store), created) == (1, 1)


async def test_of_different_requests_at_once_under_one_key_one_is_accepted(
    gateway: LocalGateway, store: JobStore
) -> None:
    answers = await asyncio.gather(*(gateway.post(*FILES, key=KEY, archive_name=f"{turn}") for turn in range(20)))

    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 19
    assert await count_jobs(store) == 1


async def test_a_gateway_with_another_catalogue_gives_the_first_answer_too(
    gateway: LocalGateway, store: JobStore
) -> None:
    first = await gateway.post(*FILES, key=KEY)

    async with local_gateway(store, 5) as other:
        again = await other.post(*FILES, key=KEY)

    assert answer_of(again) == answer_of(first)


async def test_a_gateway_that_died_between_the_two_steps_leaves_a_job_to_be_made_by_the_repetition(
    gateway: LocalGateway, store: JobStore
) -> None:
    job_id = store.new_job_id()
    await IdempotencyKeys(store.connection, keep_ms=60_000).reserve(
        LOCAL.owner, KEY, job_id=job_id, fingerprint=fingerprint_of(JobRequest(file_ids=FILES))
    )

    answer = await gateway.post(*FILES, key=KEY)

    assert (answer.status_code, answer.json()["job_id"]) == (202, job_id)
    assert await store.find(job_id) is not None
    assert (await count_jobs(store), gateway.created()) == (1, 1)


async def test_after_a_partition_was_added_the_first_answer_stands(gateway: LocalGateway, store: JobStore) -> None:
    first = await gateway.post(*FILES, key=KEY)
    more = JobStore(store.connection, partitions=8)
    await more.prepare()

    async with local_gateway(more, *FILES) as other:
        answers = [await other.post(*FILES, key=KEY) for _ in range(10)]

    assert {answer.headers["location"] for answer in answers} == {first.headers["location"]}
    assert await count_jobs(store) == 1


async def test_a_job_that_was_deleted_meanwhile_is_given_again_and_is_gone(
    gateway: LocalGateway, store: JobStore
) -> None:
    first = await gateway.post(*FILES, key=KEY)
    await jobs.cancel(store, first.json()["job_id"], deletes=True)

    again = await gateway.post(*FILES, key=KEY)

    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert (await gateway.http.get(again.headers["location"])).status_code == 410
    assert await count_jobs(store) == 0


async def test_a_full_redis_is_told_and_the_repetition_heals_it(
    gateway: LocalGateway, store: JobStore, server: EmbeddedValkey
) -> None:
    with full(server):
        refused = await gateway.post(*FILES, key=KEY)

    accepted = await gateway.post(*FILES, key=KEY)

    assert (refused.status_code, refused.json()["code"]) == (503, "REDIS_FULL")
    assert accepted.status_code == 202
    assert await count_jobs(store) == 1


@pytest.mark.parametrize("replies_before", [0, 1, 2], ids=["find", "reserve", "create"])
async def test_a_reply_that_is_lost_with_its_redis_is_healed_by_the_repetition(
    server: EmbeddedValkey, replies_before: int
) -> None:
    [nobody] = free_ports(1)
    async with FaultProxy(server.port).listening() as wire, running_store(wire.url, partitions=1) as store:
        async with local_gateway(store, *FILES) as gateway:
            wire.lose_next_reply(after=replies_before)
            wire.server_port = nobody
            lost = await gateway.post(*FILES, key=KEY)
            wire.server_port = server.port
            healed = await jobs.insist(lambda: _accepted(gateway))

        assert wire.lost_replies == 1
        assert (lost.status_code, lost.json()["code"]) == (503, "REDIS_UNAVAILABLE")
        assert (healed.headers.get("idempotent-replayed") == "true") == (replies_before > 0)
        assert await count_jobs(store) == 1


async def _accepted(gateway: LocalGateway) -> httpx.Response:
    answer = await gateway.post(*FILES, key=KEY)
    if answer.status_code == 503:
        raise RedisUnavailable(answer.text)
    assert answer.status_code == 202
    return answer


@pytest.mark.parametrize("replies_before", [0, 1, 2], ids=["find", "reserve", "create"])
async def test_a_reply_that_is_lost_on_the_way_goes_unnoticed(server: EmbeddedValkey, replies_before: int) -> None:
    async with FaultProxy(server.port).listening() as wire, running_store(wire.url, partitions=1) as store:
        async with local_gateway(store, *FILES) as gateway:
            wire.lose_next_reply(after=replies_before)
            answer = await gateway.post(*FILES, key=KEY)

        assert wire.lost_replies == 1
        assert answer.status_code == 202
        assert "idempotent-replayed" not in answer.headers
        assert await count_jobs(store) == 1


async def test_several_keys_in_one_request_are_refused(gateway: LocalGateway, store: JobStore) -> None:
    headers = [("Idempotency-Key", KEY), ("Idempotency-Key", KEY)]

    refused = await gateway.http.post(JOBS, json={"file_ids": FILES}, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert await count_jobs(store) == 0


async def test_a_first_call_whose_reply_from_redis_was_lost_is_told_of_and_counted_once(store: JobStore) -> None:
    async with local_gateway(ResendingStore(store.connection, partitions=1), *FILES) as gateway:
        with capture_logs() as lines:
            answers = [await gateway.post(*FILES, key=KEY) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [202] * 3
        assert "idempotent-replayed" not in answers[0].headers
        assert [line["event"] for line in lines].count("job created") == 1
        assert gateway.created() == 1


async def test_a_ticket_that_comes_with_a_job_is_told_of_as_any_other(gateway: LocalGateway) -> None:
    with capture_logs() as lines:
        await gateway.post(*FILES, ticket=True)

    [line] = [line for line in lines if line["event"] == "ticket issued"]
    assert (line["jobs"], line["owner"], line["signed_with"]) == (1, LOCAL.owner, "k1")
