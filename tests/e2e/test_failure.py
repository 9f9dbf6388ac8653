"""Runs that end badly: what repeating cannot mend fails at once with the file's id, everything else is tried again."""

import io
import resource
import sys
import zipfile
from collections.abc import Iterator

import pytest

from tests.support import cargo
from tests.support.sse_reader import read_frames
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="makes writing fail with prlimit(2)")

ROOM_BYTES = 50_000
"""Enough for a log, too little for an archive of all of cargo.MIXED."""


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose sources and whose processor may be tampered with."""
    settings = QUICK_LEASE | {"WAYBILL_RETRY_BASE_MS": "1"}
    with System(tmp_path_factory.mktemp("breakable"), settings=settings) as running:
        yield running


def limit_files(system: System, size_bytes: int) -> None:
    """Let the processor write no file larger than that, as with a disk that is full; root is not exempt."""
    resource.prlimit(system.processors[0].pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


@pytest.fixture
def no_room(breakable: System) -> Iterator[None]:
    """The processor has no room for an archive during the test."""
    limit_files(breakable, ROOM_BYTES)
    yield
    limit_files(breakable, resource.RLIM_INFINITY)


def test_source_that_is_gone_fails_the_job_at_once_and_is_named_everywhere(breakable: System) -> None:
    lost = cargo.LONG[5]
    (breakable.sources_dir / lost.key).unlink()

    path = breakable.create_job(cargo.MIXED[0], lost)
    record = breakable.wait_for_end(path)

    snapshot, end = read_frames(breakable.get(f"{path}/stream").content)
    file = breakable.get(f"{path}/file")
    assert (record["status"], record["attempt"], record["download_url"]) == ("failed", 1, None)
    assert (record["error"]["code"], record["error"]["file_ids"]) == ("SOURCE_MISSING", [lost.file_id])
    assert str(lost.file_id) in record["error"]["message"]
    assert (snapshot.data["status"], end.type) == ("failed", "error")
    assert end.data["error"] == record["error"]
    assert (end.data["can_retry"], record["can_retry"]) == (False, False)
    assert breakable.types(path).count("error") == 1
    assert (file.status_code, file.json()["code"]) == (409, "NOT_COMPLETED")
    assert breakable.get(f"{path}/stream", last_event_id=str(end.id)).status_code == 204


def test_source_that_changes_under_way_is_tried_again_and_bundled_as_it_is_then(breakable: System) -> None:
    first, second = cargo.LONG[:2]
    changed = b"another content, and a shorter one"
    path = breakable.create_job(first, second)
    breakable.wait_for_copying(path)

    (breakable.sources_dir / second.key).write_bytes(changed)
    waiting = breakable.wait_for_status(path, "retrying")
    record = breakable.wait_for_end(path)

    log = breakable.log(path)
    [retrying] = [event for event in log if event["type"] == "retrying"]
    ratios = [event["progress"] for event in log if event["type"] == "progress"]
    assert waiting["retry_at"] is not None
    assert (record["status"], record["attempt"], record["error"]) == ("completed", 2, None)
    assert (retrying["attempt"], retrying["max_attempts"]) == (1, 3)
    assert (retrying["error"]["code"], retrying["error"]["file_ids"]) == ("SOURCE_CHANGED", [second.file_id])
    assert [event["attempt"] for event in log if event["type"] == "started"] == [1, 2]
    assert ratios == sorted(ratios)
    with zipfile.ZipFile(io.BytesIO(breakable.get(f"{path}/file").content)) as archive:
        assert [archive.read(entry) for entry in archive.infolist()] == [first.content, changed]


@pytest.mark.usefixtures("no_room")
def test_job_that_fails_three_times_is_given_up_with_one_terminal_event_and_a_dead_letter(breakable: System) -> None:
    processor = breakable.processors[0]
    failed_before = processor.metric("download_jobs_failed_total")

    path = breakable.create_job(*cargo.MIXED)
    record = breakable.wait_for_end(path)

    types = [kind for kind in breakable.types(path) if kind != "progress"]
    assert types == ["queued", "started", "retrying", "started", "retrying", "started", "error"]
    assert (record["status"], record["attempt"]) == ("failed", 3)
    assert (breakable.log(path)[-1]["can_retry"], record["can_retry"]) == (True, True)
    assert breakable.field(path, "failures") == "3"
    assert breakable.field(path, "dead_id")
    assert processor.metric("download_jobs_failed_total") == failed_before + 1
    until(lambda: processor.metric("download_dead_letters") >= 1, "the dead letter is counted")
    assert not list(breakable.objects_dir.rglob(f"*{record['job_id']}*/*"))


@pytest.mark.usefixtures("no_room")
def test_job_whose_trouble_passes_completes(breakable: System) -> None:
    path = breakable.create_job(*cargo.MIXED)
    breakable.wait_for_status(path, "retrying")

    limit_files(breakable, resource.RLIM_INFINITY)
    record = breakable.wait_for_end(path)

    assert (record["status"], record["error"]) == ("completed", None)
    assert breakable.types(path).count("retrying") == record["attempt"] - 1
