"""The waybill command against a real system: what it prints, and every exit code that a real system can bring about."""

import json
import re
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.system import JOBS, System
from tests.support.waybill_command import WaybillCommand

IDS = cargo.ids_of(*cargo.MIXED)
LONG_IDS = cargo.ids_of(*cargo.LONG)
JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def command(system: System, tmp_path: Path) -> WaybillCommand:
    return WaybillCommand(system.url, tmp_path)


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this module's own, in which a source is missing."""
    with System(tmp_path_factory.mktemp("breakable")) as running:
        (running.sources_dir / cargo.LONG[-1].key).unlink()
        yield running


def contents(path: Path) -> list[bytes]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(entry) for entry in archive.infolist()]


# ── get ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_get_makes_fetches_and_checks_and_prints_the_path_alone(command: WaybillCommand) -> None:
    done = command.run("get", *IDS, "--name", "cargo")

    assert (done.returncode, done.stdout) == (0, "cargo.zip\n")
    assert contents(command.directory / "cargo.zip") == [file.content for file in cargo.MIXED]
    assert [path.name for path in command.directory.iterdir()] == ["cargo.zip"]
    assert "Ready: " in done.stderr
    assert "\x1b" not in done.stderr


def test_callback_is_the_jobs_and_one_that_goes_nowhere_is_refused(command: WaybillCommand, system: System) -> None:
    job_id = command.run("submit", *IDS, "--callback", "https://127.0.0.1/done").stdout.strip()
    refused = command.run("submit", *IDS, "--callback", "https://10.0.0.1/")

    assert system.field(f"{JOBS}/{job_id}", "callback_url") == "https://127.0.0.1/done"
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "callback_url leads to 10.0.0.1" in refused.stderr


def test_get_refuses_to_replace_a_file_before_it_asks_for_a_job(command: WaybillCommand) -> None:
    (command.directory / "mine.zip").write_bytes(b"mine")

    refused = command.run("get", *IDS, "-o", "mine.zip")
    forced = command.run("get", *IDS, "-o", "mine.zip", "--force", "-q")

    assert (refused.returncode, refused.stdout) == (7, "")
    assert "mine.zip exists already. Choose another name (-o), or replace it (--force" in refused.stderr
    assert (forced.returncode, forced.stderr) == (0, "")
    assert len(contents(command.directory / "mine.zip")) == len(cargo.MIXED)


def test_get_into_a_pipe_gives_the_bytes_alone(command: WaybillCommand, system: System) -> None:
    job_id = command.run("submit", *IDS).stdout.strip()

    got = subprocess.run(
        command.line("get", "--job", job_id, "-o", "-"),
        env=dict(command.variables),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert got.stdout == system.archive(f"/v1/download/jobs/{job_id}")


def test_get_reads_ids_from_its_input_and_prints_json(command: WaybillCommand) -> None:
    done = command.run("get", "--from-file", "-", "--json", "-o", "a.zip", stdin="70000, 70001\n70002\n")

    shown = json.loads(done.stdout)
    assert (done.returncode, shown["path"], shown["skipped_files"]) == (0, "a.zip", 0)
    assert shown["archive_bytes"] == (command.directory / "a.zip").stat().st_size
    assert len(contents(command.directory / "a.zip")) == 3


def test_a_full_path_may_be_a_directory(command: WaybillCommand) -> None:
    (command.directory / "inbox").mkdir()

    done = command.run("get", IDS[0], "-o", "inbox", "--name", "one.zip")

    assert done.stdout == f"{Path('inbox/one.zip')}\n"


def test_files_that_are_left_out_are_told_by_a_strict_exit_code(command: WaybillCommand) -> None:
    asked = ["get", IDS[0], "1", "--on-missing", "skip", "-o"]

    lenient, strict = command.run(*asked, "a.zip"), command.run(*asked, "b.zip", "--strict")

    assert (lenient.returncode, strict.returncode) == (0, 9)
    assert "1 of 2 files was missing and left out" in strict.stderr
    assert strict.stdout == "b.zip\n"


def test_get_of_a_job_that_has_ended_tells_what_was_left_out(command: WaybillCommand) -> None:
    job_id = command.run("submit", IDS[0], "1", "--on-missing", "skip").stdout.strip()
    assert command.run("watch", job_id).returncode == 0

    done = command.run("get", "--job", job_id, "-o", "late.zip")

    assert (done.returncode, done.stdout) == (0, "late.zip\n")
    assert "1 of 2 files was missing and left out" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["get", "7000x"], "'7000x', the 1st of the file ids, is not a number"),
        (["get"], "Name at least one file id"),
        (["get", *range(1, 1_002)], "1,001 files; at most 1,000 per archive. Split the request."),
        (["submit", "--key", "wb_secret", "1"], "No such option '--key'"),
        (["submit", "70000", "70000"], "70000"),
        (["watch"], "Missing argument"),
    ],
    ids=["no number", "none", "too many", "a key in a flag", "refused by the server", "no job"],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(command: WaybillCommand, words: list[str], told: str) -> None:
    done = command.run(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())


