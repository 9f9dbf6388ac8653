"""A list of jobs through real gateways, while a processor works on them and others are created."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.support import cargo
from tests.support.system import JOBS, System


def pages_of(system: System, query: str) -> list[list[str]]:
    """Turn all pages, each through the other gateway; give the paths on each."""
    pages: list[list[str]] = []
    cursor = ""
    while True:
        page = system.get(f"{JOBS}?{query}{cursor}", gateway=len(pages) % 2).json()
        pages.append([f"{JOBS}/{job['job_id']}" for job in page["jobs"]])
        if page["next_cursor"] is None:
            return pages
        cursor = f"&cursor={page['next_cursor']}"


def test_every_job_is_listed_once_while_others_are_created(system: System) -> None:
    old = system.create_jobs(30, *cargo.MIXED)

    with ThreadPoolExecutor(max_workers=1) as pool:
        creating = pool.submit(system.create_jobs, 30, *cargo.MIXED)
        pages = pages_of(system, "limit=7")
        new = creating.result()

    listed = [path for page in pages for path in page]
    assert max(Counter(listed).values()) == 1
    assert set(old) <= set(listed)
    assert set(new) <= {path for page in pages_of(system, "limit=100") for path in page}


def test_what_has_ended_is_listed_as_it_ended_and_what_was_deleted_is_not(system: System) -> None:
    kept, deleted = system.create_jobs(2, *cargo.MIXED)
    system.wait_for_end(kept)
    system.call("DELETE", deleted)

    jobs = system.get(f"{JOBS}?limit=100").json()["jobs"]
    completed = {path for page in pages_of(system, "status=completed&limit=100") for path in page}

    assert system.record(kept) in jobs
    assert deleted.rpartition("/")[2] not in {job["job_id"] for job in jobs}
    assert kept in completed
    assert deleted not in completed
