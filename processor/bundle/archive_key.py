"""The key of a bundle's archive: it says whose archive it is, and what is in it. Pure."""

import re

from shared.jobs import partition_of

# Exactly as it is given below, and has always been: what is only alike is an object of somebody's own handler.
_KEY = re.compile(r"bundles/([0-9a-f-]{36})/[0-9a-f]{16}\.zip", re.ASCII)


def archive_key(job_id: str, plan_hash: str) -> str:
    """Give the key of the archive that a plan of a job becomes."""
    return f"bundles/{job_id}/{plan_hash[:16]}.zip"


def job_of_archive(key: str) -> str | None:
    """Read whose archive it is; None for a key that no bundle has: nobody here may touch what lies under it."""
    found = _KEY.fullmatch(key)
    return found[1] if found and partition_of(found[1]) is not None else None
