"""Callbacks of real processes: they arrive, verify, and open the archive, whatever becomes of who delivers them."""

import asyncio
import contextlib
import json
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from shared import events
from shared.callbacks.signing_secret import read_signing_secrets
from shared.jobs import JobOptions
from shared.jobstore.operations import NewJob
from shared.jobstore.outbox import Outbox, Redelivered
from tests.support import cargo
from tests.support.ports import free_ports
from tests.support.promised import promised
from tests.support.receiver import Received, Receiver
from tests.support.service import Service, environment
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until

DOCS = Path(__file__).parents[2] / "docs/callbacks.md"
EXAMPLE = Path(__file__).parents[2] / "docs/examples/receive.py"
OWNER = "anna"
SECRET = "whsec_" + "A" * 40
TICKETS = {"WAYBILL_TICKET_SECRETS": "k1:hunter2hunter2hunter2hunter2hunter2"}
ALLOWED = {
    "WAYBILL_CALLBACK_HTTP": "true",
    "WAYBILL_CALLBACK_PORTS": "1-65535",
    "WAYBILL_CALLBACK_NETWORKS": "127.0.0.1",
    "WAYBILL_CALLBACK_SECRETS": SECRET,
}
QUICK = {"CALLBACK_LEASE_MS": 2_000, "CALLBACK_DRAIN_WITHIN_SECONDS": 0.2}
PATIENCE_SECONDS = 45.0


class Holding:
    """Answers of a receiver that are held back until they are let go."""

    def __init__(self) -> None:
        self.asked: list[Received] = []
        self._go = threading.Event()

    def __call__(self, received: Received) -> int:
        """Hold an answer back."""
        self.asked.append(received)
        self._go.wait(PATIENCE_SECONDS)
        return 204

    def wait_for(self, count: int) -> None:
        """Wait until so many have asked."""
        until(lambda: len(self.asked) >= count, f"{count} callbacks wait for an answer")

    def let_go(self) -> None:
        """Answer all, and those to come."""
        self._go.set()


@pytest.fixture
def holding() -> Iterator[Holding]:
    """Answers that nobody waits for once the test is over."""
    answers = Holding()
    yield answers
    answers.let_go()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A gateway that asks who calls, and no processor yet."""
    settings = ALLOWED | TICKETS | {"WAYBILL_AUTH": "keys"}
    with System(tmp_path, processors=0, settings=settings) as running:
        yield running


def processor(system: System, alterations: Mapping[str, float] | None = None, **settings: str) -> Service:
    """Start a processor that knows where the gateway is."""
    started = system.start("processor", alterations, WAYBILL_PUBLIC_URL=system.url, **settings)
    started.wait_until_ready()
    return started


def create(system: System, url: str, *files: cargo.SourceFile) -> str:
    """Create a job with a callback; give its id."""

    async def put() -> str:
        async with running_store(system.redis.url, partitions=1) as store:
            job = NewJob(
                job_id=store.new_job_id(),
                owner=OWNER,
                file_ids=tuple(cargo.ids_of(*files)),
                options=JobOptions(),
                queued_message=events.encode(events.Queued(at=events.timestamp(0))),
                callback_url=url,
            )
            await store.create(job)
            return job.job_id

    return asyncio.run(put())


async def redeliver(system: System, job_id: str) -> None:
    """Ask for a job's end to be told once more."""
    async with running_store(system.redis.url, partitions=1) as store:
        assert await Outbox(store).redeliver(job_id) is Redelivered.OK


def told(system: System, job_id: str) -> list[tuple[str, int]]:
    """Give where a job's callbacks stand, and after how many tries."""

    async def look() -> list[tuple[str, int]]:
        async with running_store(system.redis.url, partitions=1) as store:
            return [(callback.state, callback.attempt) for callback in await Outbox(store).deliveries(job_id)]

    return asyncio.run(look())


def test_a_callback_verifies_and_its_link_opens_the_archive_without_a_header(system: System) -> None:
    one = processor(system)
    with Receiver() as receiver:
        job_id = create(system, receiver.url, *cargo.MIXED)
        [received] = receiver.wait_for(1)

    [secret] = read_signing_secrets(SECRET, variable="")
    body = Webhook(secret.of_owner(OWNER).text).verify(received.raw, received.headers)
    link = body["data"]["download_url"]
    with httpx.Client(trust_env=False) as anybody:
        archive, without_ticket = anybody.get(link), anybody.get(link.partition("?")[0])
    assert promised().breaches_of_webhook("jobEnded", received.headers, body) == []
    assert (body["type"], body["data"]["job_id"], body["data"]["status"]) == ("download.completed", job_id, "completed")
    assert link.startswith(f"{system.url}{JOBS}/{job_id}/file?ticket=")
    assert (archive.status_code, len(archive.content)) == (200, body["data"]["archive_bytes"])
    assert without_ticket.status_code == 401
    until(lambda: told(system, job_id) == [("delivered", 1)], "the outbox knows that it was delivered")
    gauges = ("callbacks_waiting", "callbacks_dead", "callbacks_overdue_seconds", "callbacks_given_up_total")
    until(lambda: [one.metric(name) for name in gauges] == [0, 0, 0, 0], "the metrics know it too")
    assert (one.metric("callback_deliveries_total"), one.metric("callback_duration_seconds_count")) == (1, 1)


