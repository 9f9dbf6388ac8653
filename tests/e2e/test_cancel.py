"""Cancelling and deleting jobs, in every state, with real processes."""

from collections.abc import Iterator

import pytest

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


def uploads(system: System) -> list[str]:
    """List everything below the objects directory."""
    return [str(path) for path in system.objects_dir.rglob("*") if path.is_file()]


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
    assert uploads(system) == []
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
    until(lambda: uploads(system) == [], "nothing is left in the store")
    until(lambda: system.count_in_redis()[0] == 0, "the run has ended")


@pytest.mark.parametrize(("method", "below"), [("POST", "/cancel"), ("DELETE", "")])
@pytest.mark.parametrize("path", [UNKNOWN, f"{JOBS}/nonsense"])
def test_who_names_no_job_is_told_so(system: System, method: str, below: str, path: str) -> None:
    answer = system.call(method, path + below)

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
