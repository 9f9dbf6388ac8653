"""The command against a gateway with faults: the exit codes that only trouble brings about, and what is said then."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.client.command import settings
from gateway.client.command.program import waybill
from tests.integration.client.conftest import ARCHIVE
from tests.support.faulty_gateway import (
    ETAG,
    JOB_ID,
    JOB_PATH,
    FaultyGateway,
    Hang,
    Pieces,
    Request,
    answer,
    frame,
    head,
    nothing,
    problem,
    stream,
    web_page,
)
from tests.support.ports import free_ports
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.waybill_command import WaybillCommand

FILE = f"GET {JOB_PATH}/file"
STREAM = f"GET {JOB_PATH}/stream"
CREATE = "POST /v1/download/jobs"
METHODS = ("GET", "POST", "DELETE")


@pytest.fixture
def faulty() -> Iterator[FaultyGateway]:
    with FaultyGateway(ARCHIVE) as running:
        yield running


@pytest.fixture
def command(faulty: FaultyGateway, tmp_path: Path) -> WaybillCommand:
    return WaybillCommand(faulty.url, tmp_path)


@pytest.mark.parametrize(
    ("refusal", "code", "told"),
    [
        (
            lambda: problem(401, "UNAUTHENTICATED", "Send a key."),
            4,
            "Send a key. Put the key into WAYBILL_API_KEY, or into a file and name that with --key-file.",
        ),
        (lambda: problem(403, "SCOPE_MISSING", "Not for jobs."), 4, "Not for jobs."),
        (lambda: problem(404, "NOT_FOUND", "No such job."), 5, "No such job."),
        (lambda: problem(410, "GONE", "It expired."), 5, "It expired."),
        (web_page, 6, "answered with a web page, not with Waybill. Check the address."),
        (lambda: answer("hello", kind="text/plain"), 6, "Check the address."),
        (lambda: problem(503, "DRAINING", "It restarts.", retry_after=0), 6, "It restarts."),
        (lambda: problem(429, "SLOWLY", "Too many.", retry_after=0), 6, "Too many."),
        (nothing, 6, "cannot be reached"),
        (lambda: head(301, location="https://elsewhere.example"), 6, "redirects to https://elsewhere.example."),
        (lambda: problem(418, "TEAPOT", "Of a later version."), 6, "Of a later version."),
    ],
    ids=["401", "403", "404", "410", "a web page", "text", "503", "429", "no answer", "a redirect", "unknown"],
)
def test_each_refusal_has_its_exit_code_and_its_sentence(
    faulty: FaultyGateway, command: WaybillCommand, refusal: Callable[[], Pieces], code: int, told: str
) -> None:
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: refusal()]

    done = command.run("get", "--job", JOB_ID, "--tries", "2")

    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(command.directory.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        *(["list"], ["files"], ["submit", "70000"], ["doctor"]),
        *([word, JOB_ID] for word in ("status", "cancel", "retry", "rm")),
    ],
    ids=" ".join,
)
def test_json_of_something_else_is_told_as_a_wrong_address(
    faulty: FaultyGateway, command: WaybillCommand, words: list[str]
) -> None:
    calls = [JOB_PATH, f"{JOB_PATH}/cancel", f"{JOB_PATH}/retry", "/v1/download/jobs", "/v1/download/files"]
    faulty.answers = {f"{method} {path}": [lambda _: answer({"hello": 1})] for method in METHODS for path in calls}

    done = command.run(*words)

    assert (done.returncode, done.stdout) == (6, "")
    assert "answered with something else, not with Waybill. Check the address." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("word", ["status", "cancel", "rm"])
def test_a_server_that_does_not_answer_is_asked_about_one_job_of_many(tmp_path: Path, word: str) -> None:
    [port] = free_ports(1)

    done = WaybillCommand(f"http://127.0.0.1:{port}", tmp_path).run(word, "a", "b", "c", "--tries", "1", "--json")

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.count("cannot be reached") == 1


def test_what_was_done_before_a_server_left_is_printed(faulty: FaultyGateway, command: WaybillCommand) -> None:
    cancelled = answer({"job_id": JOB_ID, "status": "cancelled"}, status=202)
    faulty.answers[f"POST {JOB_PATH}/cancel"] = [lambda _: cancelled]
    faulty.answers["POST /v1/download/jobs/b/cancel"] = [lambda _: nothing()]

    done = command.run("cancel", JOB_ID, "b", "--tries", "1", "--json")

    assert done.returncode == 6
    assert json.loads(done.stdout) == [{"job_id": JOB_ID, "status": "cancelled"}]


def test_nobody_at_the_address_exits_with_6(tmp_path: Path) -> None:
    [port] = free_ports(1)

    done = WaybillCommand(f"http://127.0.0.1:{port}", tmp_path).run("list", "--tries", "1")

    assert done.returncode == 6
    assert f"http://127.0.0.1:{port} cannot be reached" in done.stderr
    assert "WAYBILL_URL" in done.stderr


def test_nobody_on_this_machine_is_told_soon_however_many_tries_there_are(tmp_path: Path) -> None:
    [port] = free_ports(1)

    done = WaybillCommand(f"http://localhost:{port}", tmp_path).run("get", "70000", "--tries", "1000")

    assert done.returncode == 6
    assert "Is it up? Check --server, or WAYBILL_URL. Run the same command again to go on." in done.stderr


def test_who_gave_no_address_is_told_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [port] = free_ports(1)  # not the real default, where a developer's own gateway may be
    monkeypatch.setattr(settings, "DEFAULT_SERVER", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("WAYBILL_URL", raising=False)

    done = CliRunner().invoke(waybill, ["list", "--tries", "1"], standalone_mode=False)

    assert done.return_value == 6
    assert f"http://127.0.0.1:{port} cannot be reached" in done.stderr
    assert "give yours with --server URL, or in WAYBILL_URL" in done.stderr


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1", "127.0.0.1:8080", "http://", "http://127.0.0.1:port", "http://127.0.0.1/?a=b"]
)
def test_what_is_no_address_is_wrong_usage(tmp_path: Path, address: str) -> None:
    command = WaybillCommand(address, tmp_path)

    named, examined = command.run("list"), command.run("doctor", address)

    assert (named.returncode, examined.returncode) == (2, 2)
    assert f"{address} is no address of a server" in named.stderr
    assert f"{address} is no address of a server" in examined.stderr


def test_a_password_in_an_address_is_refused_and_not_shown(tmp_path: Path) -> None:
    done = WaybillCommand("http://user:secret@127.0.0.1:1", tmp_path).run("list")

    assert done.returncode == 2
    assert "WAYBILL_API_KEY or --key-file" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", ""], "no job id"),
        (["watch", "a" * 100], "no job id"),
        (["rm", "a\nb"], "no job id"),
        (["get", "--job", "\udcff"], "its bytes are not UTF-8"),
        (["submit", "1", "--name", "\udcff"], "its bytes are not UTF-8"),
        (["files", "\udcff"], "its bytes are not UTF-8"),
        (["submit", "1", "--idempotency-key", "é"], "visible ASCII characters"),
        (["submit", "1", "--idempotency-key", "a\nb"], "visible ASCII characters"),
        (["submit", "--from-file", "picture"], "the 1st of the file ids, is not a number"),
    ],
    ids=lambda words: ascii(words)[:40],
)
def test_what_cannot_be_sent_is_wrong_usage(
    faulty: FaultyGateway, command: WaybillCommand, words: list[str], told: str
) -> None:
    (command.directory / "picture").write_bytes(b"\x89PNG\r\n\x1a\n")

    done = command.run(*words)

    assert (done.returncode, done.stdout, faulty.requests) == (2, "", [])
    assert told in " ".join(done.stderr.split())
    assert len(done.stderr) < 500


def test_ids_are_read_from_a_file_that_windows_has_written(faulty: FaultyGateway, command: WaybillCommand) -> None:
    (command.directory / "ids.txt").write_bytes(b"\xef\xbb\xbf70000\r\n70001\r\n")

    done = command.run("submit", "--from-file", "ids.txt")

    assert done.returncode == 0
    assert json.loads(faulty.requests[-1].body)["file_ids"] == [70000, 70001]


def test_a_job_id_is_one_part_of_a_path(faulty: FaultyGateway, command: WaybillCommand) -> None:
    assert command.run("rm", "a/b?c#d").returncode == 5

    assert faulty.requests[-1].path == "/v1/download/jobs/a%2Fb%3Fc%23d"


def test_an_archive_that_is_another_one_exits_with_8(faulty: FaultyGateway, command: WaybillCommand) -> None:
    def changed(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE), etag=ETAG)
        yield bytes(len(ARCHIVE))

    faulty.answers[FILE] = [changed]

    done, piped = command.run("get", "--job", JOB_ID, "-o", "a.zip"), command.run("get", "--job", JOB_ID, "-o", "-")

    assert (done.returncode, done.stdout) == (8, "")
    assert "a.zip.bad" in done.stderr
    assert piped.returncode == 8
    assert [path.name for path in command.directory.iterdir()] == ["a.zip.bad"]


def test_a_pipe_gets_each_byte_once_over_a_cut(faulty: FaultyGateway, command: WaybillCommand) -> None:
    def cut(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE))
        yield ARCHIVE[:100_000]

    def whole(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE))
        yield ARCHIVE

    faulty.answers[FILE] = [cut, whole]

    got = subprocess.run(
        command.line("get", "--job", JOB_ID, "-o", "-", "-q"),
        env=dict(command.variables),
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert got.stdout == ARCHIVE


def test_a_key_comes_from_the_environment_or_a_file_and_is_never_shown(
    faulty: FaultyGateway, command: WaybillCommand
) -> None:
    (command.directory / "key").write_text("wb_of_file\n")
    (command.directory / "broken").write_text("two words wb_secret")
    command.variables = {**command.variables, "WAYBILL_API_KEY": "wb_of_environment"}

    assert command.run("status", JOB_ID).returncode == 0
    assert command.run("status", JOB_ID, "--key-file", "key").returncode == 0
    broken, missing = (command.run("status", JOB_ID, "--key-file", name) for name in ("broken", "absent"))

    sent = [request.headers["authorization"] for request in faulty.requests]
    assert sent == ["Bearer wb_of_environment", "Bearer wb_of_file"]
    assert (broken.returncode, missing.returncode) == (2, 2)
    assert "wb_secret" not in broken.stderr


def test_the_same_command_repeats_its_request_with_its_key(faulty: FaultyGateway, command: WaybillCommand) -> None:
    faulty.answers[CREATE] = [lambda _: nothing(), *faulty.answers[CREATE]]
    assert command.run("get", "70000", "--tries", "1").returncode == 6

    done = command.run("get", "70000", "--tries", "1")

    first, second = faulty.asked(CREATE)
    assert done.returncode == 0
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize(
    "refusal",
    [
        lambda: problem(401, "UNAUTHENTICATED", "Send a key."),
        lambda: problem(403, "OWNER_REFUSED", "Not you."),
        lambda: problem(404, "UNKNOWN_FILES", "There is no file 1."),
        lambda: problem(429, "LIMIT_CREATES", "Too many.", retry_after=0),
        web_page,
        lambda: problem(418, "TEAPOT", "Of a later version."),
    ],
    ids=["401", "403", "404", "429", "a web page", "unknown"],
)
def test_a_request_that_is_refused_leaves_nothing_behind(
    faulty: FaultyGateway, command: WaybillCommand, refusal: Callable[[], Pieces]
) -> None:
    faulty.answers[CREATE] = [lambda _: refusal()]

    done = command.run("get", "1", "-o", "a.zip", "--tries", "1")

    assert done.returncode in (4, 5, 6)
    assert list(command.directory.iterdir()) == []


@pytest.mark.parametrize(
    "answers",
    [
        [nothing],
        [nothing, lambda: problem(401, "UNAUTHENTICATED", "Your token has run out.")],
        [lambda: problem(500, "INTERNAL", "A mistake of ours.")],
        [lambda: problem(500, "OF_TOMORROW", "A mistake of a later version.")],
        [lambda: web_page(500)],
    ],
    ids=["none", "none, then a refusal", "500", "an unknown 500", "a web page of 500"],
)
def test_a_request_that_may_have_made_a_job_leaves_its_key_and_no_empty_file(
    faulty: FaultyGateway, command: WaybillCommand, answers: list[Callable[[], Pieces]]
) -> None:
    remaining = iter(answers)
    faulty.answers[CREATE] = [lambda _: next(remaining)()] * len(answers)

    command.run("get", "1", "-o", "a.zip", "--tries", f"{len(answers)}")

    assert [path.name for path in command.directory.iterdir()] == ["a.zip.part.json"]


@pytest.mark.parametrize("end", ["failed", "cancelled", "gone"])
def test_a_job_that_cannot_be_fetched_any_more_leaves_nothing_behind(
    faulty: FaultyGateway, command: WaybillCommand, end: str
) -> None:
    ended = {"failed": {"type": "error", "error": {"code": "INTERNAL", "message": "It broke."}}}.get(
        end, {"type": "cancelled", "reason": "Enough."}
    )
    faulty.answers[STREAM] = [lambda _: stream(frame("1-9", ended))]
    faulty.answers[f"GET {JOB_PATH}"] = [
        lambda _: answer(faulty.record(status="processing")),
        lambda _: problem(410, "GONE", "Deleted.") if end == "gone" else answer(faulty.record(status=end)),
    ]

    done = command.run("get", "1", "-o", "a.zip")

    assert done.returncode == {"failed": 1, "cancelled": 3, "gone": 5}[end]
    assert list(command.directory.iterdir()) == []


def test_a_refusal_later_on_does_not_forget_the_job_that_goes_on(
    faulty: FaultyGateway, command: WaybillCommand
) -> None:
    faulty.answers[CREATE] = [*faulty.answers[CREATE], lambda _: problem(401, "UNAUTHENTICATED", "Send a key.")]
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: answer(faulty.record(status="processing"))]
    assert command.run("get", "1", "-o", "a.zip", "--no-wait").returncode == 6

    refused = command.run("get", "1", "-o", "a.zip")
    faulty.answers[CREATE] = [lambda _: answer({"job_id": JOB_ID, "status": "queued"}, status=202)]
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: answer(faulty.record())]
    done = command.run("get", "1", "-o", "a.zip")

    assert (refused.returncode, done.returncode) == (4, 0)
    assert len({request.headers["idempotency-key"] for request in faulty.asked(CREATE)}) == 1
    assert [path.name for path in command.directory.iterdir()] == ["a.zip"]


def test_a_refusal_keeps_the_bytes_that_have_come(faulty: FaultyGateway, command: WaybillCommand) -> None:
    def cut(_: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE), etag=ETAG)
        yield ARCHIVE[:300_000]

    faulty.answers[FILE] = [cut, lambda _: nothing()]
    assert command.run("get", "1", "-o", "a.zip", "--tries", "1").returncode == 6
    creates = faulty.answers.pop(CREATE)
    faulty.answers[CREATE] = [lambda _: problem(403, "OWNER_REFUSED", "Not now.")]

    refused = command.run("get", "1", "-o", "a.zip")
    faulty.answers[CREATE], faulty.answers[FILE] = creates, [faulty.send_file]
    done = command.run("get", "1", "-o", "a.zip")

    assert (refused.returncode, done.returncode) == (4, 0)
    assert "range" in faulty.asked(FILE)[-1].headers
    assert (command.directory / "a.zip").read_bytes() == ARCHIVE


def test_a_job_that_has_not_ended_is_not_waited_for_unasked(faulty: FaultyGateway, command: WaybillCommand) -> None:
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: answer(faulty.record(status="processing"))]

    done = command.run("get", "--job", JOB_ID, "--no-wait")

    assert done.returncode == 6
    assert f"Job {JOB_ID} is processing" in done.stderr


def test_a_network_that_keeps_streams_back_is_told_once(faulty: FaultyGateway, command: WaybillCommand) -> None:
    faulty.answers[STREAM] = [lambda _: stream(Hang())]
    events = [{"id": "1-9", "type": "completed", "archive_bytes": 5, "expires_at": "2026-11-24T10:00:00Z"}]
    faulty.answers[f"GET {JOB_PATH}/events"] = [
        lambda _: answer({"events": events, "next_after": "1-9", "has_more": False})
    ]

    done = command.run("watch", JOB_ID)

    assert done.returncode == 0
    assert done.stderr.count("Live updates are blocked on this network; checking every 2 seconds.") == 1


@pytest.mark.parametrize("words", [["watch", JOB_ID], ["get", "--job", JOB_ID]], ids=["watch", "get"])
@pytest.mark.parametrize("can_retry", [True, False])
def test_a_failed_job_that_may_be_started_anew_is_told_with_the_command(
    faulty: FaultyGateway, command: WaybillCommand, words: list[str], can_retry: bool
) -> None:
    error = {"code": "INTERNAL", "message": "It broke."}
    failed = faulty.record(status="failed", error=error, can_retry=can_retry)
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: answer(failed)]
    end = frame("1-9", {"type": "error", "error": error, "can_retry": can_retry})
    faulty.answers[STREAM] = [lambda _: stream(frame("1-8", {"type": "snapshot", **failed}), end)]

    done = command.run(*words)

    assert done.returncode == 1
    assert (f"waybill retry {JOB_ID}" in done.stderr) is can_retry


# ── ended before the job ──────────────────────────────────────────────────────────────────────────────────────────────


def ended_by(command: WaybillCommand, signal_number: int, *words: str) -> tuple[int, str, str]:
    """Run it until it says how the job stands; give its end."""
    with command.start(*words) as started:
        started.told("Bundling")
        started.process.send_signal(signal_number)
        return started.end()


@pytest.fixture
def endless(faulty: FaultyGateway) -> FaultyGateway:
    """A gateway whose job does not end."""
    running = {"status": "processing", "total_bytes": 9}
    faulty.answers[f"GET {JOB_PATH}"] = [lambda _: answer(faulty.record(**running))]
    faulty.answers[STREAM] = [lambda _: stream(faulty.snapshot(total_bytes=9), Hang())]
    return faulty


@pytest.mark.usefixtures("endless")
def test_who_is_terminated_says_how_to_go_on(command: WaybillCommand) -> None:
    code, said, told = ended_by(command, signal.SIGTERM, "get", "70000")

    assert (code, said) == (143, "")
    assert f"Terminated. Job {JOB_ID} goes on; run the same command again" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("state", "told"), [("cancelled", "is cancelled."), ("processing", "is being cancelled.")])
def test_an_interrupt_that_cancels_says_so(
    endless: FaultyGateway, command: WaybillCommand, state: str, told: str
) -> None:
    endless.answers[f"POST {JOB_PATH}/cancel"] = [lambda _: answer({"job_id": JOB_ID, "status": state}, status=202)]

    code, _, said = ended_by(command, signal.SIGINT, "get", "70000", "--cancel-on-interrupt")

    assert code == 130
    assert f"Interrupted. Job {JOB_ID} {told}" in said
    assert "goes on" not in said


def test_an_interrupt_that_cannot_cancel_says_that_the_job_goes_on(
    endless: FaultyGateway, command: WaybillCommand
) -> None:
    endless.answers[f"POST {JOB_PATH}/cancel"] = [lambda _: problem(403, "SCOPE_MISSING", "Not for you.")]

    _, _, said = ended_by(command, signal.SIGINT, "get", "70000", "--cancel-on-interrupt")

    assert f"Interrupted. It could not be cancelled: Not for you. Job {JOB_ID} goes on;" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["get", "70000"], "Run the same command again to go on."),
        (["submit", "70000"], "It may have been accepted. To ask for the same job: --idempotency-key"),
    ],
)
def test_a_request_without_an_answer_can_be_repeated(
    faulty: FaultyGateway, command: WaybillCommand, words: list[str], told: str
) -> None:
    faulty.answers["POST /v1/download/jobs"] = [lambda _: nothing()]

    done = command.run(*words, "--tries", "1")

    assert (done.returncode, done.stdout) == (6, "")
    assert told in done.stderr


# ── doctor ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answered", "code", "told"),
    [
        (lambda one: stream(one.snapshot(), Hang()), 0, "The stream stayed open"),
        (lambda one: stream(one.snapshot()), 1, "The stream was cut after 0 seconds"),
        (lambda one: stream(Hang()), 1, "nothing came for 4 seconds"),
        (lambda one: stream(one.snapshot(), one.late()), 1, "seconds late"),
        (lambda one: web_page(502), 1, "The stream was refused"),
        (lambda one: web_page(), 1, "answered with a web page"),
        (lambda one: stream(b"data: hello\n\n"), 1, "is no message of Waybill"),
    ],
    ids=["open", "cut", "mute", "late", "refused", "a web page", "no message"],
)
def test_doctor_says_what_becomes_of_a_stream(
    faulty: FaultyGateway, command: WaybillCommand, answered: Callable[[FaultyGateway], Pieces], code: int, told: str
) -> None:
    faulty.answers["GET /v1/download/jobs"] = [lambda _: answer({"jobs": [], "next_cursor": None})]
    faulty.answers[STREAM] = [lambda _: answered(faulty)]

    done = command.run("doctor", "--job", JOB_ID, "--seconds", "5", "--json")

    findings = json.loads(done.stdout)
    assert done.returncode == code
    assert any(told in finding["sentence"] for finding in findings), findings
    assert all(finding["level"] in ("good", "note", "bad") for finding in findings)


def test_doctor_takes_a_clock_that_cannot_be_read_for_none(faulty: FaultyGateway, command: WaybillCommand) -> None:
    faulty.answers["GET /v1/download/jobs"] = [lambda _: answer({"jobs": [], "next_cursor": None}, date="yesterday")]

    done = command.run("doctor")

    assert done.returncode == 0
    assert "does not say what time it is" in done.stdout


# ── files here ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_directory_that_may_not_be_written_exits_with_7(command: WaybillCommand) -> None:
    (command.directory / "file").write_text("in the way")

    done = command.run("get", "--job", JOB_ID, "-o", "file/a.zip")

    assert (done.returncode, done.stdout) == (7, "")
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("output", ["some/new/dir/a.zip", "some/"])
def test_a_directory_that_is_not_there_is_told_before_a_job_is_made(
    faulty: FaultyGateway, command: WaybillCommand, output: str
) -> None:
    done = command.run("get", "70000", "-o", output)

    assert (done.returncode, done.stdout) == (7, "")
    assert f"There is no directory {output.rpartition('/')[0]}. Make it (mkdir -p " in done.stderr
    assert faulty.requests == []
    assert list(command.directory.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk in memory with room for a third of ARCHIVE; skipped where nothing may be mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a small disk, which takes root")
    (disk := tmp_path / "disk").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=340k", "waybill-test", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_too_small_a_disk_is_told_before_the_first_byte(
    faulty: FaultyGateway, command: WaybillCommand, small_disk: Path
) -> None:
    done = command.run("get", "--job", JOB_ID, "-o", small_disk / "a.zip")

    assert (done.returncode, done.stdout) == (7, "")
    assert "Disk full: 1.0 MB more needed" in done.stderr
    assert faulty.asked(FILE) == []


def test_a_disk_that_fills_up_keeps_what_came_and_goes_on_when_there_is_room(
    faulty: FaultyGateway, command: WaybillCommand, small_disk: Path
) -> None:
    # The room that was there when it was asked for is taken by somebody else while the archive comes.
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    hog = small_disk / "hog"

    def in_two(request: Request) -> Pieces:
        yield from head(200, content_length=len(ARCHIVE), etag=ETAG)
        yield ARCHIVE[:200_000]
        hog.write_bytes(bytes(1_500_000))
        yield ARCHIVE[200_000:]

    faulty.answers[FILE] = [in_two, faulty.send_file]
    full = command.run("get", "--job", JOB_ID, "-o", small_disk / "a.zip")
    hog.unlink()

    done = command.run("get", "--job", JOB_ID, "-o", small_disk / "a.zip")

    assert full.returncode == 7
    assert "Disk full" in full.stderr
    assert "run the same command again" in full.stderr
    assert done.returncode == 0
    assert (small_disk / "a.zip").read_bytes() == ARCHIVE
    assert "range" in faulty.asked(FILE)[-1].headers


# ── the program itself ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_version_is_said_without_loading_what_talks_to_servers(command: WaybillCommand) -> None:
    program = (
        "import sys; sys.argv[1:] = ['version']\n"
        "from gateway.client.command.program import main\n"
        "assert main() == 0\n"
        "slow = {'httpx', 'asyncio', 'rich', 'ssl', 'msgspec'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    del (variables := dict(command.variables))["WAYBILL_URL"]

    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("waybill ")


@pytest.mark.parametrize("told", ["1.2.3", None])
def test_the_servers_version_is_told_where_it_is_known(
    faulty: FaultyGateway, command: WaybillCommand, told: str | None
) -> None:
    if told:
        faulty.answers["GET /version"] = [lambda _: answer({"version": told})]

    done, shown = command.run("version"), command.run("version", "--json")

    assert (told or "does not tell its version") in done.stdout
    assert json.loads(shown.stdout)["server"] == told


def test_the_version_is_said_before_a_server_has_answered(faulty: FaultyGateway, command: WaybillCommand) -> None:
    may_answer = threading.Event()

    def late(_: Request) -> Pieces:
        may_answer.wait(PATIENCE_SECONDS)
        return answer({"version": "1.2.3"})

    faulty.answers["GET /version"] = [late]

    with command.start("version") as started:
        first = started.printed()
        may_answer.set()
        code, rest, told = started.end()

    assert first.startswith("waybill ")
    assert (code, rest, told) == (0, f"server  1.2.3 ({faulty.url})\n", "")


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        (lambda: iter([Hang()]), "did not answer within 3 seconds. Check --server, or WAYBILL_URL."),
        (nothing, "cannot be reached"),
    ],
    ids=["silent", "cut"],
)
def test_a_server_that_does_not_tell_its_version_in_time_is_told(
    faulty: FaultyGateway, command: WaybillCommand, silence: Callable[[], Pieces], told: str
) -> None:
    faulty.answers["GET /version"] = [lambda _: silence()]

    done, shown = command.run("version"), command.run("version", "--json")

    assert (done.returncode, shown.returncode) == (6, 6)
    assert done.stdout.startswith("waybill ")
    assert told in done.stderr
    assert json.loads(shown.stdout)["server"] is None
    assert json.loads(shown.stdout)["client"] in done.stdout
    # Asked once for each, and not for as long as a download would be.
    assert len(faulty.asked("GET /version")) == 2


def test_help_names_every_exit_code(command: WaybillCommand) -> None:
    from gateway.client.command.exit_codes import TABLE

    shown = command.run("--help").stdout

    assert all(f" {code}  {what}" in shown for code, what in TABLE.items())