def test_a_processor_killed_in_the_midst_of_a_call_leaves_it_to_another_with_the_same_id(
    system: System, holding: Holding
) -> None:
    first = processor(system, QUICK)
    with Receiver(holding) as receiver:
        job_id = create(system, receiver.url, *cargo.MIXED)
        holding.wait_for(1)

        first.kill()
        second = processor(system, QUICK)
        holding.wait_for(2)
        holding.let_go()
        until(lambda: told(system, job_id) == [("delivered", 1)], "the second one tells it")

    assert len({received.webhook_id for received in holding.asked}) == 1
    assert len({received.raw for received in holding.asked}) == 1
    assert second.metric("callback_deliveries_total", outcome="delivered") == 1


def test_a_processor_that_stops_in_the_midst_of_a_call_hands_it_back_and_ends_well(
    system: System, holding: Holding
) -> None:
    first = processor(system, {"CALLBACK_DRAIN_WITHIN_SECONDS": 0.2})
    with Receiver(holding) as receiver:
        job_id = create(system, receiver.url, *cargo.MIXED)
        holding.wait_for(1)

        first.terminate()
        assert first.exit_code() == 0
        assert told(system, job_id) == [("waiting", 0)]
        processor(system)
        holding.wait_for(2)
        holding.let_go()
        until(lambda: told(system, job_id) == [("delivered", 1)], "another one tells it")

    assert len({received.webhook_id for received in holding.asked}) == 1


def test_a_call_under_way_is_seen_out_by_a_processor_that_stops(system: System, holding: Holding) -> None:
    first = processor(system)
    with Receiver(holding) as receiver:
        job_id = create(system, receiver.url, *cargo.MIXED)
        holding.wait_for(1)

        first.terminate()
        until(lambda: "processor drained" in [line["event"] for line in first.log_lines()], "it has no job any more")
        holding.let_go()
        assert first.exit_code() == 0

    assert told(system, job_id) == [("delivered", 1)]
    assert len(holding.asked) == 1


def test_receivers_that_do_not_answer_hold_no_place_of_a_job(system: System, holding: Holding) -> None:
    processor(system, WAYBILL_SLOTS="1")
    with Receiver(holding) as receiver:
        create(system, receiver.url, *cargo.MIXED)
        holding.wait_for(1)
        create(system, receiver.url, *cargo.MIXED)
        holding.wait_for(2)  # the second job has been worked on, and ended, while the first one's callback waits


def test_the_log_of_a_callback_has_no_url_and_no_ticket(system: System) -> None:
    one = processor(system, WAYBILL_LOG_LEVEL="debug", WAYBILL_CALLBACK_SCHEDULE="0 0")
    answers = iter([500])
    with Receiver(lambda _: next(answers, 204)) as receiver:
        job_id = create(system, receiver.url, *cargo.MIXED)
        receiver.wait_for(2)
        until(lambda: "callback delivered" in one.events_logged_about(job_id), "it is logged")

    log = one.log_path.read_text()
    assert [event for event in one.events_logged_about(job_id) if event.startswith("callback")] == [
        "callback not delivered yet",
        "callback delivered",
    ]
    assert "hunter2" not in log
    assert "wt1_" not in log


def test_the_receiver_of_the_examples_takes_what_is_ours_once_and_refuses_all_else(
    system: System, tmp_path: Path
) -> None:
    [secret] = read_signing_secrets(SECRET, variable="")
    [port] = free_ports(1)
    given = environment({"WAYBILL_CALLBACK_SECRET": secret.of_owner(OWNER).text})
    url = f"http://127.0.0.1:{port}/"
    with (tmp_path / "told").open("wb") as said:
        example = subprocess.Popen([sys.executable, str(EXAMPLE), str(port)], env=given, stdout=said, stderr=said)
    try:
        processor(system)
        job_id = create(system, url, *cargo.MIXED)
        until(lambda: told(system, job_id) == [("delivered", 1)], "the example takes it")
        with httpx.Client(trust_env=False) as anybody:
            forged = anybody.post(url, content=b"{}", headers={"webhook-id": "msg_1"})
        asyncio.run(redeliver(system, job_id))
        until(lambda: told(system, job_id) == [("delivered", 1)], "the example takes it again")
        test = [sys.executable, "-m", "processor", "callbacks", "test", url, "--owner", OWNER]
        tested = subprocess.run(test, env=environment(ALLOWED), capture_output=True, text=True, timeout=60, check=False)
    finally:
        example.kill()
        example.wait()

    lines = [line for line in (tmp_path / "told").read_text().splitlines() if line.startswith("download.")]
    assert (forged.status_code, tested.returncode) == (401, 0)
    assert [line.split()[:2] for line in lines] == [["download.completed", job_id], ["download.test", "-"]]


def test_what_the_docs_have_pasted_lets_a_receiver_on_loopback_be_told(tmp_path: Path) -> None:
    [port] = free_ports(1)
    pasted = DOCS.read_text().partition("## Try it in a minute")[2].partition("```sh\n")[2].partition("make ")[0]
    shown = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    script = f'{pasted.replace("8000", str(port))}WAYBILL_CALLBACK_SECRET="$CALLBACK_SECRET" {shlex.join(shown)}'
    made = subprocess.run(["sh", "-c", script], env=environment({}), capture_output=True, text=True, check=True)
    given = json.loads(made.stdout)

    example = subprocess.Popen([sys.executable, str(EXAMPLE), str(port)], env=given, stdout=subprocess.DEVNULL)
    try:
        until(lambda: takes_connections(port), "the receiver listens")
        test = [sys.executable, "-m", "processor", "callbacks", "test", f"http://127.0.0.1:{port}/done"]
        tested = subprocess.run(
            [*test, "--owner", "local"], env=given, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        example.kill()
        example.wait()

    assert tested.returncode == 0, tested.stdout + tested.stderr


def takes_connections(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
