"""The catalogue by convention, on a real directory."""

import asyncio
import os
from pathlib import Path

import pytest

from shared import limits
from shared.errors import CatalogueUnavailable, SettingsError
from shared.objects.catalogue import CatalogueFile
from shared.objects.directory import ObjectDirectory
from shared.objects.info import ObjectInfo
from shared.objects.key_template import KeyTemplate


def stock(root: Path, *keys: str) -> ObjectDirectory:
    """Make a store with these objects."""
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(b"x")
    return ObjectDirectory(root)


async def test_known_ids_get_the_name_at_the_end_of_their_key_and_others_nothing(tmp_path: Path) -> None:
    catalogue = KeyTemplate("files/{file_id}.pdf", stock(tmp_path, "files/1.pdf", "files/3.pdf"))

    found = await catalogue.find([3, 2, 1], "local")

    assert found == [
        CatalogueFile(3, "3.pdf", "files/3.pdf", size_bytes=1),
        None,
        CatalogueFile(1, "1.pdf", "files/1.pdf", size_bytes=1),
    ]


async def test_each_owner_has_files_of_their_own(tmp_path: Path) -> None:
    catalogue = KeyTemplate("{owner}/{file_id}", stock(tmp_path, "alice/1", "bob/2"))

    assert await catalogue.find([1, 2], "alice") == [CatalogueFile(1, "1", "alice/1", size_bytes=1), None]


async def test_an_owner_is_percent_encoded_but_for_what_names_are_made_of(tmp_path: Path) -> None:
    catalogue = KeyTemplate("{owner}/{file_id}", stock(tmp_path, "ann.lee%40example.org/1"))

    assert await catalogue.find([1], "ann.lee@example.org") == [
        CatalogueFile(1, "1", "ann.lee%40example.org/1", size_bytes=1)
    ]


@pytest.mark.parametrize(
    "owner", ["..", ".", "alice/..", "../alice", "x/../../a", "", "alice/private", "\0", "o" * 2000]
)
async def test_an_owner_is_one_component_of_the_key_and_never_a_way_out(tmp_path: Path, owner: str) -> None:
    store = stock(tmp_path / "root", "1", "alice/1", "alice/private/1", "files/1")
    stock(tmp_path, "1")

    assert await KeyTemplate("{owner}/{file_id}", store).find([1], owner) == [None]


async def test_metadata_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stock(tmp_path)

    async def head(key: str) -> ObjectInfo:
        return ObjectInfo(key, 1, "etag", 0, name="Übersicht.pdf")

    monkeypatch.setattr(store, "head", head)

    assert await KeyTemplate("files/{file_id}", store).find([7], "local") == [
        CatalogueFile(7, "Übersicht.pdf", "files/7", size_bytes=1)
    ]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("/files/{file_id}", "slash"),
        ("a/../{file_id}", "dots"),
        ("{tenant}/{file_id}", "{tenant} means nothing"),
        ("{owner}{file_id}", "the same keys"),
        ("{owner}00{file_id}", "the same keys"),
        ("{file_id}{owner}", "the same keys"),
    ],
)
def test_a_template_that_makes_no_key_is_refused_at_the_start(tmp_path: Path, template: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=r"^WAYBILL_CATALOGUE=template:") as caught:
        KeyTemplate(template, stock(tmp_path))

    assert problem in caught.value.message


async def test_what_is_no_file_is_unknown(tmp_path: Path) -> None:
    store = stock(tmp_path)
    (tmp_path / "1").mkdir()
    os.mkfifo(tmp_path / "2")

    assert await KeyTemplate("{file_id}", store).find([1, 2], "local") == [None, None]


class SlowStore(ObjectDirectory):
    """A store whose answers wait until they are let go; counts how many wait at once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go = asyncio.Event()
        self.waiting = 0
        self.most_waiting = 0

    async def head(self, key: str) -> ObjectInfo:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.go.wait()
        finally:
            self.waiting -= 1
        return ObjectInfo(key, 1, "etag", 0)


async def test_many_ids_are_looked_up_a_few_at_a_time_for_each_request_and_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CATALOGUE_LOOK_UPS_PER_PROCESS", 20)
    store = SlowStore(tmp_path)
    catalogue = KeyTemplate("{file_id}", store)
    requests = [asyncio.create_task(catalogue.find(range(1, 1001), "local"))]
    for _ in range(100):
        await asyncio.sleep(0)
    for_one = store.waiting
    requests += [asyncio.create_task(catalogue.find(range(1, 1001), "local")) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    store.go.set()

    found = await asyncio.gather(*requests)

    assert (for_one, store.most_waiting) == (limits.CATALOGUE_LOOK_UPS_AT_ONCE, 20)
    assert all(None not in files and len(files) == 1000 for files in found)


async def test_a_store_that_does_not_answer_in_time_is_told_and_leaves_nothing_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CATALOGUE_WITHIN_SECONDS", 0.05)
    store = SlowStore(tmp_path)

    with pytest.raises(CatalogueUnavailable, match="in time"):
        await KeyTemplate("{file_id}", store).find(range(1, 1001), "local")

    assert store.waiting == 0


async def test_a_store_that_fails_makes_the_catalogue_unavailable_and_tells_no_path(tmp_path: Path) -> None:
    store = stock(tmp_path / "root", "ok")
    (tmp_path / "root" / "1").symlink_to("/etc/hostname")

    with pytest.raises(CatalogueUnavailable) as caught:
        await KeyTemplate("{file_id}", store).find([1], "local")

    assert str(tmp_path) not in caught.value.message
