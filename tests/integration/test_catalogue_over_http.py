"""What callers see of the catalogue, of owners and of skipped files, through real processes."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.service import Service

LINES = [
    {"file_id": 70000, "name": "a.txt", "key": "a"},
    {"file_id": 70001, "name": "b.txt", "key": "gone"},
    {"file_id": 70002, "name": "c.txt", "key": "c", "owners": ["somebody"]},
    {"file_id": 70003, "name": "d.txt", "key": "d", "owners": ["local"]},
]


class Caller:
    """Calls one gateway."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask_for(self, *file_ids: int, **more: object) -> httpx.Response:
        """Ask for a job."""
        return self.http.post("/v1/download/jobs", json={"file_ids": file_ids, **more})

    def events_of(self, path: str) -> list[dict[str, Any]]:
        """Follow the whole log of a job; returns once it has ended."""
        text = self.http.get(f"{path}/stream?last_event_id=0-0", headers={"accept": "text/event-stream"}).text
        return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@contextmanager
def running(module: str, settings: dict[str, str]) -> Iterator[Service]:
    """Run a gateway or a processor with these settings."""
    port, admin_port = free_ports(2)
    ports = {"WAYBILL_PORT": str(port), "WAYBILL_ADMIN_PORT": str(admin_port)}
    service = Service(module, settings | ports, Path(settings["WAYBILL_OBJECTS_DIR"]).with_name(f"{module}.log"))
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.close()


@contextmanager
def calling_gateway(settings: dict[str, str]) -> Iterator[Caller]:
    """Run a gateway with these settings."""
    with running("gateway", settings) as gateway, local_client(within_seconds=60) as http:
        http.base_url = httpx.URL(gateway.url)
        yield Caller(http)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    for key in ("a", "c", "d"):
        (tmp_path / "sources" / key).write_text(key, encoding="utf-8")
    (tmp_path / "catalogue.jsonl").write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    return tmp_path


@pytest.fixture
def settings(home: Path, redis_url: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "WAYBILL_CATALOGUE": str(home / "catalogue.jsonl"),
        "WAYBILL_SOURCES_DIR": str(home / "sources"),
        "WAYBILL_OBJECTS_DIR": str(home / "objects"),
    }


@pytest.fixture
def caller(settings: dict[str, str]) -> Iterator[Caller]:
    with calling_gateway(settings) as caller:
        yield caller


def test_files_of_others_are_forbidden_and_named(caller: Caller) -> None:
    answers = [caller.ask_for(70000, 70002, on_missing=on_missing) for on_missing in ("fail", "skip")]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (403, "FILES_FORBIDDEN")
        assert answer.json()["file_ids"] == [70002]
        assert "somebody" not in answer.text.replace("somebody else", "")


def test_unknown_ids_are_refused_unless_they_may_be_skipped_and_others_are_known(caller: Caller) -> None:
    strict = caller.ask_for(70000, 5)
    lenient = caller.ask_for(70000, 5, on_missing="skip")
    nothing_left = caller.ask_for(5, 6, on_missing="skip")

    assert (strict.status_code, strict.json()["file_ids"]) == (422, [5])
    assert lenient.status_code == 202
    assert (nothing_left.status_code, nothing_left.json()["file_ids"]) == (422, [5, 6])


def test_skipped_files_are_in_the_record_the_last_event_and_the_archive(
    caller: Caller, settings: dict[str, str]
) -> None:
    with running("processor", settings):
        path = caller.ask_for(70001, 70003, 5, 70000, on_missing="skip").headers["location"]
        end = caller.events_of(path)[-1]

    record = caller.http.get(path).json()
    skipped = [
        {"file_id": 70001, "name": "b.txt", "reason": "missing"},
        {"file_id": 5, "name": None, "reason": "unknown"},
    ]
    assert (end["type"], end["files"], end["skipped_files"], end["skipped"]) == ("completed", 2, 2, skipped)
    assert (record["on_missing"], record["skipped_files"], record["skipped"]) == ("skip", 2, skipped)
    assert (record["files_processed"], record["total_files"]) == (4, 4)
    with zipfile.ZipFile(io.BytesIO(caller.http.get(f"{path}/file").content)) as archive:
        assert archive.namelist() == ["d.txt", "a.txt", "skipped-files.json"]


