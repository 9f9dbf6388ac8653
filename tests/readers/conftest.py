"""Gateways whose streams wait for what the tests write, the bad line before them, and the readers."""

from collections.abc import Iterator

import pytest

from tests.browser.application import application
from tests.readers.followed import READERS, Follow, follow_with
from tests.support.proxy import FaultProxy
from tests.support.system import System

QUICK = {"MIN_SSE_RETRY_MS": 1, "MAX_SSE_RETRY_MS": 5, "HEARTBEAT_EVERY_SECONDS": 0.5}
"""Readers come back at once, so that hundreds of cuts take seconds."""


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The origin of the page in which a browser follows."""
    with application() as origin:
        yield origin


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, page: str) -> Iterator[System]:
    """Redis and a quick gateway; no processor, for the tests write the events."""
    settings = {"WAYBILL_CORS_ORIGINS": page}
    with System(tmp_path_factory.mktemp("readers"), gateways=0, processors=0, settings=settings) as running:
        running.gateways.append(running.start("gateway", QUICK))
        running.gateways[0].wait_until_ready()
        yield running


@pytest.fixture
def line(system: System) -> Iterator[FaultProxy]:
    """A line to the quick gateway, without faults as yet."""
    with FaultProxy(system.gateways[0].port).in_thread() as listening:
        yield listening


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    """The name of each reader."""
    name: str = request.param
    return name


@pytest.fixture
def follow(reader: str, request: pytest.FixtureRequest) -> Follow:
    """Each reader."""
    return follow_with(reader, request)
