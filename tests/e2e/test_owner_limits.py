"""Limits of owners who say who they are, through two gateways as they are shipped."""

from collections.abc import Iterator

import pytest

from tests.support import cargo
from tests.support.api_keys import new_api_key
from tests.support.system import System

SETTINGS = {"WAYBILL_AUTH": "keys", "WAYBILL_OWNER_JOBS_IN_FLIGHT": "2"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two gateways, and nobody who works."""
    home = tmp_path_factory.mktemp("owner-limits")
    with System(home, gateways=2, processors=0, settings=SETTINGS) as running:
        yield running


def test_an_owner_at_the_limit_stands_in_nobody_elses_way(system: System) -> None:
    anna, bert = ({"Authorization": f"Bearer {new_api_key(system.redis.url, owner)}"} for owner in ("anna", "bert"))

    first, _ = (system.post_job(cargo.MIXED[0], gateway=gateway, headers=anna) for gateway in (0, 1))
    refused = [system.post_job(cargo.MIXED[0], gateway=gateway, headers=anna) for gateway in (0, 1)]
    of_bert = system.post_job(cargo.MIXED[0], headers=bert)
    system.call("POST", f"{first.headers['location']}/cancel", authorization=anna["Authorization"])
    accepted = system.post_job(cargo.MIXED[0], gateway=1, headers=anna)

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(429, "LIMIT_JOBS_IN_FLIGHT")] * 2
    assert (of_bert.status_code, accepted.status_code) == (202, 202)
    assert of_bert.headers["ratelimit"].startswith('"jobs-in-flight";r=1, "creates";r=599;t=')
    assert system.gateways[0].metric("download_creates_refused_total", reason="jobs_in_flight") == 1
