"""Someone starts a download with the TypeScript client, and sees it over restarts and losses to its archive."""

from collections.abc import Iterator

import pytest

from deploy.local.resp import ask
from tests.support import cargo
from tests.support.system import System
from tests.web.built_client import downloading, require_core

FILES = cargo.LONG[:3]
"""Six seconds of copying: long enough to restart a gateway in the middle."""
HOUR_MS = 3_600_000


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway, a processor, Redis."""
    require_core()
    with System(tmp_path_factory.mktemp("web")) as running:
        yield running


def restart_gateway(system: System, *, is_hard: bool) -> None:
    """Let the gateway die, or drain, and another one come up at the same port."""
    [old] = system.gateways
    if is_hard:
        old.kill()
    else:
        old.terminate()
        old.exit_code()
    system.gateways[:] = [system.start("gateway", WAYBILL_PORT=str(old.port))]
    system.gateways[0].wait_until_ready()


@pytest.mark.parametrize("clock_off_ms", [3 * HOUR_MS, -3 * HOUR_MS])
def test_a_download_is_shown_from_the_click_to_the_archive_whatever_the_own_clock_says(
    system: System, clock_off_ms: int
) -> None:
    with downloading(system.url, cargo.ids_of(*FILES), clock_off_ms=clock_off_ms) as download:
        end = download.wait_for_end()

    states = [row["state"] for row in download.rows]
    assert list(dict.fromkeys(states)) == ["submitting", "queued", "processing", "completed"]
    assert end["archive_bytes"] == end["ended"]["sizeBytes"] > sum(len(file.content) for file in FILES)
    # An archive is kept for 24 hours: that is what is shown, though the own clock is three hours off.
    assert end["ended"]["expiresAt"] - end["server_now_ms"] == pytest.approx(24 * HOUR_MS, abs=60_000)
    assert download.modes == ["connecting", "live", "idle"]


@pytest.mark.parametrize("is_hard", [True, False], ids=["killed", "drained"])
def test_a_restart_of_the_gateway_in_the_middle_loses_nothing(system: System, is_hard: bool) -> None:
    with downloading(system.url, cargo.ids_of(*FILES)) as download:
        download.wait_for_progress(0.1)
        restart_gateway(system, is_hard=is_hard)
        end = download.wait_for_end()

    assert end["ended"]["state"] == "completed"
    assert end["archive_bytes"] == end["ended"]["sizeBytes"]
    assert "waiting" in download.modes
    done = [row["bytesDone"] for row in download.rows]
    assert done == sorted(done)
    assert len({row["key"] for row in download.rows}) == 1


def test_a_job_that_redis_lost_is_made_again_in_the_same_row(system: System) -> None:
    system.processors[0].kill()
    with downloading(system.url, cargo.ids_of(*cargo.MIXED)) as download:
        download.wait_for_mode("live")
        lost_id = next(row["id"] for row in download.rows if row["state"] == "queued")
        ask(system.redis.port, "FLUSHALL")
        restart_gateway(system, is_hard=True)
        system.start("processor").wait_until_ready()
        end = download.wait_for_end()

    assert end["ended"]["state"] == "completed"
    assert end["ended"]["id"] != lost_id
    assert len({row["key"] for row in download.rows}) == 1