def test_a_job_of_which_every_file_is_gone_fails_at_once_with_their_ids(
    caller: Caller, settings: dict[str, str]
) -> None:
    with running("processor", settings):
        path = caller.ask_for(70001, on_missing="skip").headers["location"]
        events = caller.events_of(path)

    assert [event["type"] for event in events if event["type"] != "progress"] == ["queued", "started", "error"]
    assert (events[-1]["error"]["code"], events[-1]["error"]["file_ids"]) == ("SOURCE_MISSING", [70001])


def test_a_template_is_looked_up_by_gateway_and_processor(settings: dict[str, str], home: Path) -> None:
    (home / "sources" / "local").mkdir()
    (home / "sources" / "local" / "7.txt").write_text("seven", encoding="utf-8")
    settings["WAYBILL_CATALOGUE"] = "template:{owner}/{file_id}.txt"

    with (
        calling_gateway(settings) as caller,
        running("processor", settings),
    ):
        unknown = caller.ask_for(7, 8)
        path = caller.ask_for(7).headers["location"]
        end = caller.events_of(path)[-1]
        archive = caller.http.get(f"{path}/file").content

    assert (unknown.status_code, unknown.json()["file_ids"]) == (422, [8])
    assert end["type"] == "completed"
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["7.txt"]


def test_a_hook_that_fails_is_answered_with_503_and_leaks_nothing(settings: dict[str, str], home: Path) -> None:
    (home / "my_hook.py").write_text("def find(ids, owner):\n    raise LookupError('secret 70000')", encoding="utf-8")
    settings |= {"WAYBILL_CATALOGUE": "hook:my_hook:find", "PYTHONPATH": str(home)}

    with calling_gateway(settings) as caller:
        answer = caller.ask_for(70000)

    assert (answer.status_code, answer.json()["code"]) == (503, "CATALOGUE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    assert "70000" not in answer.text
    assert "secret" not in answer.text


# ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_callers_are_shown_what_they_may_have_when_operators_allow_it(home: Path, settings: dict[str, str]) -> None:
    with calling_gateway(settings | {"WAYBILL_LIST_FILES": "true"}) as caller:
        first = caller.http.get("/v1/download/files?limit=2")
        rest = caller.http.get(f"/v1/download/files?limit=2&cursor={first.json()['next_cursor']}")
        searched = caller.http.get("/v1/download/files?query=D.TXT")
        refused = caller.http.get("/v1/download/files?limit=0")

    assert first.json()["files"] == [
        {"file_id": 70000, "name": "a.txt", "size_bytes": None},
        {"file_id": 70001, "name": "b.txt", "size_bytes": None},
    ]
    assert ([file["file_id"] for file in rest.json()["files"]], rest.json()["next_cursor"]) == ([70003], None)
    assert [file["name"] for file in searched.json()["files"]] == ["d.txt"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_LIMIT")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "not listed here"),
        ({"WAYBILL_LIST_FILES": "true", "WAYBILL_CATALOGUE": "template:files/{file_id}"}, "template of keys"),
    ],
    ids=["unless operators allow it", "where the catalogue knows ids alone"],
)
def test_files_are_not_listed(settings: dict[str, str], more: dict[str, str], sentence: str) -> None:
    with calling_gateway(settings | more) as caller:
        answer = caller.http.get("/v1/download/files")

    assert (answer.status_code, answer.json()["code"]) == (404, "FILES_NOT_LISTED")
    assert sentence in answer.json()["detail"]
