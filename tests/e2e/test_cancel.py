"""Cancelling and deleting jobs, in every state, with real processes."""

from collections.abc import Iterator

import pytest

from deploy.local.resp import ask
from tests.support import cargo
from tests.support.system import JOBS, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until

UNKNOWN = f"{JOBS}/00000000-0000-8000-8000-000000000000"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One gateway and one processor with two slots."""
    with System(tmp_path_factory.mktemp("cancel"), settings={"WAYBILL_SLOTS": "2"}) as running:
        yield running


def left_of(system: System, path: str) -> list[str]:
    """List what the store has of a job: its archive, and the hidden files of unfinished uploads."""
    job_id = path.rpartition("/")[2]
    return [str(file) for file in system.objects_dir.rglob("*") if file.is_file() and job_id in str(file)]


def test_a_running_job_is_cancelled_with_one_last_event_and_leaves_nothing(system: System) -> None:
    path = system.create_job(*cargo.LONG)
    viewer = BackgroundViewer(f"{system.url}{path}/stream")
    system.wait_for_copying(path)

    answers = [system.call("POST", f"{path}/cancel") for _ in range(3)]
    record = system.wait_for_end(path)

    assert {answer.status_code for answer in answers} == {202}
    assert answers[0].json() == {"job_id": path.rpartition("/")[2], "status": "processing"}
    assert record["status"] == "cancelled"
    assert system.types(path)[-1] == "cancelled"
    assert system.types(path).count("cancelled") == 1
    assert viewer.wait_for_end()[-1].data["type"] == "cancelled"
    assert left_of(system, path) == []
    assert system.count_in_redis()[0] == 0


def test_a_waiting_job_is_cancelled_at_once_and_its_entry_is_gone(system: System) -> None:
    busy = [system.create_job(*cargo.LONG) for _ in range(2)]
    for path in busy:
        system.wait_for_copying(path)
    waiting = system.create_job(*cargo.MIXED)

    answer = system.call("POST", f"{waiting}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert system.record(waiting)["status"] == "cancelled"
    assert system.count_in_redis()[0] == len(busy)
    assert system.types(waiting) == ["queued", "cancelled"]
    for path in busy:
        system.call("DELETE", path)
    until(lambda: system.count_in_redis()[0] == 0, "the busy ones have ended")


def test_a_job_that_waits_for_its_retry_is_cancelled_at_once(system: System) -> None:
    source = system.sources_dir / cargo.LONG[-1].key
    content = source.read_bytes()
    path = system.create_job(*cargo.LONG)
    system.wait_for_copying(path)
    source.write_bytes(content + b"!")
    try:
        system.wait_for_status(path, "retrying")
        answer = system.call("POST", f"{path}/cancel")
    finally:
        source.write_bytes(content)

    assert answer.json()["status"] in ("cancelled", "processing")
    assert system.wait_for_end(path)["status"] == "cancelled"


def test_an_ended_job_stays_as_it_is(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    system.wait_for_end(path)

    answer = system.call("POST", f"{path}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert system.get(f"{path}/file").status_code == 200


@pytest.mark.parametrize("is_over", [True, False], ids=["completed", "running"])
def test_a_deleted_job_is_gone_at_once_and_so_is_its_archive(system: System, is_over: bool) -> None:
    path = system.create_job(*(cargo.MIXED if is_over else cargo.LONG))
    if is_over:
        system.wait_for_end(path)
    else:
        system.wait_for_copying(path)

    first = system.call("DELETE", path)
    again = system.call("DELETE", path)

    assert (first.status_code, first.content, again.status_code) == (204, b"", 410)
    for below in ("", "/file", "/events", "/stream"):
        assert system.get(path + below).json()["code"] == "GONE"
    until(lambda: left_of(system, path) == [], "nothing is left in the store")
    until(lambda: system.count_in_redis()[0] == 0, "the run has ended")


@pytest.mark.parametrize(("method", "below"), [("POST", "/cancel"), ("DELETE", "")])
@pytest.mark.parametrize("path", [UNKNOWN, f"{JOBS}/nonsense"])
def test_who_names_no_job_is_told_so(system: System, method: str, below: str, path: str) -> None:
    answer = system.call(method, path + below)

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_an_archive_whose_time_is_over_is_removed_by_the_processor(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    system.wait_for_end(path)
    job_id, expiry = path.rpartition("/")[2], "waybill:{0}:expiry"
    assert left_of(system, path)

    ask(system.redis.port, "HSET", f"waybill:{{0}}:job:{job_id}", "expires_at", "1")
    ask(system.redis.port, "ZADD", expiry, "1", job_id)
    until(lambda: left_of(system, path) == [], "the archive is removed")
    until(lambda: system.get(path).status_code == 404, "the job is forgotten")

    assert ask(system.redis.port, "ZSCORE", expiry, job_id) == ""
    assert system.processors[0].metric("download_janitor_steps_total") >= 1


def test_every_cancelled_job_is_counted_once_by_whoever_ended_it(system: System) -> None:
    gateway, processor = system.gateways[0], system.processors[0]

    def counts() -> tuple[float, float]:
        return gateway.metric("download_jobs_cancelled_total"), processor.metric("download_jobs_cancelled_total")

    by_gateway, by_processor = counts()
    running = [system.create_job(*cargo.LONG) for _ in range(2)]
    for path in running:
        system.wait_for_copying(path)
    waiting = system.create_job(*cargo.LONG)

    for path in (waiting, waiting, *running, *running):
        system.call("POST", f"{path}/cancel")
    for path in running:
        system.wait_for_end(path)

    until(lambda: counts() == (by_gateway + 1, by_processor + 2), "each is counted")
