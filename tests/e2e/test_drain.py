"""A processor that is told to stop: what fits into its time is finished, the rest goes to others at once, uncounted."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared import limits
from tests.support import cargo
from tests.support.service import Service
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import PATIENCE_SECONDS, until

STALLED = 70
GRACE = "WAYBILL_STOP_GRACE_SECONDS"
NO_DRAIN = {GRACE: str(limits.STOP_MARGIN_SECONDS)}
SHORT_DRAIN = {GRACE: str(limits.STOP_MARGIN_SECONDS + 1)}
LONGEST_DRAIN = {GRACE: "3600"}
AT_ONCE_SECONDS = 5.0  # from a job handed back to its next start; a lease that has to lapse takes fifteen

NEVER_YIELDS = """
async def handle(job, context):
    while True:
        pass
"""


def account_of(drained: Service) -> dict[str, Any]:
    """Give what a processor said at the end of its drain."""
    [line] = [line for line in drained.log_lines() if line["event"] == "processor drained"]
    return {name: line[name] for name in ("finished", "handed_back", "left", "took_seconds")}


def wait_for_draining(processor: Service) -> None:
    """Return once its readiness says that it drains."""
    until(lambda: "draining" in processor.ask("/readyz").text, "it says that it drains")


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    """Give the time between two events, by their writers' clocks."""
    at, then = (datetime.fromisoformat(event["at"]) for event in (earlier, later))
    return (then - at).total_seconds()


def test_what_fits_is_finished_where_it_runs_and_new_jobs_go_elsewhere(tmp_path: Path) -> None:
    with System(tmp_path, processors=1) as system:
        old = system.processors[0]
        path = system.create_job(*cargo.LONG[:2])
        system.wait_for_copying(path)
        new = system.start("processor")
        new.wait_until_ready()

        old.terminate()
        wait_for_draining(old)
        in_hand, drain_seconds = old.metric("download_jobs_in_hand"), old.metric("download_drain_duration_seconds")
        later = system.create_job(*cargo.MIXED)
        record, other = system.wait_for_end(path), system.wait_for_end(later)
        exit_code = old.exit_code()

        assert exit_code == 0
        assert (in_hand, drain_seconds > 0) == (1, True)
        assert (record["status"], record["attempt"], other["status"]) == ("completed", 1, "completed")
        assert system.types(path).count("started") == 1
        assert new.events_logged_about(path.rpartition("/")[2]) == []
        assert old.events_logged_about(later.rpartition("/")[2]) == []
        account = account_of(old)
        assert (account["finished"], account["handed_back"], account["left"]) == (1, 0, 0)


def test_what_does_not_fit_is_handed_back_uncounted_and_started_elsewhere_at_once(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=SHORT_DRAIN) as system:
        old = system.processors[0]
        path = system.create_job(*cargo.LONG)
        system.wait_for_copying(path)
        system.start("processor").wait_until_ready()

        old.terminate()
        exit_code = old.exit_code()
        until(lambda: system.types(path).count("started") == 2, "another one has started it")

        log = [event for event in system.log(path) if event["type"] in ("queued", "started")]
        _, started, released, again = log
        assert exit_code == 0
        assert (started["attempt"], again["attempt"]) == (1, 1)
        assert seconds_between(released, again) < AT_ONCE_SECONDS
        assert (system.field(path, "failures"), system.field(path, "crashes")) == ("0", "0")
        account = account_of(old)
        assert (account["finished"], account["handed_back"], account["left"]) == (0, 1, 0)
        assert account["took_seconds"] < limits.STOP_MARGIN_SECONDS


@pytest.mark.parametrize("asks_again", [Service.terminate, Service.interrupt])
def test_who_asks_again_has_the_rest_handed_back_now(tmp_path: Path, asks_again: Any) -> None:
    with System(tmp_path, processors=1, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.LONG)
        system.wait_for_copying(path)

        processor.terminate()
        wait_for_draining(processor)
        asks_again(processor)
        exit_code = processor.exit_code()

        assert exit_code == 0
        assert account_of(processor)["handed_back"] == 1
        assert system.record(path)["status"] == "queued"


def test_an_interrupt_hands_back_now(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.LONG)
        system.wait_for_copying(path)

        processor.interrupt()
        exit_code = processor.exit_code()

        assert exit_code == 0
        assert account_of(processor)["handed_back"] == 1
        assert (system.record(path)["status"], system.record(path)["attempt"]) == ("queued", 0)


def test_an_idle_processor_leaves_at_once_and_its_offices_are_free(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        until(system.offices, "it holds an office")

        processor.terminate()
        exit_code = processor.exit_code()

        assert exit_code == 0
        assert system.offices() == []
        assert account_of(processor)["took_seconds"] < AT_ONCE_SECONDS


def test_who_asks_again_and_again_gets_a_clean_exit(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.LONG)
        system.wait_for_copying(path)

        while processor.is_alive():
            processor.terminate()

        assert processor.exit_code() == 0
        assert account_of(processor)["handed_back"] == 1


def test_redis_that_goes_away_during_a_drain_and_comes_back_costs_nothing(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.LONG[:2])
        system.wait_for_copying(path)

        processor.terminate()
        wait_for_draining(processor)
        system.redis.stop()
        until(lambda: "Redis does not answer" in processor.ask("/readyz").text, "it notices")
        system.redis.start()
        exit_code = processor.exit_code()

        record = system.wait_for_end(path)
        assert exit_code == 0
        assert (record["status"], record["attempt"]) == ("completed", 1)
        assert account_of(processor)["finished"] == 1


def test_redis_that_stays_away_keeps_nobody_from_ending_in_time(tmp_path: Path) -> None:
    with System(tmp_path, processors=1, settings=QUICK_LEASE | SHORT_DRAIN) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.LONG[:2])
        system.wait_for_copying(path)

        system.redis.stop()
        processor.terminate()
        exit_code = processor.exit_code()
        system.redis.start()
        system.start("processor")
        record = system.wait_for_end(path)

        account = account_of(processor)
        assert exit_code == 0
        assert account["left"] == 1
        assert account["took_seconds"] < float(SHORT_DRAIN[GRACE])
        assert record["status"] == "completed"


def test_a_handler_that_never_yields_keeps_nobody_from_ending_in_time(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "endless.py").write_text(NEVER_YIELDS, encoding="utf-8")
    patient = {"WAYBILL_LEASE_MS": "3600000", "PYTHONPATH": str(code), "WAYBILL_HANDLER": "endless:handle"}

    with System(tmp_path, processors=1, settings=NO_DRAIN | patient) as system:
        processor = system.processors[0]
        path = system.create_job(*cargo.MIXED)
        system.wait_for_status(path, "processing")

        processor.terminate()
        exit_code = processor.exit_code()

        assert limits.STOP_MARGIN_SECONDS < PATIENCE_SECONDS
        assert exit_code == STALLED
        assert path.rpartition("/")[2] in processor.log_path.read_text(encoding="utf-8")
