"""The system that most end-to-end tests share. Those that break something start one of their own."""

from collections.abc import Iterator

import pytest

from tests.support.system import System


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two gateways and a processor with room for many jobs; nobody may stop or slow a part of it."""
    with System(tmp_path_factory.mktemp("system"), gateways=2, settings={"WAYBILL_SLOTS": "32"}) as running:
        yield running
