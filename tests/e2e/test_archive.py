"""The finished archive: every byte of the sources, and HTTP's ways to fetch a part of it, or to find it unchanged."""

import io
import subprocess
import urllib.parse
import zipfile
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.system import System
from tests.support.tools import require_tool

NAME = "Frachtbriefe Köln 📦"


@pytest.fixture(scope="module")
def file_path(system: System) -> str:
    """The path of a finished archive."""
    path = system.create_job(*cargo.MIXED, archive_name=NAME)
    record = system.wait_for_end(path)
    assert record["status"] == "completed"
    return str(record["download_url"])


@pytest.fixture(scope="module")
def archive(system: System, file_path: str) -> bytes:
    """Its bytes."""
    response = system.get(file_path)
    assert response.status_code == 200
    return response.content


@pytest.fixture(scope="module")
def etag(system: System, file_path: str) -> str:
    """Its entity tag, a strong one."""
    tag: str = system.call("HEAD", file_path).headers["etag"]
    assert tag.startswith('"')
    return tag


# ── what is in it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_byte_equals_the_sources(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        assert read.testzip() is None
        contents = [read.read(entry) for entry in read.infolist()]
        names = read.namelist()

    assert contents == [file.content for file in cargo.MIXED]
    assert names == [
        "Bill of lading.txt",
        "scan 001.dat",
        "scan 001 (2).dat",
        "Café Zürich — 航海日誌.txt",
        "empty.txt",
    ]


def test_unzip_accepts_it(archive: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(archive)

    ended = subprocess.run([require_tool("unzip"), "-t", str(path)], capture_output=True, check=False)

    assert (ended.returncode, b"No errors detected" in ended.stdout) == (0, True), ended.stdout


def test_record_and_terminal_event_tell_its_size(system: System, file_path: str, archive: bytes) -> None:
    path = file_path.removesuffix("/file")

    completed = system.log(path)[-1]

    assert system.record(path)["archive_bytes"] == completed["archive_bytes"] == len(archive)
    assert completed["download_url"] == file_path
    assert completed["files"] == len(cargo.MIXED)


def test_the_other_gateway_gives_the_same_archive_under_the_same_etag(
    system: System, file_path: str, archive: bytes, etag: str
) -> None:
    response = system.get(file_path, gateway=1)

    assert response.content == archive
    assert response.headers["etag"] == etag


# ── its head ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whole_archive_has_length_type_and_a_name_in_any_script(system: System, file_path: str, archive: bytes) -> None:
    response = system.get(file_path)

    disposition = response.headers["content-disposition"]
    assert response.headers["content-length"] == str(len(archive))
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert disposition.isascii()
    assert f"filename*=UTF-8''{urllib.parse.quote(NAME)}.zip" in disposition
    assert disposition.startswith("attachment;")


def test_head_gives_the_headers_of_get_without_a_body(system: System, file_path: str) -> None:
    shown, head = system.get(file_path), system.call("HEAD", file_path)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "content-disposition", "etag", "accept-ranges", "cache-control"):
        assert head.headers[name] == shown.headers[name], name


# ── parts of it ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-299", 100, 300),
        ("bytes=5000-", 5000, None),
        ("bytes=-1000", -1000, None),
        ("bytes=-999999999", 0, None),
        ("bytes=10-999999999", 10, None),
    ],
)
def test_one_range_is_answered_206_with_exactly_its_bytes(
    system: System, file_path: str, archive: bytes, asked: str, start: int, end: int | None
) -> None:
    response = system.get(file_path, range=asked)

    part = archive[start:end]
    first = start % len(archive)
    assert response.status_code == 206
    assert response.content == part
    assert response.headers["content-length"] == str(len(part))
    assert response.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(archive)}"


def test_archive_fetched_in_ranges_is_the_archive(system: System, file_path: str, archive: bytes, etag: str) -> None:
    step_bytes = 9_973

    pieces = [
        system.get(file_path, range=f"bytes={start}-{start + step_bytes - 1}", if_range=etag)
        for start in range(0, len(archive), step_bytes)
    ]

    assert {piece.status_code for piece in pieces} == {206}
    assert b"".join(piece.content for piece in pieces) == archive


@pytest.mark.parametrize("asked", ["bytes=0-1,5-9", "bytes=9-5", "bytes=-", "bytes=a-b", "lines=1-2", "nonsense"])
def test_several_or_malformed_ranges_are_answered_with_the_whole(
    system: System, file_path: str, archive: bytes, asked: str
) -> None:
    response = system.get(file_path, range=asked)

    assert (response.status_code, response.content) == (200, archive)


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=-0"])
def test_range_outside_of_the_archive_is_answered_416_with_its_size(
    system: System, file_path: str, archive: bytes, asked: str
) -> None:
    response = system.get(file_path, range=asked)

    assert response.status_code == 416
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-range"] == f"bytes */{len(archive)}"
    assert response.json()["code"] == "RANGE_NOT_SATISFIABLE"


@pytest.mark.parametrize("validator", ['"another"', "Mon, 23 Nov 2026 10:00:00 GMT", 'W/"another"'])
def test_if_range_of_another_archive_gives_the_whole(
    system: System, file_path: str, archive: bytes, validator: str
) -> None:
    response = system.get(file_path, range="bytes=0-9", if_range=validator)

    assert (response.status_code, response.content) == (200, archive)


def test_head_with_a_range_gives_the_head_of_the_part(system: System, file_path: str) -> None:
    response = system.call("HEAD", file_path, range="bytes=0-9")

    assert response.content == b""
    assert response.headers["content-length"] in ("10", system.call("HEAD", file_path).headers["content-length"])


# ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_known_archive_is_answered_304(system: System, file_path: str, etag: str) -> None:
    for header in (etag, f"W/{etag}", f'"another", {etag}', "*"):
        response = system.get(file_path, if_none_match=header)

        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    assert system.get(file_path, if_none_match='"another"').status_code == 200


def test_if_match_of_another_archive_is_answered_412(system: System, file_path: str, etag: str) -> None:
    other = system.get(file_path, if_match='"another"', range="bytes=0-9")

    assert other.status_code == 412
    assert other.headers["content-type"] == "application/problem+json"
    assert system.get(file_path, if_match=f'"another", {etag}').status_code == 200
    assert system.get(file_path, if_match="*").status_code == 200


def test_archive_of_an_unfinished_job_is_answered_409(system: System) -> None:
    path = system.create_job(cargo.LONG[0])

    response = system.get(f"{path}/file")

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "NOT_READY"
