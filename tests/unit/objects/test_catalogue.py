"""What follows from what a catalogue knows."""

from collections.abc import Sequence

import pytest

from shared.caller_errors import FilesForbidden
from shared.objects.catalogue import CatalogueFile, FilesPage, select, unknown_files


class Shelf:
    """A catalogue of ids 70000 to 70009; 70008 is bob's, 70009 is nobody's."""

    owners: dict[int, tuple[str, ...]] = {70008: ("bob",), 70009: ()}  # noqa: RUF012

    async def find(self, file_ids: Sequence[int], owner: str) -> list[CatalogueFile | None]:
        return [
            CatalogueFile(file_id, f"{file_id}.txt", f"files/{file_id}", self.owners.get(file_id))
            if 70000 <= file_id < 70010
            else None
            for file_id in file_ids
        ]

    async def page(self, owner: str, *, query: str, after: int, limit: int) -> FilesPage:
        raise NotImplementedError

    async def run(self) -> None: ...


async def test_files_come_in_the_order_asked_and_unknown_ids_apart() -> None:
    selection = await select(Shelf(), [70003, 5, 70001, 6, 70002], "alice")

    assert [file.file_id for file in selection.files] == [70003, 70001, 70002]
    assert selection.unknown == (5, 6)


async def test_a_file_is_given_to_its_owners() -> None:
    selection = await select(Shelf(), [70008], "bob")

    assert [file.file_id for file in selection.files] == [70008]


async def test_all_files_of_others_are_named_and_nothing_is_given() -> None:
    with pytest.raises(FilesForbidden, match=r"^2 files belong to somebody else: 70009, 70008\. Leave") as caught:
        await select(Shelf(), [70001, 70009, 5, 70008], "alice")

    assert caught.value.file_ids == (70009, 70008)


def test_unknown_ids_are_named() -> None:
    error = unknown_files([5, 6])

    assert error.message.startswith("2 file ids are not in the catalogue: 5, 6. Leave")
    assert error.file_ids == (5, 6)


def test_one_unknown_id_and_no_other_is_not_to_be_left_out() -> None:
    assert unknown_files([5]).message == "1 file id is not in the catalogue: 5. Leave it out and ask again."
    assert unknown_files([5], is_some=False).message == (
        "1 file id is not in the catalogue: 5. There is nothing else to bundle: check the ids."
    )


def test_a_thousand_unknown_ids_make_a_short_message() -> None:
    error = unknown_files(range(1, 1001))

    assert "18, 19, 20 and 980 more." in error.message
    assert len(error.file_ids) == 1000
    assert len(error.message) < 200
