"""A gateway with faults, and a client of it that does not pause for long."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from gateway.client import AsyncWaybill
from gateway.client.job import AsyncJob
from shared import limits
from tests.support.faulty_gateway import JOB_ID, FaultyGateway

ARCHIVE = bytes(range(256)) * 4_000
"""A megabyte: more than what a socket swallows unseen."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and watchdogs of a tenth of what they are."""
    monkeypatch.setattr(limits, "CLIENT_RETRY_BASE_MS", 20)
    monkeypatch.setattr(limits, "CLIENT_RETRY_FLOOR_MS", 10)
    monkeypatch.setattr(limits, "CLIENT_FIRST_FRAME_WITHIN_SECONDS", 0.4)
    monkeypatch.setattr(limits, "CLIENT_SILENCE_MAX_SECONDS", 1.0)
    monkeypatch.setattr(limits, "CLIENT_PROBE_FIRST_SECONDS", 0.3)


@pytest.fixture
def gateway(quick: None) -> Iterator[FaultyGateway]:
    """A gateway of one job, whose archive is ARCHIVE."""
    with FaultyGateway(ARCHIVE) as running:
        yield running


@pytest_asyncio.fixture
async def waybill(gateway: FaultyGateway) -> AsyncIterator[AsyncWaybill]:
    """A client of it."""
    async with AsyncWaybill(gateway.url, api_key="wb_key", tries=4) as client:
        yield client


@pytest.fixture
def job(waybill: AsyncWaybill) -> AsyncJob:
    """The job."""
    return waybill.job(JOB_ID)
