"""How often React works: twenty jobs at ten events a second each are shown without a storm of renders."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from shared.jobstore.operations import Answer, Run
from shared.jobstore.store import JobStore
from tests.browser.built_pages import build, show
from tests.support import cargo, jobs
from tests.support.stores import running_store
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS

JOBS = 20
EVENTS_PER_JOB = 100
EVENT_EVERY_SECONDS = 0.1
MAX_COMMITS_PER_SECOND = 4.5
"""The client publishes four times a second, and what begins or ends at once: at most 45 in ten seconds."""


@pytest.fixture
def unworked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway without a processor: the test writes the events."""
    with System(tmp_path_factory.mktemp("unworked"), processors=0) as running:
        yield running


async def _claim(store: JobStore, ids: list[str]) -> list[Run]:
    handed = [await jobs.take(store, job_id) for job_id in ids]
    return [await jobs.claim(store, one) for one in handed]


async def _write(redis_url: str, ids: list[str], begun: threading.Event, may_begin: threading.Event) -> None:
    """Begin all jobs, and when told so write the events of all but the last one, in step."""
    async with running_store(redis_url, partitions=1) as store:
        runs = await _claim(store, ids)
        begun.set()
        await asyncio.to_thread(may_begin.wait, PATIENCE_SECONDS)
        for number in range(1, EVENTS_PER_JOB + 1):
            message = jobs.progress(number / EVENTS_PER_JOB / 2, "writing")
            answers = await asyncio.gather(
                *(store.append_progress(run, seq=run.record.seq + number, message=message) for run in runs[:-1])
            )
            assert set(answers) == {Answer.OK}
            await asyncio.sleep(EVENT_EVERY_SECONDS)


def test_ten_events_a_second_of_twenty_jobs_are_at_most_45_commits_in_ten_seconds_and_none_elsewhere(
    browser: Browser, unworked: System, tmp_path: Path
) -> None:
    ids = [path.rpartition("/")[2] for path in unworked.create_jobs(JOBS + 1, *cargo.MIXED[:1])]
    begun, may_begin = threading.Event(), threading.Event()
    writer = threading.Thread(target=lambda: asyncio.run(_write(unworked.redis.url, ids, begun, may_begin)))
    writer.start()
    assert begun.wait(PATIENCE_SECONDS)

    tab = browser.new_context()
    page = tab.new_page()
    show(page, build("commits", tmp_path / "page"), at=unworked.url, job_ids=ids)
    page.wait_for_function("document.querySelectorAll('.waybill-job[data-state=processing]').length === 21")
    page.wait_for_function("performance.now() - quiet.sinceMs > 500")  # the opening itself is over
    page.evaluate("for (const name in commits) commits[name] = 0")
    began = time.monotonic()
    may_begin.set()
    page.wait_for_function(
        f"[...document.querySelectorAll('output')].filter(o => o.textContent === '0.5').length === {JOBS}"
    )
    commits = page.evaluate("commits")
    most = MAX_COMMITS_PER_SECOND * (time.monotonic() - began)
    writer.join()
    tab.close()

    rows = [commits[job_id] for job_id in ids]
    assert 10 <= commits["list"] <= most
    assert max(rows[:-1]) <= most
    assert rows[-1] == 0
