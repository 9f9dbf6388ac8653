"""Whether callers are sent to a process, as an orchestrator asks it: from its first good moment on, until it stops."""

from pathlib import Path

from tests.e2e.test_drain import LONGEST_DRAIN, wait_for_draining
from tests.support import cargo
from tests.support.service import Service
from tests.support.system import System
from tests.support.waiting import until


def is_sent_callers(service: Service) -> bool:
    """Tell what the orchestrator is told."""
    return service.ask("/startedz").status_code == 200


def test_gateway_is_sent_callers_once_it_has_met_redis_and_keeps_them_while_redis_is_away(tmp_path: Path) -> None:
    with System(tmp_path, processors=0) as system:
        path = system.create_job(*cargo.MIXED)
        system.redis.kill()
        late = system.start("gateway")
        until(late.is_alive_and_unready, "it is up, without Redis")
        assert not is_sent_callers(late)
        assert "Redis does not answer" in late.ask("/startedz").text

        system.redis.start()
        until(lambda: is_sent_callers(late), "it has met Redis")

        system.redis.kill()
        until(late.is_alive_and_unready, "it misses Redis")
        assert is_sent_callers(late)
        assert '"busy"' in system.get(f"{path}/stream", accept="text/event-stream").text


def test_processor_that_drains_is_sent_nobody(tmp_path: Path) -> None:
    with System(tmp_path, settings=LONGEST_DRAIN) as system:
        processor = system.processors[0]
        assert is_sent_callers(processor)
        system.wait_for_copying(system.create_job(*cargo.LONG))

        processor.terminate()
        wait_for_draining(processor)

        assert not is_sent_callers(processor)
        processor.interrupt()
        assert processor.exit_code() == 0
