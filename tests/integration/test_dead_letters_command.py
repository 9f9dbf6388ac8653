"""`python -m processor dead-letters …` as operators run it: a real process, and a real Redis with real letters."""

import asyncio
import json
import math
import os
import signal
import sys
from typing import Any

import pytest

from deploy.local.valkey import EmbeddedValkey
from shared.jobs import JobState
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.operator import Ended, Operator
from tests.support.ports import free_ports
from tests.support.servers import frozen
from tests.support.waiting import PATIENCE_SECONDS

COMMAND = [sys.executable, "-m", "processor", "dead-letters"]


class DeadLetters(Operator):
    """Runs `dead-letters …` against one Redis; a letter is a line, however wide."""

    columns = math.inf

    async def run(self, *arguments: str) -> Ended:
        """Run the command to its end."""
        return await super().run("dead-letters", *arguments)

    async def listed(self, *filters: str) -> list[str]:
        """Give the jobs that a list shows."""
        ended = await self.run("list", "--json", *filters)
        assert ended.returncode == 0, ended.stderr
        return [letter["job_id"] for letter in objects(ended)]


def objects(ended: Ended) -> list[dict[str, Any]]:
    """Read the lines of --json."""
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def operator(server: Server) -> DeadLetters:
    """An operator of each set-up."""
    return DeadLetters(server.url)


@pytest.fixture
def somebody(redis_url: str) -> DeadLetters:
    """An operator of that one server."""
    return DeadLetters(redis_url)


async def state_of(store: JobStore, run: Run) -> JobState:
    """Read where a job stands."""
    record = await store.find(run.job_id)
    assert record is not None
    return record.state


# ── list and show ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_list_shows_the_letters_of_all_partitions_the_newest_first(
    store: JobStore, operator: DeadLetters
) -> None:
    runs: list[str] = []
    for _ in range(5):
        runs.append((await jobs.fail(store)).job_id)
        await asyncio.sleep(0.002)  # letters of two partitions are ordered by their millisecond

    newest_first = await operator.listed()
    oldest_two = await operator.run("list", "--oldest-first", "--limit", "2", "--json")

    assert newest_first == runs[::-1]
    assert [letter["job_id"] for letter in objects(oldest_two)] == runs[:2]
    assert oldest_two.stderr == "2 dead letters; there are more, see --limit\n"


async def test_list_is_a_readable_table_whose_counts_are_on_stderr(single: JobStore, somebody: DeadLetters) -> None:
    run = await jobs.fail(single)

    ended = await somebody.run("list")

    head, row = ended.stdout.splitlines()
    assert head.split() == ["FAILED", "AT", "(UTC)", "JOB", "REASON", "CODE", "ATTEMPTS", "OWNER", "ERROR"]
    assert row.split()[2:7] == [run.job_id, "failures", "SOURCE_CHANGED", "1", jobs.OWNER]
    assert ended.stderr == "1 dead letter\n"


async def test_filters_choose(single: JobStore, somebody: DeadLetters) -> None:
    failed, permanent = await jobs.fail(single), await jobs.fail(single, reason="permanent")

    assert await somebody.listed("--reason", "permanent") == [permanent.job_id]
    assert await somebody.listed("--job", failed.job_id) == [failed.job_id]
    assert await somebody.listed("--code", "CRASHED") == []
    assert await somebody.listed("--owner", jobs.OWNER, "--since", "1h") == [permanent.job_id, failed.job_id]
    assert await somebody.listed("--since", "2999-01-01") == []


async def test_a_list_of_an_empty_redis_is_no_error(somebody: DeadLetters) -> None:
    ended = await somebody.run("list")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "0 dead letters\n")


async def test_show_tells_all_of_one_letter_by_its_job_or_its_own_id(store: JobStore, operator: DeadLetters) -> None:
    run = await jobs.fail(store)
    letter = await jobs.letter_of(store, run.job_id)

    by_job, by_letter, as_json = (
        await operator.run("show", run.job_id),
        await operator.run("show", letter.dead_id),
        await operator.run("show", run.job_id, "--json"),
    )

    assert by_job.stdout == by_letter.stdout
    assert f"error      SOURCE_CHANGED: {jobs.BROKEN.message}\n" in by_job.stdout
    [shown] = objects(as_json)
    assert [event["type"] for event in shown["events"]] == ["queued", "started", "error"]
    assert (shown["dead_id"], shown["owner"], shown["attempts"]) == (letter.dead_id, jobs.OWNER, 1)


async def test_show_of_what_is_not_there_is_told(single: JobStore, somebody: DeadLetters) -> None:
    ended = await somebody.run("show", single.new_job_id())

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "There is no dead letter" in ended.stderr


# ── redrive and discard ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_redrive_queues_the_named_jobs_and_no_other(store: JobStore, operator: DeadLetters) -> None:
    first, second, other = [await jobs.fail(store) for _ in range(3)]
    letter = await jobs.letter_of(store, second.job_id)

    ended = await operator.run("redrive", first.job_id, letter.job_id, "--rate", "100/s")

    states = [await state_of(store, run) for run in (first, second, other)]
    assert (ended.returncode, ended.stderr) == (0, "2 redriven\n")
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert (await inspection.event_types(store, first.job_id))[-1] == "queued"


