"""An archive on its way through a network that breaks: it appears whole and checked, or not at all."""

import fcntl
import json
from pathlib import Path

import pytest

from gateway.client import AsyncWaybill
from gateway.client.errors import ArchiveCorrupt, JobUnsuccessful, LocalFileTrouble, NotWaybill, ServerUnreachable
from gateway.client.job import AsyncJob
from gateway.client.part_file import PartFile
from shared.caller_errors import Unauthenticated
from shared.errors import JobGone, JobNotFound, UnavailableError, WaybillError
from tests.integration.client.conftest import ARCHIVE
from tests.support.faulty_gateway import (
    ETAG,
    JOB_ID,
    JOB_PATH,
    FaultyGateway,
    Pieces,
    Request,
    answer,
    head,
    nothing,
    offset_of,
    problem,
    web_page,
)

FILE = f"GET {JOB_PATH}/file"
CUT_AFTER_BYTES = 300_000


def cut_within(gateway: FaultyGateway) -> Pieces:
    yield from head(200, content_length=len(ARCHIVE), etag=ETAG)
    yield ARCHIVE[:CUT_AFTER_BYTES]


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_a_cut_archive_is_gone_on_with_from_where_it_broke_off(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    gateway.answers[FILE] = [lambda _: cut_within(gateway), gateway.send_file]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE
    assert names_in(tmp_path) == ["a.zip"]
    first, second = gateway.asked(FILE)
    assert "range" not in first.headers
    assert (second.headers["range"], second.headers["if-range"]) == (f"bytes={CUT_AFTER_BYTES}-", ETAG)
    assert second.headers["authorization"] == "Bearer wb_key"


async def test_another_run_goes_on_with_what_the_first_one_left(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    gateway.answers[FILE] = [lambda _: cut_within(gateway), lambda _: nothing()]
    with pytest.raises(ServerUnreachable):
        await job.save(tmp_path / "a.zip")
    assert names_in(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    gateway.answers[FILE] = [gateway.send_file]

    async with AsyncWaybill(gateway.url) as another:
        saved = await another.job(JOB_ID).save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE
    assert gateway.asked(FILE)[-1].headers["range"] == f"bytes={CUT_AFTER_BYTES}-"
    assert gateway.asked(FILE)[-1].headers["if-range"] == ETAG


async def test_what_is_left_of_another_archive_is_not_gone_on_with(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"of another job")
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"job": "another"}))

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE


