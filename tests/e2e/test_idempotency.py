"""POST with an Idempotency-Key through real gateways: one job, however often it is asked for and whoever dies."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import httpx
import pytest

from tests.support import cargo
from tests.support.local_http import strict_client
from tests.support.system import JOBS, System
from tests.support.waiting import until

FILE_IDS = cargo.ids_of(*cargo.MIXED)


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[System]:
    """Two gateways without a processor: what is created stays to be counted."""
    with System(tmp_path / "idle", gateways=2, processors=0) as running:
        yield running


def post(system: System, key: str, gateway: int) -> httpx.Response:
    """Ask for the same bundle over a connection of its own."""
    with strict_client() as client:
        url = system.gateways[gateway].url + JOBS
        return client.post(url, json={"file_ids": FILE_IDS}, headers={"Idempotency-Key": f'"{key}"'})


def test_a_hundred_callers_at_once_get_one_job(idle: System) -> None:
    with ThreadPoolExecutor(max_workers=20) as pool:
        answers = list(pool.map(post, repeat(idle), repeat("k"), [turn % 2 for turn in range(100)]))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 99
    assert idle.count_in_redis() == (1, 1)


def test_what_a_killed_gateway_left_is_healed_by_repeating_it_elsewhere(idle: System) -> None:
    def post_until_it_dies(caller: int) -> list[str]:
        keys: list[str] = []
        with contextlib.suppress(httpx.TransportError):
            while True:
                keys.append(f"{caller}-{len(keys)}")
                post(idle, keys[-1], 0)
        return keys

    with ThreadPoolExecutor(max_workers=8) as pool:
        callers = pool.map(post_until_it_dies, range(8))
        until(lambda: idle.count_in_redis()[0] > 20, "some jobs were created")
        idle.gateways[0].kill()
        keys = [key for asked in callers for key in asked]
    healed = [post(idle, key, 1) for key in keys]

    assert {answer.status_code for answer in healed} == {202}
    assert len({answer.headers["location"] for answer in healed}) == len(keys)
    assert idle.count_in_redis() == (len(keys), len(keys))
