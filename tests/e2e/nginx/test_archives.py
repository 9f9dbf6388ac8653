"""Archives and calls through nginx are what the gateway answers; what is not for everybody is not there."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support import cargo
from tests.support.nginx import ShippedNginx
from tests.support.system import JOBS, System
from tests.support.waiting import until


@pytest.fixture(scope="module")
def nginx(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedNginx]:
    """The nginx that we ship, before gateways whose jobs end."""
    gateways = [gateway.url.removeprefix("http://") for gateway in system.gateways]
    with ShippedNginx(tmp_path_factory.mktemp("nginx"), gateways) as running:
        yield running


@pytest.fixture
def http(nginx: ShippedNginx) -> Iterator[httpx.Client]:
    """A client that believes its certificate."""
    with httpx.Client(base_url=nginx.url, trust_env=False, verify=nginx.trust()) as client:
        yield client


@pytest.fixture(scope="module")
def archived(system: System) -> str:
    """The path of a job that has ended."""
    path = system.create_job(*cargo.LONG[:2])
    assert system.wait_for_end(path)["status"] == "completed"
    return path


def test_a_job_is_created_and_read_through_nginx(http: httpx.Client) -> None:
    created = http.post(JOBS, json={"file_ids": cargo.ids_of(*cargo.MIXED)})
    record = http.get(created.headers["location"])

    assert created.status_code == 202
    assert record.json()["job_id"] == created.json()["job_id"]
    assert record.headers["etag"]


def test_an_archive_is_fetched_whole_in_ranges_and_under_conditions(
    system: System, http: httpx.Client, archived: str
) -> None:
    whole = http.get(f"{archived}/file")
    etag = whole.headers["etag"]
    middle, last, unchanged, changed = [
        http.get(f"{archived}/file", headers=headers)
        for headers in (
            {"Range": "bytes=100000-899999"},
            {"Range": "bytes=-1000", "If-Range": etag},
            {"If-None-Match": etag},
            {"Range": "bytes=0-9", "If-Range": '"another"'},
        )
    ]

    content = system.archive(archived)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-length"] == str(len(content))
    assert (middle.status_code, middle.content) == (206, content[100_000:900_000])
    assert (last.status_code, last.content) == (206, content[-1000:])
    assert unchanged.status_code == 304
    assert (changed.status_code, changed.content) == (200, content)


def test_what_a_gateway_refuses_passes_as_the_gateway_says_it(http: httpx.Client, archived: str) -> None:
    unknown = http.get(f"{JOBS}/7f0c6a5e/stream", headers={"Accept": "text/event-stream"})
    malformed = http.post(JOBS, content=b"{", headers={"Content-Type": "application/json"})
    unsatisfiable = http.get(f"{archived}/file", headers={"Range": "bytes=99999999-"})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert (malformed.status_code, malformed.json()["code"]) == (400, "MALFORMED_BODY")
    assert (unsatisfiable.status_code, unsatisfiable.json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_health_and_metrics_are_not_for_the_public(http: httpx.Client, path: str) -> None:
    response = http.get(path)

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


def test_the_log_tells_of_each_request_in_one_line_of_json(nginx: ShippedNginx, http: httpx.Client) -> None:
    http.get(f"{JOBS}/looked-for", headers={"User-Agent": 'a "quoted" one'})

    until(lambda: "looked-for" in nginx.access_log.read_text(), "the request is logged")
    [line] = [line for line in nginx.access_log.read_text().splitlines() if "looked-for" in line]
    told = json.loads(line)
    assert (told["method"], told["status"], told["agent"]) == ("GET", "404", 'a "quoted" one')
    assert float(told["gateway_head_seconds"]) >= 0
