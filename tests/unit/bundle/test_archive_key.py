"""A key says whose archive it is; what no bundle has written names nobody."""

import pytest

from processor.bundle.archive_key import archive_key, job_of_archive
from shared.jobs import make_job_id

JOB_ID = make_job_id(3, 2**110 - 1)
HASH = "0123456789abcdef" * 4


def test_whose_archive_it_is_can_be_read_from_its_key() -> None:
    assert job_of_archive(archive_key(JOB_ID, HASH)) == JOB_ID


@pytest.mark.parametrize(
    "key",
    [
        "",
        "report.zip",
        f"reports/{JOB_ID}/{HASH[:16]}.zip",
        f"bundles/{JOB_ID}/1.zip",
        f"bundles/{JOB_ID}/{HASH[:16]}",
        f"bundles/{JOB_ID}/{HASH[:32]}.zip",
        f"{JOB_ID}/{HASH[:16]}.zip",
        f"{JOB_ID}/{HASH}",
        f"bundles/{JOB_ID}/{HASH[:16]}.pdf",
        f"bundles/{JOB_ID}/{HASH[:16]}.zip/x",
        f"bundles/{JOB_ID}/{HASH[:16]}.zip\n",
        f"bundles/{JOB_ID.upper()}/{HASH[:16]}.zip",
        f"bundles/00000000-0000-4000-8000-000000000000/{HASH[:16]}.zip",
        f"other/bundles/{JOB_ID}/{HASH[:16]}.zip",
    ],
)
def test_what_is_not_named_as_bundles_are_is_nobodys(key: str) -> None:
    assert job_of_archive(key) is None