async def test_a_part_that_begins_elsewhere_is_not_written(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    def elsewhere(request: Request) -> Pieces:
        start = offset_of(request)
        yield from gateway.part_head(start, says=start + 1)
        yield ARCHIVE[start:]

    gateway.answers[FILE] = [lambda _: cut_within(gateway), elsewhere, gateway.send_file]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE
    assert "range" not in gateway.asked(FILE)[-1].headers


async def test_the_whole_archive_in_place_of_a_part_begins_anew(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    def whole(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE), etag='"two"')
        yield ARCHIVE

    gateway.answers[FILE] = [lambda _: cut_within(gateway), whole]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE


async def test_a_range_that_cannot_be_had_begins_anew(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path) -> None:
    gateway.answers[FILE] = [
        lambda _: cut_within(gateway),
        lambda _: problem(416, "RANGE_NOT_SATISFIABLE", "Too far.", content_range="bytes */5"),
        gateway.send_file,
    ]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE


async def test_an_archive_that_is_another_one_is_kept_as_bad(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    def changed(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE), etag=ETAG)
        yield bytes(len(ARCHIVE))

    gateway.answers[FILE] = [changed]

    with pytest.raises(ArchiveCorrupt) as caught:
        await job.save(tmp_path / "a.zip")

    assert names_in(tmp_path) == ["a.zip.bad"]
    assert caught.value.kept_path == str(tmp_path / "a.zip.bad")


async def test_a_damaged_start_is_found_when_the_rest_has_come(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    gateway.answers[FILE] = [lambda _: cut_within(gateway), lambda _: nothing()]
    with pytest.raises(ServerUnreachable):
        await job.save(tmp_path / "a.zip")
    with (tmp_path / "a.zip.part").open("r+b") as part:
        part.write(b"damaged")
    gateway.answers[FILE] = [gateway.send_file]

    with pytest.raises(ArchiveCorrupt):
        await job.save(tmp_path / "a.zip")

    assert (await job.save(tmp_path / "a.zip")).read_bytes() == ARCHIVE


async def test_a_store_that_refuses_its_link_is_asked_by_a_new_one(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    gateway.answers[FILE] = [
        lambda _: head(307, location=f"{gateway.url}/store/expired", content_length=0),
        lambda _: head(307, location=f"{gateway.url}/store/fresh", content_length=0),
    ]
    gateway.answers["GET /store/expired"] = [lambda _: answer("<Error/>", status=403, kind="application/xml")]
    gateway.answers["GET /store/fresh"] = [gateway.send_file]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE


async def test_a_store_elsewhere_is_not_shown_the_key(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path) -> None:
    with FaultyGateway(ARCHIVE) as store:
        store.answers["GET /signed"] = [store.send_file]
        gateway.answers[FILE] = [lambda _: head(307, location=f"{store.url}/signed", content_length=0)]

        await job.save(tmp_path / "a.zip")

        [asked] = store.asked("GET /signed")
        assert "authorization" not in asked.headers


async def test_a_store_that_cannot_be_reached_is_named_without_its_signature(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    with FaultyGateway(ARCHIVE) as store:
        store.answers["GET /signed"] = [lambda _: cut_within(store), lambda _: nothing()]
        gateway.answers[FILE] = [lambda _: head(307, location=f"{store.url}/signed?Signature=secret", content_length=0)]

        with pytest.raises(ServerUnreachable) as caught:
            await job.save(tmp_path / "a.zip")

    assert f"{store.url} cannot be reached" in caught.value.message
    assert "secret" not in caught.value.message


async def test_a_store_that_redirects_without_end_is_told(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    round_and_round = lambda _: head(307, location=f"{gateway.url}/round", content_length=0)  # noqa: E731
    gateway.answers[FILE] = gateway.answers["GET /round"] = [round_and_round]

    with pytest.raises(ServerUnreachable, match="redirects without end"):
        await job.save(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (web_page, NotWaybill),
        (lambda: web_page(404), NotWaybill),
        (lambda: problem(401, "UNAUTHENTICATED", "No."), Unauthenticated),
        (lambda: problem(404, "NOT_FOUND", "No."), JobNotFound),
        (lambda: problem(410, "GONE", "No."), JobGone),
    ],
    ids=["a web page", "a web page of a 404", "401", "404", "410"],
)
async def test_what_is_refused_for_good_is_not_asked_again(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path, refusal: object, error: type[WaybillError]
) -> None:
    assert callable(refusal)
    gateway.answers[FILE] = [lambda _: refusal()]

    with pytest.raises(error):
        await job.save(tmp_path / "a.zip")

    assert len(gateway.asked(FILE)) == 1
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("status", [429, 503, 502])
async def test_what_is_busy_is_asked_again(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path, status: int) -> None:
    gateway.answers[FILE] = [lambda _: problem(status, "BUSY", "Later.", retry_after=0), gateway.send_file]

    saved = await job.save(tmp_path / "a.zip")

    assert saved.read_bytes() == ARCHIVE


async def test_what_stays_busy_is_given_up(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path) -> None:
    gateway.answers[FILE] = [lambda _: problem(503, "DRAINING", "Later.")]

    with pytest.raises(UnavailableError):
        await job.save(tmp_path / "a.zip")

    assert len(gateway.asked(FILE)) == 4


async def test_a_directory_gets_the_servers_name(job: AsyncJob, tmp_path: Path) -> None:
    saved = await job.save(tmp_path)

    assert saved == tmp_path / "named.zip"


async def test_a_name_cannot_leave_its_directory(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path) -> None:
    disposition = "attachment; filename*=UTF-8''..%2F..%2Fescaped.zip"
    gateway.answers[f"HEAD {JOB_PATH}/file"] = [lambda _: head(200, content_disposition=disposition)]

    saved = await job.save(tmp_path)

    assert saved.parent == tmp_path


async def test_an_existing_file_is_not_replaced_unasked(job: AsyncJob, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"mine")

    with pytest.raises(LocalFileTrouble):
        await job.save(tmp_path / "a.zip")

    assert (tmp_path / "a.zip").read_bytes() == b"mine"
    assert (await job.save(tmp_path / "a.zip", replaces=True)).read_bytes() == ARCHIVE


async def test_a_file_that_appears_while_the_archive_comes_is_not_replaced_unasked(
    gateway: FaultyGateway, job: AsyncJob, tmp_path: Path
) -> None:
    def beside_somebody(request: Request) -> Pieces:
        (tmp_path / "a.zip").write_bytes(b"mine")
        yield from gateway.send_file(request)

    gateway.answers[FILE] = [beside_somebody]

    with pytest.raises(LocalFileTrouble, match="exists already"):
        await job.save(tmp_path / "a.zip")

    assert (tmp_path / "a.zip").read_bytes() == b"mine"
    assert (await job.save(tmp_path / "a.zip", replaces=True)).read_bytes() == ARCHIVE
    assert len(gateway.asked(FILE)) == 1


def test_a_part_that_became_an_archive_while_it_was_opened_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, archive = tmp_path / "a.zip.part", tmp_path / "a.zip"
    part.write_bytes(b"whole")
    really_lock = fcntl.flock

    def finished_by_another_first(file: object, how: int) -> None:
        if part.exists() and not archive.exists():
            part.rename(archive)
        really_lock(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", finished_by_another_first)

    with PartFile(archive) as opened:
        opened.restart()

    assert archive.read_bytes() == b"whole"


async def test_two_commands_do_not_write_one_file(job: AsyncJob, tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.zip"), pytest.raises(LocalFileTrouble):
        await job.save(tmp_path / "a.zip")


async def test_a_job_that_has_not_ended_has_no_archive(gateway: FaultyGateway, job: AsyncJob, tmp_path: Path) -> None:
    running = gateway.record(status="processing", archive_bytes=None, archive_crc32=None)
    gateway.answers[f"GET {JOB_PATH}"] = [lambda _: answer(running)]

    with pytest.raises(JobUnsuccessful):
        await job.save(tmp_path / "a.zip")
