"""What callers are told of time: nothing that nobody knows, then a place and a range, then how long it will go on."""

import re
from collections.abc import Iterator

import pytest

from shared.jobstore import keys
from tests.support import cargo
from tests.support.system import System
from tests.support.waiting import until

RANGE = re.compile(r"([0-9]+)-([0-9]+)s")


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway; a processor comes when it is wanted."""
    with System(tmp_path_factory.mktemp("estimates"), processors=0, settings={"WAYBILL_SLOTS": "1"}) as running:
        yield running


def start_processor(system: System) -> None:
    """Start a processor of one slot, and wait until it lives for everybody."""
    system.processors.append(system.start("processor"))
    system.processors[-1].wait_until_ready()


def wait_until_the_gateway_knows_more(system: System) -> None:
    """Wait until a new job is told how long it will take; the ones that ask are given up at once."""

    def is_told() -> bool:
        answer = system.post_job(*cargo.MIXED).json()
        system.call("POST", answer["cancel_url"])
        return answer["estimated_duration"] is not None

    until(is_told, "a new job is told how long it will take")


def test_without_a_processor_a_job_has_a_place_and_no_time(system: System) -> None:
    until(lambda: system.post_job(*cargo.MIXED).json()["queue_position"] is not None, "the gateway has looked")
    first = system.post_job(*cargo.MIXED).json()

    second = system.post_job(*cargo.MIXED).json()

    assert second["queue_position"] == first["queue_position"] + 1
    assert (first["estimated_duration"], second["estimated_duration"]) == (None, None)
    record = system.record(second["status_url"])
    assert (record["queue_position"], record["remaining_seconds"]) == (second["queue_position"], None)
    [queued] = system.log(second["status_url"])
    assert queued["queue_position"] == second["queue_position"]
    assert "estimated_duration" not in queued


def test_a_job_is_promised_a_range_and_the_promise_is_held_against_what_it_took(system: System) -> None:
    start_processor(system)
    system.wait_for_end(system.create_job(*cargo.MIXED))
    wait_until_the_gateway_knows_more(system)

    answer = system.post_job(*cargo.LONG[:1]).json()

    assert RANGE.fullmatch(answer["estimated_duration"])
    [queued, *_] = system.log(answer["status_url"])
    assert queued["estimated_duration"] == answer["estimated_duration"]
    system.wait_for_end(answer["status_url"])
    until(
        lambda: system.processors[0].metric("download_estimate_error_ratio_count") >= 1, "the promise has been judged"
    )


def test_a_job_that_waits_is_told_how_long_and_one_that_runs_too(system: System) -> None:
    start_processor(system)
    system.wait_for_end(system.create_job(*cargo.MIXED))
    wait_until_the_gateway_knows_more(system)
    running = system.create_job(*cargo.LONG)
    system.wait_for_copying(running)

    waiting = system.create_job(*cargo.LONG)

    record = system.record(waiting)
    assert record["status"] == "queued"
    assert record["queue_position"] in (0, 1)  # the gateway may not know yet that the other one has begun
    assert record["remaining_seconds"] >= 1
    until(lambda: system.record(running)["remaining_seconds"] is not None, "the run tells how long it goes on")
    assert 1 <= system.record(running)["remaining_seconds"] <= 12
    told = [event for event in system.log(running) if "remaining_seconds" in event]
    assert {event["type"] for event in told} == {"progress"}
    assert system.wait_for_end(running)["remaining_seconds"] is None


def test_a_processor_that_stops_is_no_slot_any_more(system: System) -> None:
    start_processor(system)
    until(lambda: system.redis_has(keys.SIGNS_OF_LIFE), "the processor has given a sign of life")

    system.processors[0].terminate()

    assert system.processors[0].exit_code() == 0
    assert not system.redis_has(keys.SIGNS_OF_LIFE)