async def test_redrive_all_takes_what_the_filters_let_through(store: JobStore, operator: DeadLetters) -> None:
    failed, permanent = await jobs.fail(store), await jobs.fail(store, reason="permanent")

    ended = await operator.run("redrive", "--all", "--reason", "permanent", "--json")

    [line] = objects(ended)
    assert (line["outcome"], line["job_id"]) == ("redriven", permanent.job_id)
    assert await state_of(store, failed) is JobState.FAILED
    assert await state_of(store, permanent) is JobState.QUEUED


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(single: JobStore, somebody: DeadLetters) -> None:
    run = await jobs.fail(single)
    before = await inspection.everything_about(single, run.job_id)

    redrive, discard = (
        await somebody.run("redrive", run.job_id, "--dry-run"),
        await somebody.run("discard", "--all", "--yes", "--dry-run"),
    )

    assert (redrive.returncode, redrive.stderr) == (0, "1 would be redriven\n")
    assert (discard.returncode, discard.stderr) == (0, "1 would be discarded\n")
    assert await inspection.everything_about(single, run.job_id) == before


async def test_discard_deletes_the_letters_and_leaves_the_jobs_failed(store: JobStore, operator: DeadLetters) -> None:
    run = await jobs.fail(store)

    ended = await operator.run("discard", run.job_id)

    assert (ended.returncode, ended.stderr) == (0, "1 discarded\n")
    assert await operator.listed() == []
    assert await state_of(store, run) is JobState.FAILED


async def test_what_could_not_be_done_is_told_and_the_rest_is_done(single: JobStore, somebody: DeadLetters) -> None:
    run, forgotten = await jobs.fail(single), await jobs.fail(single)
    await single.connection.execute("DEL", f"waybill:{{0}}:job:{forgotten.job_id}")

    ended = await somebody.run("redrive", "1-1", forgotten.job_id, run.job_id)

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "1-1: there is no such letter (any more)",
        "1 not found, 1 forgotten by Redis, 1 redriven",
    ]


async def test_the_rate_is_kept_and_an_interruption_falls_between_two_letters(
    single: JobStore, somebody: DeadLetters
) -> None:
    runs = [await jobs.fail(single) for _ in range(3)]

    process = await asyncio.create_subprocess_exec(
        *COMMAND, "redrive", "--all", "--yes", "--rate", "0.01/s",
        env=somebody.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        first = (await process.stdout.readline()).decode()
        process.send_signal(signal.SIGINT)
        rest, told = await process.communicate()

    states = [await state_of(single, run) for run in runs]
    assert first.startswith(runs[0].job_id)
    assert (rest, told.decode()) == (b"", "1 redriven, stopped before the end\n")
    assert process.returncode == 1
    assert states == [JobState.QUEUED, JobState.FAILED, JobState.FAILED]


# ── usage ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: ACTION"),
        (["eat"], "invalid choice"),
        (["list", "--limit", "0"], "is not from 1 to 10,000"),
        (["list", "--since", "soon"], "'soon' is no time"),
        (["list", "--reason", "bad"], "invalid choice"),
        (["show"], "required: ID"),
        (["redrive"], "nothing chosen"),
        (["discard", "--reason", "crashes"], "nothing chosen"),
        (["redrive", "--all"], "add a filter, or --yes"),
        (["redrive", "1-1", "--all"], "either IDs, or --all"),
        (["redrive", "1-1", "--rate", "0"], "'0' is no rate"),
    ],
)
async def test_a_wrong_usage_touches_nothing_and_says_why(
    single: JobStore, somebody: DeadLetters, arguments: list[str], told: str
) -> None:
    run = await jobs.fail(single)

    ended = await somebody.run(*arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert await state_of(single, run) is JobState.FAILED
    assert (await single.backlog(0)).dead_letters == 1


@pytest.mark.parametrize("level", [[], ["list"], ["show"], ["redrive"], ["discard"]])
async def test_help_is_there_at_every_level(level: list[str]) -> None:
    ended = await DeadLetters("http://wrong").run(*level, "--help")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("usage: python -m processor dead-letters")


async def test_a_redis_that_is_away_is_one_line_within_seconds() -> None:
    [port] = free_ports(1)

    ended = await DeadLetters(f"redis://:hunter2@127.0.0.1:{port}/0").run("list")

    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line == (
        f"processor dead-letters: Redis cannot be reached at redis://:***@127.0.0.1:{port}/0: connection refused. "
        "Check that it is up, and REDIS_URL."
    )


async def test_a_server_without_tls_that_is_asked_for_it_is_told_how_its_url_begins(
    standalone_server: EmbeddedValkey,
) -> None:
    ended = await DeadLetters(standalone_server.url.replace("redis://", "rediss://")).run("list")

    assert ended.returncode == 2
    assert "without TLS it is redis:// and not rediss://" in ended.stderr


async def test_a_redis_that_goes_away_midway_is_told_with_what_was_done(
    single: JobStore, somebody: DeadLetters, standalone_server: EmbeddedValkey
) -> None:
    runs = [await jobs.fail(single) for _ in range(2)]

    process = await asyncio.create_subprocess_exec(
        *COMMAND, "redrive", "--all", "--yes", "--rate", "1/s",
        env=somebody.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        first = await process.stdout.readline()
        with frozen(standalone_server):
            _, told = await process.communicate()

    assert first.startswith(runs[0].job_id.encode())
    assert process.returncode == 2
    done, reason = told.decode().splitlines()
    assert done == "1 redriven"
    assert "did not answer in time" in reason


async def test_a_wrong_setting_is_one_line() -> None:
    ended = await DeadLetters("http://:hunter2@h").run("list")

    [line] = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert "REDIS_URL=" in line
    assert "hunter2" not in line


async def test_a_reader_that_leaves_early_is_no_error_with_a_traceback(single: JobStore, somebody: DeadLetters) -> None:
    for _ in range(3):
        await jobs.fail(single)
    read_end, write_end = os.pipe()
    os.close(read_end)

    process = await asyncio.create_subprocess_exec(
        *COMMAND, "list", env=somebody.environment, stdout=write_end, stderr=asyncio.subprocess.PIPE
    )
    os.close(write_end)
    _, told = await process.communicate()

    assert b"Traceback" not in told
    assert process.returncode == 141
