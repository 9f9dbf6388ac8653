import pytest

from shared.errors import UnknownFiles
from shared.objects.catalogue import Catalogue, CatalogueFile

CATALOGUE = Catalogue(CatalogueFile(file_id, f"{file_id}.txt", f"files/{file_id}") for file_id in range(70000, 70010))


def test_files_come_in_the_order_asked() -> None:
    found = CATALOGUE.find([70003, 70001, 70002])

    assert [file.file_id for file in found] == [70003, 70001, 70002]


def test_unknown_ids_are_named() -> None:
    with pytest.raises(UnknownFiles, match=r"^2 file ids are not in the catalogue: 5, 6\. Leave") as caught:
        CATALOGUE.find([70001, 5, 70002, 6])

    assert caught.value.file_ids == (5, 6)


def test_a_thousand_unknown_ids_make_a_short_message() -> None:
    with pytest.raises(UnknownFiles, match=r"18, 19, 20 and 980 more\.") as caught:
        CATALOGUE.find(range(1, 1001))

    assert len(caught.value.file_ids) == 1000
    assert len(caught.value.message) < 200