def test_a_job_that_fails_exits_with_1_and_says_why(breakable: System, tmp_path: Path) -> None:
    command = WaybillCommand(breakable.url, tmp_path)

    done = command.run("get", cargo.LONG[-1].file_id)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"File {cargo.LONG[-1].file_id} does not exist any more." in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_says_why_a_job_has_failed(breakable: System, tmp_path: Path) -> None:
    command = WaybillCommand(breakable.url, tmp_path)
    job_id = command.run("submit", cargo.LONG[-1].file_id).stdout.strip()
    assert command.run("watch", job_id).returncode == 1

    table, shown = command.run("status", job_id), command.run("status", job_id, "--json")

    _, row, reason = table.stdout.splitlines()
    assert row.split()[:2] == [job_id, "failed"]
    assert reason == f"  {json.loads(shown.stdout)[0]['error']['message']}"
    assert len(command.run("list", "--limit", "1").stdout.splitlines()) == 2


def test_a_failed_job_is_retried_under_its_id(breakable: System, tmp_path: Path) -> None:
    command, lost = WaybillCommand(breakable.url, tmp_path), cargo.LONG[-1]
    job_id = command.run("submit", lost.file_id).stdout.strip()
    assert command.run("watch", job_id).returncode == 1
    (breakable.sources_dir / lost.key).write_bytes(lost.content)

    retried = command.run("retry", job_id)

    assert (retried.returncode, retried.stdout) == (0, "queued\n")
    assert command.run("watch", job_id).returncode == 0
    (breakable.sources_dir / lost.key).unlink()


def test_the_same_get_after_a_failure_asks_for_a_new_job(breakable: System, tmp_path: Path) -> None:
    command, lost = WaybillCommand(breakable.url, tmp_path), cargo.LONG[-1]
    assert command.run("get", lost.file_id).returncode == 1
    (breakable.sources_dir / lost.key).write_bytes(lost.content)

    again = command.run("get", lost.file_id)

    assert again.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [again.stdout.strip()]
    (breakable.sources_dir / lost.key).unlink()


# ── time and signals ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_timeout_exits_with_124_and_the_same_command_goes_on(command: WaybillCommand, system: System) -> None:
    cut = command.run("get", LONG_IDS[0], "--timeout", "0.7")
    [job_id] = set(JOB_ID.findall(cut.stderr))

    again = command.run("get", LONG_IDS[0])

    assert cut.returncode == 124
    assert f"waybill get --job {job_id}" in cut.stderr
    assert again.returncode == 0
    assert f"Going on with job {job_id}" in again.stderr
    assert [path.name for path in command.directory.iterdir()] == [again.stdout.strip()]


def test_an_interrupt_leaves_the_job_and_says_how_to_go_on(command: WaybillCommand, system: System) -> None:
    with command.start("get", *LONG_IDS) as started:
        started.told("Bundling")

        started.process.send_signal(signal.SIGINT)
        code, said, told = started.end()

    [job_id] = set(JOB_ID.findall(told))
    assert (code, said) == (130, "")
    assert f"waybill get --job {job_id}" in told
    assert system.record(f"/v1/download/jobs/{job_id}")["status"] == "processing"
    assert command.run("cancel", job_id).returncode == 0


def test_an_interrupt_cancels_where_that_is_asked_for(command: WaybillCommand, system: System) -> None:
    with command.start("get", *LONG_IDS, "--cancel-on-interrupt", "-v") as started:
        [job_id] = JOB_ID.findall(started.told("Job "))
        started.told("Bundling")

        started.process.send_signal(signal.SIGINT)
        code, _, _ = started.end()

    assert code == 130
    assert system.wait_for_end(f"/v1/download/jobs/{job_id}")["status"] == "cancelled"


