"""The catalogue in a file: how it is read, and read again."""

import asyncio
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY

from shared import limits
from shared.errors import SettingsError
from shared.objects.catalogue import CatalogueFile
from shared.objects.manifest import ALLOWED, Manifest
from shared.telemetry.metrics import configure_metrics

GOOD = '{"file_id": 70000, "name": "Übersicht 1.pdf", "key": "a/b.pdf"}'


@cache
def configured_metrics() -> object:
    """Start collecting, once for the process."""
    return configure_metrics("test")


def load(path: Path, *lines: str) -> Manifest:
    path.write_text("\n".join(lines), encoding="utf-8")
    return Manifest.load(path)


async def test_a_manifest_is_read_with_empty_lines_and_windows_line_ends(tmp_path: Path) -> None:
    catalogue = load(tmp_path / "m.jsonl", "", GOOD + "\r", "  ", '{"file_id":70001,"name":"b","key":"b"}', "")

    assert len(catalogue) == 2
    assert await catalogue.find([70000, 5], "local") == [CatalogueFile(70000, "Übersicht 1.pdf", "a/b.pdf"), None]


async def test_a_manifest_may_say_how_large_files_are(tmp_path: Path) -> None:
    sized = '{"file_id": 1, "name": "a", "key": "a", "size_bytes": 5000000000}'
    catalogue = load(tmp_path / "m.jsonl", sized, GOOD)

    found = await catalogue.find([1, 70000], "local")

    assert [file and file.size_bytes for file in found] == [5_000_000_000, None]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "malformed"),
        ("[1]", "object"),
        ('{"file_id": 1, "name": "a"}', "key is missing; it must be the key of an object, a text"),
        (
            '{"file_id": "1", "name": "a", "key": "a"}',
            "file_id must be a whole number from 1 to 9,007,199,254,740,991, not '1'.",
        ),
        ('{"file_id": 0, "name": "a", "key": "a"}', "file_id must be a whole number from 1 to"),
        ('{"file_id": 1, "name": "", "key": "a"}', "name must be a text of 1 to 1,024 characters, not ''."),
        ('{"file_id": 1, "name": "a", "key": "../a"}', "only dots"),
        (
            '{"file_id": 1, "name": "a", "key": "a", "nmae": "b"}',
            "'nmae' is not known; there is file_id, name, key, owners and size_bytes.",
        ),
        ('{"file_id": 1, "name": "a", "key": "a", "owners": "bob"}', "owners must be a list of owners, or null for"),
        ('{"file_id": 1, "name": "a", "key": "a", "owners": [""]}', "owners[0] must be the name of an owner, a text"),
        (
            '{"file_id": 1, "name": "a", "key": "a", "size_bytes": -1}',
            "size_bytes must be a whole number, 0 or more, or null",
        ),
        (GOOD, "file id 70000 is already that of line 1"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_problem(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "m.jsonl", GOOD, "", line)

    assert len(caught.value.problems) == 1
    assert "m.jsonl, line 3: " in caught.value.problems[0]
    assert problem in caught.value.problems[0]


def test_every_member_of_a_line_is_said_in_words() -> None:
    assert {name for name in ALLOWED if "[" not in name} == set(CatalogueFile.__struct_fields__)


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(GOOD.encode() + b'\n{"file_id": 1, "name": "\xff", "key": "a"}\n')

    with pytest.raises(SettingsError, match="line 2"):
        Manifest.load(path)


def test_all_bad_lines_are_reported_but_not_thousands(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "m.jsonl", *["bad"] * 1000)

    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "980 more lines are wrong."


def test_a_manifest_that_is_not_there_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        Manifest.load(tmp_path / "missing.jsonl")


def line(file_id: int, **more: object) -> str:
    """Write one good line."""
    return json.dumps({"file_id": file_id, "name": f"{file_id}.txt", "key": f"files/{file_id}", **more})


async def ids_in(catalogue: Manifest, *file_ids: int) -> list[int]:
    """Give those of the ids that the catalogue knows."""
    return [file.file_id for file in await catalogue.find(file_ids, "local") if file]


def reloads(outcome: str) -> float:
    """Read the counter as /metrics shows it."""
    configured_metrics()
    found = REGISTRY.get_sample_value("catalogue_reloads_total", {"outcome": outcome})
    return found or 0.0


async def test_owners_are_read() -> None:
    parsed = msgspec.json.decode(line(1, owners=["alice", "bob"]), type=CatalogueFile)

    assert (parsed.is_for("alice"), parsed.is_for("carol")) == (True, False)


@pytest.mark.parametrize("owners", [[""], "alice", [1], {"alice": 1}])
def test_owners_that_are_no_list_of_names_are_refused(tmp_path: Path, owners: object) -> None:
    with pytest.raises(SettingsError, match=r"line 1: .*owners"):
        load(tmp_path / "m.jsonl", line(1, owners=owners))


async def test_a_changed_manifest_is_taken_once_it_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    catalogue = load(path, line(1))
    path.write_text(f"{line(2)}\n{line(3)}\n", encoding="utf-8")

    await catalogue.poll()
    at_first_look = await ids_in(catalogue, 1, 2, 3)
    await catalogue.poll()

    assert at_first_look == [1]
    assert await ids_in(catalogue, 1, 2, 3) == [2, 3]


async def test_a_manifest_that_still_grows_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    catalogue = load(path, line(1))

    for file_id in range(2, 6):
        with path.open("a", encoding="utf-8") as growing:
            growing.write(f"\n{line(file_id)}")
        await catalogue.poll()
        assert await ids_in(catalogue, 1, 2, 3, 4, 5) == [1]

    await catalogue.poll()
    assert await ids_in(catalogue, 1, 2, 3, 4, 5) == [1, 2, 3, 4, 5]


async def test_a_replaced_manifest_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    catalogue = load(path, line(1))
    beside = tmp_path / "new"
    beside.write_text(line(2), encoding="utf-8")
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.rename(path)

    await catalogue.poll()
    await catalogue.poll()

    assert await ids_in(catalogue, 1, 2) == [2]


def destroy(path: Path) -> None:
    path.write_text(f"{line(2)}\n{{broken\n", encoding="utf-8")


@pytest.mark.parametrize("spoil", [destroy, Path.unlink, lambda path: (path.unlink(), path.mkdir())])
async def test_a_broken_manifest_is_refused_once_and_the_old_one_stays_until_it_is_mended(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "m.jsonl"
    catalogue = load(path, line(1))
    refused, taken = reloads("refused"), reloads("ok")

    spoil(path)
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            await catalogue.poll()
    kept = await ids_in(catalogue, 1, 2)
    if path.is_dir():
        path.rmdir()
    path.write_text(line(3), encoding="utf-8")
    for _ in range(2):
        await catalogue.poll()

    assert [entry["event"] for entry in logs] == ["catalogue refused"]
    assert str(path) in logs[0]["problems"][0]
    assert kept == [1]
    assert await ids_in(catalogue, 1, 3) == [3]
    assert (reloads("refused") - refused, reloads("ok") - taken) == (1, 1)


async def test_a_manifest_that_was_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = load(tmp_path / "m.jsonl", line(1))
    monkeypatch.setattr("shared.objects.manifest._read", lambda _: pytest.fail("it was read"))

    for _ in range(3):
        await catalogue.poll()


async def test_a_running_catalogue_takes_changes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MANIFEST_POLL_SECONDS", 0.01)
    path = tmp_path / "m.jsonl"
    catalogue = load(path, line(1))
    taken = asyncio.Event()
    monkeypatch.setattr(
        "shared.objects.manifest.log", SimpleNamespace(info=lambda *_, files: taken.set() if files == 2 else None)
    )
    running = asyncio.create_task(catalogue.run())
    path.write_text(f"{line(2)}\n{line(3)}\n", encoding="utf-8")

    await taken.wait()

    running.cancel()
    assert await ids_in(catalogue, 1, 2, 3) == [2, 3]


def test_a_manifest_that_is_too_large_or_no_file_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_MANIFEST_BYTES", 10)
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(SettingsError, match="a manifest may have 10"):
        load(tmp_path / "m.jsonl", line(1))
    with pytest.raises(SettingsError, match="is no regular file"):
        Manifest.load(tmp_path / "fifo")


# ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def line_of(file_id: int, name: str, **more: object) -> str:
    return json.dumps({"file_id": file_id, "name": name, "key": f"{file_id}", **more})


async def pages_of(catalogue: Manifest, owner: str, query: str = "", *, limit: int = 2) -> list[list[int]]:
    """Turn all pages; give the ids on each."""
    pages, after = list[list[int]](), 0
    while True:
        page = await catalogue.page(owner, query=query, after=after, limit=limit)
        pages.append([file.file_id for file in page.files])
        if page.next_after is None:
            return pages
        after = page.next_after


async def test_an_owner_is_shown_their_own_files_by_id_page_by_page(tmp_path: Path) -> None:
    catalogue = load(
        tmp_path / "m.jsonl",
        *(line_of(9, "i"), line_of(3, "c", owners=["bob"]), line_of(1, "a"), line_of(4, "d", owners=[])),
        *(line_of(7, "g", owners=["alice", "bob"]), line_of(5, "e")),
    )

    assert await pages_of(catalogue, "alice") == [[1, 5], [7, 9]]
    assert await pages_of(catalogue, "bob", limit=100) == [[1, 3, 5, 7, 9]]


async def test_names_are_searched_whatever_their_case_and_ids_too(tmp_path: Path) -> None:
    catalogue = load(tmp_path / "m.jsonl", line_of(70, "Übersicht.PDF"), line_of(71, "scan.pdf"), line_of(123, "x"))

    assert await pages_of(catalogue, "local", "übersicht.pdf") == [[70]]
    assert await pages_of(catalogue, "local", "PDF", limit=3) == [[70, 71]]
    assert await pages_of(catalogue, "local", "12") == [[123]]
    assert await pages_of(catalogue, "local", "nothing") == [[]]


async def test_one_page_looks_at_so_many_files_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILES_LOOKED_AT", 3)
    catalogue = load(tmp_path / "m.jsonl", *(line_of(number, "x" if number == 7 else "y") for number in range(1, 9)))

    assert await pages_of(catalogue, "local", "x") == [[], [], [7]]


async def test_files_of_a_changed_manifest_are_listed(tmp_path: Path) -> None:
    catalogue = load(tmp_path / "m.jsonl", line_of(1, "a"))
    assert await pages_of(catalogue, "local") == [[1]]

    (tmp_path / "new").write_text(line_of(1, "a") + "\n" + line_of(2, "b"))
    os.replace(tmp_path / "new", tmp_path / "m.jsonl")
    await catalogue.poll()
    await catalogue.poll()

    assert await pages_of(catalogue, "local") == [[1, 2]]
