"""When other people's readers come back, and when they stop: refusals, gateways that go away, jobs that are no more.

The readers decide for themselves when to come back, with which id, and when to stop; only the line and the gateways are
ours.
"""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from shared import limits
from tests.readers.author import AWKWARD, Author
from tests.readers.conftest import QUICK
from tests.readers.followed import READERS, Follow, Followed, follow_with, stream_of
from tests.support import jobs
from tests.support.proxy import FaultProxy
from tests.support.servers import frozen
from tests.support.system import JOBS, System

SHIPPED = {"MAX_SSE_RETRY_MS": limits.MIN_SSE_RETRY_MS + 50}
"""Readers are told to wait as long as in earnest, but never for seconds."""


def pause_ms(followed: Followed) -> float:
    """Give how long a reader waited after its first trouble, by its own clock."""
    trouble = followed.of_kind("trouble")[0]
    return next(told.at_ms for told in followed.of_kind("open") if told.at_ms > trouble.at_ms) - trouble.at_ms


@pytest.fixture
def follow_all(request: pytest.FixtureRequest, line: FaultProxy) -> Iterator[Callable[[str], list[Followed]]]:
    """Let all readers follow one job: what is done to its gateway is done to all of them at once."""
    with contextlib.ExitStack() as stack:

        def follow(path: str) -> list[Followed]:
            readers = [follow_with(name, request) for name in READERS]
            return [stack.enter_context(reader(stream_of(path, line))) for reader in readers]

        yield follow


def test_readers_come_back_after_the_time_that_the_first_frame_asks_for(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    gateway = system.start("gateway", SHIPPED)
    gateway.wait_until_ready()
    line.server_port = gateway.port
    job = Author(system)

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_message("started")
        line.cut()
        followed.wait_for("it is back", lambda told: len(told.of_kind("open")) >= 2)
        job.end()
        followed.wait_for_stop()

    assert pause_ms(followed) >= limits.MIN_SSE_RETRY_MS


def test_readers_that_find_redis_away_are_told_busy_and_go_on_when_it_is_back(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)

    with contextlib.ExitStack() as stack:
        with frozen(system.redis):
            followed = stack.enter_context(follow(stream_of(job.path, line)))
            followed.wait_for_message("busy")
        job.end()
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)
    assert {busy["reason"] for busy in followed.messages("busy")} == {"redis"}


def test_readers_of_a_gateway_that_stops_go_on_at_another_one(
    system: System, line: FaultProxy, follow_all: Callable[[str], list[Followed]]
) -> None:
    leaving = system.start("gateway", SHIPPED)
    leaving.wait_until_ready()
    line.server_port = leaving.port
    job = Author(system)

    everybody = follow_all(job.path)
    for followed in everybody:
        followed.wait_for_message("started")
    line.server_port = system.gateways[0].port
    leaving.terminate()
    for followed in everybody:
        followed.wait_for_message("busy")
    job.write(AWKWARD)
    job.end()

    for followed in everybody:
        followed.wait_for_stop()
        assert followed.events() == system.log(job.path)
        assert [busy["reason"] for busy in followed.messages("busy")] == ["drain"]
        assert pause_ms(followed) >= limits.MIN_SSE_RETRY_MS


def test_readers_of_a_gateway_that_is_killed_go_on_at_another_one(
    system: System, line: FaultProxy, follow_all: Callable[[str], list[Followed]]
) -> None:
    dying = system.start("gateway", QUICK)
    dying.wait_until_ready()
    line.server_port = dying.port
    job = Author(system)

    everybody = follow_all(job.path)
    for followed in everybody:
        followed.wait_for_message("started")
    dying.kill()
    for followed in everybody:
        followed.wait_for("a second failure", lambda told: len(told.of_kind("trouble")) >= 2)
    line.server_port = system.gateways[0].port
    job.end()

    for followed in everybody:
        followed.wait_for_stop()
        assert followed.events() == system.log(job.path)


def test_a_job_that_failed_is_told_as_a_message_like_all_others(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_message("started")
        job.end(jobs.failure())
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)
    assert [told.type for told in followed.of_kind("message") if told.message["type"] == "error"] == ["message"]


def test_an_unknown_job_stops_every_reader_at_its_first_request(line: FaultProxy, follow: Follow) -> None:
    with follow(stream_of(f"{JOBS}/00000000-0000-8000-8000-000000000000", line)) as followed:
        stop = followed.wait_for_stop()

    assert stop.status in (404, None)
    assert [told.kind for told in followed.told] == ["stopped"]


def test_a_deleted_job_stops_a_reader_that_comes_back(system: System, line: FaultProxy, follow: Follow) -> None:
    job = Author(system)

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_message("started")
        assert system.call("DELETE", job.path).status_code == 204
        line.cut()
        stop = followed.wait_for_stop()

    assert stop.status in (410, None)