def test_a_reader_that_leaves_ends_it_quietly(command: WaybillCommand) -> None:
    job_id = command.run("submit", *LONG_IDS[:2]).stdout.strip()
    with command.start("watch", job_id, "--json", "-q") as started:
        assert json.loads(started.printed())["type"] == "snapshot"
        assert started.process.stdout is not None
        assert started.process.stderr is not None

        started.process.stdout.close()

        assert started.process.stderr.read() == ""
        assert started.process.wait(60) == 141


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_watch_prints_the_messages_of_the_log(command: WaybillCommand, system: System) -> None:
    job_id = command.run("submit", LONG_IDS[0]).stdout.strip()

    done = command.run("watch", job_id, "--json")

    messages = [json.loads(line) for line in done.stdout.splitlines()]
    log = {event["id"]: event for event in system.log(f"/v1/download/jobs/{job_id}")}
    assert messages[0]["type"] == "snapshot"
    assert messages[-1]["type"] == "completed"
    assert all(message["job_id"] == job_id for message in messages)
    assert all(log[message["id"]]["type"] == message["type"] for message in messages[1:])


def test_watch_of_several_gives_the_worst_and_names_each(command: WaybillCommand) -> None:
    ended = command.run("submit", IDS[0]).stdout.strip()
    cancelled = command.run("submit", *LONG_IDS).stdout.strip()
    gone = command.run("submit", IDS[1]).stdout.strip()
    assert command.run("cancel", cancelled).returncode == 0
    assert command.run("watch", ended).returncode == 0

    two = command.run("watch", ended, cancelled)
    assert command.run("rm", gone).stdout == "deleted\n"
    three = command.run("watch", ended, cancelled, gone)

    assert (two.returncode, three.returncode) == (3, 5)
    assert f"{ended[:8]}: Ready" in two.stderr
    assert f"{cancelled[:8]}: You cancelled this download." in two.stderr


def test_a_cancelled_job_exits_with_3(command: WaybillCommand) -> None:
    job_id = command.run("submit", *LONG_IDS).stdout.strip()
    cancelled = command.run("cancel", job_id)

    watched, got = command.run("watch", job_id), command.run("get", "--job", job_id)

    assert cancelled.stdout in ("cancelled\n", "processing\n")
    assert (watched.returncode, got.returncode, got.stdout) == (3, 3, "")


def test_what_is_not_there_exits_with_5(command: WaybillCommand) -> None:
    job_id = command.run("submit", IDS[0]).stdout.strip()
    assert command.run("rm", job_id).returncode == 0

    for words in (["status", job_id], ["watch", job_id], ["get", "--job", job_id], ["get", "1"], ["cancel", job_id]):
        done = command.run(*words)
        assert (done.returncode, done.stdout) == (5, ""), words
        assert done.stderr.startswith("waybill: ")


def test_status_and_list_show_tables_and_json(command: WaybillCommand) -> None:
    job_id = command.run("submit", IDS[0], "--name", "a long name " * 12).stdout.strip()
    assert command.run("watch", job_id).returncode == 0

    table, listed = command.run("status", job_id), command.run("list", "--status", "completed", "--limit", "100")
    shown, all_shown = command.run("status", job_id, "--json"), command.run("list", "--json", "--limit", "1")

    head, row = table.stdout.splitlines()
    assert head.split() == ["JOB", "STATUS", "DONE", "FILES", "SIZE", "CREATED", "NAME"]
    assert row.split()[:4] == [job_id, "completed", "100%", "1/1"]
    assert row.endswith(("a long name " * 12).rstrip())
    assert [line for line in listed.stdout.splitlines() if line.startswith(job_id)] != []
    assert json.loads(shown.stdout)[0]["job_id"] == job_id
    assert len(json.loads(all_shown.stdout)) == 1


def test_doctor_watches_a_stream_and_removes_its_own_job(command: WaybillCommand, system: System) -> None:
    before = len(json.loads(command.run("list", "--json", "--limit", "100").stdout))

    done = command.run("doctor", system.url, "--file", LONG_IDS[0], "--seconds", "1")

    assert done.returncode == 0
    assert "Live updates come through" in done.stdout
    assert "The stream stayed open for the 1 seconds" in done.stdout
    assert "clock and this machine's agree" in done.stdout
    assert len(json.loads(command.run("list", "--json", "--limit", "100").stdout)) == before
