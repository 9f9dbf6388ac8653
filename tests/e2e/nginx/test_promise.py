"""What Waybill is for: behind a proxy that cuts what takes too long, a job that takes longer is followed and fetched.

The proxy is an nginx with its defaults, but for its patience, which is two seconds in place of sixty. A direct answer
that takes longer is cut three times in a row while one job runs: so the job took three times as long.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import cargo
from tests.support.holding_handler import HELD, LET_GO, SILENT
from tests.support.local_http import local_client
from tests.support.nginx import BareNginx
from tests.support.sse_reader import Frame
from tests.support.system import System
from tests.support.viewer import BackgroundViewer

IMPATIENT = "proxy_read_timeout 2s;"
HEARTBEAT_SECONDS = 0.4
"""Scaled as the proxy's patience is: fifteen seconds of sixty would be half a second."""
DIRECT_ANSWERS = 3


class Shown(NamedTuple):
    """What callers were shown behind the impatient proxy."""

    direct_statuses: list[int]
    status_meanwhile: str
    frames: list[Frame]
    archive: bytes
    log: list[dict[str, object]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Ask directly, again and again, while a job is followed; then let it end, and fetch what it made."""
    home = tmp_path_factory.mktemp("promise")
    slow = {"WAYBILL_HANDLER": "tests.support.holding_handler:handle", LET_GO: str(home / "let-go")}
    with System(home, gateways=0, settings=slow) as system, socket.create_server(("127.0.0.1", 0)) as direct:
        system.gateways.append(system.start("gateway", {"HEARTBEAT_EVERY_SECONDS": HEARTBEAT_SECONDS}))
        system.gateways[0].wait_until_ready()
        # It takes the request, works on it, and has not said a word when the proxy loses patience.
        working = f"location /direct {{ proxy_pass http://127.0.0.1:{direct.getsockname()[1]}; }}"
        with BareNginx(home / "nginx", system.url, IMPATIENT, working) as nginx, local_client() as client:
            path = system.create_job(*cargo.MIXED, archive_name=SILENT)
            viewer = BackgroundViewer(f"{nginx.url}{path}/stream")
            statuses = [client.get(f"{nginx.url}/direct").status_code for _ in range(DIRECT_ANSWERS)]
            status_meanwhile = client.get(nginx.url + path).json()["status"]
            Path(slow[LET_GO]).touch()
            frames = viewer.wait_for_end()
            archive = client.get(nginx.url + str(frames[-1].data["download_url"])).content
            yield Shown(statuses, status_meanwhile, frames, archive, system.log(path))


def test_a_direct_answer_of_that_length_is_cut(shown: Shown) -> None:
    assert shown.direct_statuses == [504] * DIRECT_ANSWERS


def test_a_job_three_times_as_long_is_followed_to_its_end_over_one_connection(shown: Shown) -> None:
    events = [{"id": frame.id, **frame.data} for frame in shown.frames if frame.id]

    assert shown.status_meanwhile == "processing"
    assert events == shown.log
    assert [event["type"] for event in shown.log] == ["queued", "started", "completed"]


def test_heartbeats_alone_keep_a_silent_job_s_stream_alive(shown: Shown) -> None:
    types = [frame.type for frame in shown.frames]

    assert set(types[types.index("started") + 1 : -1]) == {"heartbeat"}
    assert types.count("heartbeat") >= 3 * DIRECT_ANSWERS


def test_what_the_job_made_is_fetched_through_the_same_proxy(shown: Shown) -> None:
    assert shown.archive == HELD
