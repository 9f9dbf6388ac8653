"""The /file link over a real job store, with the archive in a remote store."""

from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.di import Provide
from opentelemetry.metrics import NoOpMeter

from gateway.auth.caller import LOCAL
from gateway.auth.gate import Gate
from gateway.auth.tickets import Tickets
from gateway.metrics import GatewayMetrics
from gateway.problems import answer_unexpected, answer_waybill_error
from gateway.routes.files import fetch_archive
from shared.errors import WaybillError
from shared.jobstore.api_keys import ApiKeys
from shared.jobstore.store import JobStore
from shared.objects.location import MAX_LINK_SECONDS, S3Options
from shared.objects.opening import open_store
from shared.ticket import TicketSecret
from tests.support.jobs import BUNDLE, completion, create, start
from tests.support.stores import running_store

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
OPTIONS = S3Options(
    bucket="bundles", region="eu-central-1", access_key_id="id", secret_access_key="secret", addressing_style="virtual"
)


@pytest_asyncio.fixture
async def jobs(redis_url: str) -> AsyncIterator[JobStore]:
    """A job store."""
    async with running_store(redis_url, partitions=1) as store:
        yield store


async def ask(
    jobs: JobStore,
    job_id: str,
    *,
    method: str = "GET",
    query: str = "",
    gate: Gate | None = None,
    options: S3Options = OPTIONS,
) -> httpx.Response:
    """Ask a gateway's /file; nothing answers for the remote store, which need not be asked."""
    metrics = GatewayMetrics(NoOpMeter("test"), cast(Any, None))  # nobody follows anything here
    async with open_store(options) as objects:
        app = Litestar(
            [fetch_archive],
            dependencies={
                "gate": Provide(lambda: gate or Gate(), sync_to_thread=False),
                "store": Provide(lambda: jobs, sync_to_thread=False),
                "objects": Provide(lambda: objects, sync_to_thread=False),
                "metrics": Provide(lambda: metrics, sync_to_thread=False),
            },
            exception_handlers={WaybillError: answer_waybill_error, Exception: answer_unexpected},
            openapi_config=None,
        )
        transport = httpx.ASGITransport(cast(Any, app))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, f"/v1/download/jobs/{job_id}/file{query}")


async def test_a_click_is_sent_to_a_url_signed_at_that_moment(jobs: JobStore) -> None:
    run = await start(jobs)
    await jobs.finish(run, completion())

    answer = await ask(jobs, run.job_id)

    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    url = urlsplit(answer.headers["location"])
    query = parse_qs(url.query)
    assert (url.netloc, url.path) == ("bundles.s3.eu-central-1.amazonaws.com", "/bundles/x.zip")
    assert query["response-content-disposition"] == ['attachment; filename="holiday.zip"']
    assert query["response-content-type"] == ["application/zip"]
    assert query["X-Amz-Expires"] == [str(OPTIONS.link_seconds)]
    assert "secret" not in answer.headers["location"]


async def test_a_ticket_stays_here_when_its_bearer_is_sent_to_the_store(jobs: JobStore) -> None:
    run = await start(jobs)
    await jobs.finish(run, completion())
    tickets = Tickets([TicketSecret("k1", b"s" * 32)], life_seconds=60)
    gate = Gate(api_keys=ApiKeys(jobs.connection), tickets=tickets)
    ticket = tickets.issue(LOCAL, [run.job_id]).ticket

    opened, refused = [
        await ask(jobs, run.job_id, gate=gate, query=f"?ticket={text}") for text in (ticket, ticket[:-1])
    ]

    assert (opened.status_code, refused.status_code) == (307, 401)
    assert "ticket" not in opened.headers["location"]
    assert ticket not in str(opened.headers)
    assert opened.headers["referrer-policy"] == "no-referrer"


async def test_no_link_outlives_the_archive(jobs: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await start(jobs)
    ending = completion()
    await jobs.finish(run, ending)
    monkeypatch.setattr("gateway.routes.files.now_ms", lambda: ending.expires_at_ms - 40_000)
    monkeypatch.setattr("gateway.access.now_ms", lambda: ending.expires_at_ms - 40_000)

    answer = await ask(jobs, run.job_id, options=msgspec.structs.replace(OPTIONS, link_seconds=MAX_LINK_SECONDS))

    assert parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"] == ["40"]


async def test_head_is_answered_from_the_record(jobs: JobStore) -> None:
    run = await start(jobs)
    await jobs.finish(run, completion())

    answer = await ask(jobs, run.job_id, method="HEAD")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(BUNDLE.archive_bytes)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="holiday.zip"'
    assert answer.headers["cache-control"] == "no-store"


async def test_a_job_that_has_not_ended_has_no_link(jobs: JobStore) -> None:
    answer = await ask(jobs, await create(jobs))

    assert (answer.status_code, answer.json()["code"]) == (409, "NOT_READY")
    assert "location" not in answer.headers
