"""What owners see of their callbacks, and how they have them told again, over a real job store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.auth.caller import LOCAL
from shared import limits
from shared.callbacks.target import CallbackRules
from shared.gateway_settings import Allowance
from shared.jobstore import keys
from shared.jobstore.callback import DeliveryOutcome, TakenCallback
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.local_gateway import LocalGateway, local_gateway

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
FILE = 70_000
URL = "https://shop.example.org/downloads?of=me"
AWAY = DeliveryOutcome(at_ms=1_800_000_000_000, duration_ms=10_000, error="It did not answer within 10 s.")
BUSY = DeliveryOutcome(at_ms=1_800_000_005_000, duration_ms=30, status=503)
HEARD = DeliveryOutcome(at_ms=1_800_000_010_000, duration_ms=20, status=204)


@pytest_asyncio.fixture
async def gateway(store: JobStore) -> AsyncIterator[LocalGateway]:
    """A gateway whose owner may create ten jobs a minute."""
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=10)) as running:
        yield running


async def created(gateway: LocalGateway, **more: Any) -> str:
    """Create a job; give its id."""
    response = await gateway.post(FILE, **more)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["job_id"]
    return job_id


async def take(store: JobStore, job_id: str) -> TakenCallback:
    """Take the callback that is due."""
    partition = jobs.partition_number(job_id)
    [taken] = await Outbox(store).take(partition, "d1", lease_ms=jobs.LEASE_MS, count=10)
    return taken


async def test_create_names_where_its_callback_is_seen(gateway: LocalGateway) -> None:
    told, silent = (await gateway.post(FILE, callback_url=URL)).json(), (await gateway.post(FILE)).json()

    assert told["deliveries_url"] == f"/v1/download/jobs/{told['job_id']}/deliveries"
    assert silent["deliveries_url"] is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://shop.example.org/", "must begin with https://"),
        ("https://127.0.0.1/", "leads to 127.0.0.1"),
        ("https://169.254.169.254/latest/meta-data/", "leads to 169.254.169.254"),
        ("https://localhost/", "host of one word"),
        ("https://user:secret@shop.example.org/", "has a user in it"),
        ("https://shop.example.org:22/", "has the port 22"),
        ("", "callback_url must be an https:// address of 1 to 2,048 characters"),
        (7, "callback_url must be an https:// address"),
    ],
)
async def test_url_to_which_none_may_go_is_refused_before_there_is_a_job(
    gateway: LocalGateway, store: JobStore, url: object, words: str
) -> None:
    response = await gateway.post(FILE, callback_url=url)

    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST")
    assert words in response.json()["detail"]
    assert [(await store.backlog(number)).unfinished for number in range(store.partitions)] == [0] * store.partitions


async def test_another_url_is_another_request_under_the_same_key(gateway: LocalGateway) -> None:
    first = await gateway.post(FILE, key="k", callback_url=URL)
    same = await gateway.post(FILE, key="k", callback_url=URL)
    other = await gateway.post(FILE, key="k", callback_url="https://other.example.org/")

    assert same.json()["job_id"] == first.json()["job_id"]
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert "archive_name, on_missing and callback_url" in other.json()["detail"]


async def test_repetition_is_answered_as_at_first_though_the_rules_have_changed(store: JobStore) -> None:
    url = "https://Shop.example.org:8443/downloads"
    async with local_gateway(store, FILE, callback_rules=CallbackRules(ports=(range(8443, 8444),))) as before:
        first = await before.post(FILE, key="k", callback_url=url)

    async with local_gateway(store, FILE) as gateway:
        again = await gateway.post(FILE, key="k", callback_url=url)
        new = await gateway.post(FILE, key="another", callback_url=url)

    assert (first.status_code, again.status_code, again.json()["job_id"]) == (202, 202, first.json()["job_id"])
    assert (new.status_code, new.json()["code"]) == (422, "INVALID_REQUEST")


async def test_tries_are_shown_from_the_end_of_the_job_to_the_answer(gateway: LocalGateway, store: JobStore) -> None:
    job_id = await created(gateway, callback_url=URL)
    before = await gateway.deliveries(job_id)
    await jobs.cancel(store, job_id)
    [waiting] = await gateway.deliveries(job_id)
    outbox, first = Outbox(store), await take(store, job_id)
    [delivering] = await gateway.deliveries(job_id)
    await outbox.try_again(first, AWAY, delay_ms=0)
    await outbox.delivered(await take(store, job_id), HEARD)

    [delivered] = await gateway.deliveries(job_id)

    assert before == []
    assert (waiting["delivery_status"], waiting["attempt"], waiting["tries"]) == ("waiting", 0, [])
    assert waiting["next_try_at"] is not None
    assert (delivering["delivery_status"], delivering["attempt"], delivering["next_try_at"]) == ("delivering", 1, None)
    assert delivered == {
        "webhook_id": first.callback_id,
        "delivery_status": "delivered",
        "callback_url": URL,
        "attempt": 2,
        "next_try_at": None,
        "redelivered_at": None,
        "tries": [
            {"at": "2027-01-15T08:00:00.000Z", "duration_ms": 10_000, "answer_status": None, "error": AWAY.error},
            {"at": "2027-01-15T08:00:10.000Z", "duration_ms": 20, "answer_status": 204, "error": None},
        ],
    }


async def test_head_of_deliveries_has_the_length_of_their_body(gateway: LocalGateway) -> None:
    path = f"/v1/download/jobs/{await created(gateway, callback_url=URL)}/deliveries"

    head, whole = await gateway.http.head(path), await gateway.http.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


async def test_dead_callback_is_told_again_with_the_same_id(gateway: LocalGateway, store: JobStore) -> None:
    job_id = await created(gateway, callback_url=URL)
    await jobs.cancel(store, job_id)
    given_up = await take(store, job_id)
    await Outbox(store).give_up(given_up, BUSY)

    response = await gateway.redeliver(job_id)

    assert response.status_code == 202
    assert response.json() == {"job_id": job_id, "delivery_status": "waiting"}
    assert response.headers["location"] == f"/v1/download/jobs/{job_id}/deliveries"
    [delivery] = await gateway.deliveries(job_id)
    assert [one["answer_status"] for one in delivery["tries"]] == [503]
    assert delivery["redelivered_at"] is not None
    again = await take(store, job_id)
    assert (again.callback_id, again.attempt) == (given_up.callback_id, 1)


async def test_what_cannot_be_told_again_says_why(gateway: LocalGateway, store: JobStore) -> None:
    waiting, silent = await created(gateway, callback_url=URL), await created(gateway)
    deleted = await created(gateway, callback_url=URL)
    await jobs.cancel(store, silent)
    await jobs.cancel(store, deleted, deletes=True)

    answers = [await gateway.redeliver(job_id) for job_id in (waiting, silent, deleted, "no-such-job")]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "NOT_ENDED"),
        (409, "NO_CALLBACK"),
        (410, "GONE"),
        (404, "NOT_FOUND"),
    ]
    assert answers[0].json()["detail"] == "This job is queued. Its callback is sent once it has ended."


async def test_job_that_was_deleted_while_it_ran_is_gone(gateway: LocalGateway, store: JobStore) -> None:
    running, silent = await created(gateway, callback_url=URL), await created(gateway)
    for job_id in (running, silent):
        await jobs.claim(store, await jobs.take(store, job_id))
        await jobs.cancel(store, job_id, deletes=True)

    answers = [await gateway.redeliver(job_id) for job_id in (running, silent)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "GONE")] * 2


async def test_job_that_is_begun_anew_meanwhile_is_said_to_be_what_it_is_then(
    gateway: LocalGateway, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = await jobs.fail(store, owner=LOCAL.owner, callback_url=URL)
    redeliver = Outbox.redeliver

    async def begun_anew(outbox: Outbox, job_id: str, *, most: int | None) -> Redelivered:
        await jobs.redrive(store, failed)
        return await redeliver(outbox, job_id, most=most)

    monkeypatch.setattr(Outbox, "redeliver", begun_anew)
    answer = await gateway.redeliver(failed.job_id)

    assert (answer.status_code, answer.json()["code"]) == (409, "NOT_ENDED")
    assert answer.json()["detail"] == "This job is queued. Its callback is sent once it has ended."


async def test_callback_that_is_forgotten_right_after_it_was_left_as_it_is_is_said_to_be_forgotten(
    gateway: LocalGateway, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = await jobs.fail(store, owner=LOCAL.owner, callback_url=URL)
    await gateway.redeliver(failed.job_id)
    redeliver, answers = Outbox.redeliver, []

    async def forgotten(outbox: Outbox, job_id: str, *, most: int | None) -> Redelivered:
        answers.append(await redeliver(outbox, job_id, most=most))
        await store.connection.execute("DEL", keys.callbacks(jobs.partition_number(job_id), job_id))
        return answers[-1]

    monkeypatch.setattr(Outbox, "redeliver", forgotten)
    answer = await gateway.redeliver(failed.job_id)

    assert answers == [Redelivered.UNCHANGED]
    assert (answer.status_code, answer.json()["code"]) == (409, "NO_CALLBACK")
    assert answer.json()["detail"] == "What was to be told of this job's end is forgotten. Read the job instead."


async def test_callback_of_a_forgotten_job_is_shown_to_its_owner_and_told_again(
    gateway: LocalGateway, store: JobStore
) -> None:
    job_id = await created(gateway, callback_url=URL)
    await jobs.cancel(store, job_id)
    first = await take(store, job_id)
    await Outbox(store).give_up(first, BUSY)
    others = (await jobs.fail(store, owner="somebody else", callback_url=URL)).job_id
    for each in (job_id, others):
        await store.connection.execute("DEL", keys.record(jobs.partition_number(each), each))

    [delivery] = await gateway.deliveries(job_id)
    answers = [await gateway.redeliver(each) for each in (job_id, others)]

    assert (delivery["delivery_status"], delivery["callback_url"]) == ("dead", URL)
    assert [answer.status_code for answer in answers] == [202, 404]
    assert (await gateway.http.get(f"/v1/download/jobs/{others}/deliveries")).status_code == 404
    due = await Outbox(store).take(first.partition, "d1", lease_ms=jobs.LEASE_MS, count=10)
    assert first.callback_id in [callback.callback_id for callback in due]


async def test_callback_of_a_job_whose_time_is_over_is_told_again(gateway: LocalGateway, store: JobStore) -> None:
    run = await jobs.fail(store, owner=LOCAL.owner, callback_url=URL)
    name = keys.record(jobs.partition_number(run.job_id), run.job_id)
    await store.connection.execute("HSET", name, "expires_at", 1)

    answer = await gateway.redeliver(run.job_id)

    assert answer.status_code == 202
    assert (await gateway.http.get(f"/v1/download/jobs/{run.job_id}")).status_code == 410


async def test_redelivery_that_does_nothing_is_not_counted(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(_outbox: Outbox, _job_id: str, *, most: int | None) -> Redelivered:
        return Redelivered.GONE

    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=2)) as gateway:
        job_id = await created(gateway, callback_url=URL)
        await jobs.cancel(store, job_id)
        with monkeypatch.context() as patch:
            patch.setattr(Outbox, "redeliver", gone)
            refused = [(await gateway.redeliver(job_id)).status_code for _ in range(3)]

        granted = await gateway.redeliver(job_id)

    assert (refused, granted.status_code) == ([409] * 3, 202)


async def test_deliveries_of_a_deleted_job_are_still_shown(gateway: LocalGateway, store: JobStore) -> None:
    job_id = await created(gateway, callback_url=URL)
    await jobs.cancel(store, job_id, deletes=True)

    [delivery] = await gateway.deliveries(job_id)

    assert delivery["delivery_status"] == "waiting"
    assert (await gateway.http.get(f"/v1/download/jobs/{job_id}")).status_code == 410


async def test_telling_again_is_held_against_the_creates_of_the_minute(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=3)) as gateway:
        ended = [await created(gateway, callback_url=URL) for _ in range(2)]
        for job_id in ended:
            await jobs.cancel(store, job_id)

        answers = [await gateway.redeliver(job_id) for job_id in ended]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert 1 <= int(answers[1].headers["retry-after"]) <= limits.CREATES_WINDOW_MS // 1000


async def test_what_is_told_anyway_is_answered_as_it_stands_and_not_counted(store: JobStore) -> None:
    async with local_gateway(store, FILE, allowance=Allowance(creates_per_minute=3)) as gateway:
        job_id = await created(gateway, callback_url=URL)
        await jobs.cancel(store, job_id)
        await gateway.redeliver(job_id)
        await Outbox(store).delivered(await take(store, job_id), DeliveryOutcome(at_ms=1, duration_ms=1, status=204))

        answers = [await gateway.redeliver(job_id) for _ in range(3)]
        further = await created(gateway)

    assert [(answer.status_code, answer.json()["delivery_status"]) for answer in answers] == [(202, "delivered")] * 3
    assert further
