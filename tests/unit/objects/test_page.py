"""docs/object-store.md, held to what the programs read."""

import re
from pathlib import Path

import pytest

from shared.objects import location
from shared.processor_settings import ProcessorSettings
from shared.setting import settings_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "object-store.md").read_text(encoding="utf-8")


def test_the_page_has_a_row_for_every_option_and_for_no_other() -> None:
    table = PAGE.partition("## Options of")[2].partition("\n**Links.**")[0]

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(location.OPTIONS)


def test_every_example_of_an_option_is_read() -> None:
    examples = re.findall(r"^\| `\w+` .*`(\w+=[^`]+)` *\|$", PAGE, re.MULTILINE)
    alone = {name: f"{name}={value}" for name, value in (example.split("=", 1) for example in examples)}

    assert len(examples) >= 9
    needed = {"kms_key": "&sse=aws:kms"}
    for name, example in alone.items():
        url = f"s3://bundles?{example}{needed.get(name, '')}"
        assert isinstance(location.parse_location(url, variable="X"), location.S3Options)


@pytest.mark.parametrize(
    "right",
    [
        "GetObject",
        "PutObject",
        "AbortMultipartUpload",
        "ListMultipartUploadParts",
        "ListBucket",
        "ListBucketMultipartUploads",
        "DeleteObject",
    ],
)
def test_the_page_names_the_rights(right: str) -> None:
    assert f"s3:{right}`" in PAGE.partition("## Rights")[2]


def test_the_page_names_the_variables_of_stores() -> None:
    stores = [s.variable for s in settings_of(ProcessorSettings) if s.field.startswith(("sources_", "objects_"))]

    assert len(stores) == 10
    assert all(name in PAGE or name.replace("OBJECTS", "SOURCES") in PAGE for name in stores)
