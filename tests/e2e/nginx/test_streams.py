"""A stream through nginx is a stream: small events come at once, cursors go through, leaving is noticed."""

import json

import httpx

from shared import limits
from tests.e2e.nginx.conftest import Front
from tests.support import cargo
from tests.support.curl import CurlViewer
from tests.support.holding_handler import SILENT
from tests.support.nginx import ShippedNginx
from tests.support.socket_reader import open_socket
from tests.support.system import System
from tests.support.waiting import until

BUFFER_BYTES = 4_096
"""The smallest buffer of nginx: an event of that size would pass it whether it holds events back or not."""


def viewer(front: Front, path: str, *options: str) -> CurlViewer:
    """Make a viewer of a job's stream; it is opened by `with`."""
    return CurlViewer(f"{front.nginx.url}{path}/stream", *front.options, *options)


def open_streams(system: System) -> float:
    """Count the streams of all gateways."""
    return sum(gateway.metric("sse_connections_active") for gateway in system.gateways)


def test_small_events_arrive_while_their_job_is_still_running(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)

    with viewer(front, path, "-H", "Last-Event-ID: 0-0") as stream:
        frames = [stream.next_event() for _ in range(4)]

    # The job runs for ever: what was shown cannot have come with its end.
    assert [frame.type for frame in frames] == ["queued", "started", "progress", "progress"]
    assert [frame.id for frame in frames] == ["0-1", "1-2", "1-3", "1-4"]
    assert sum(len(json.dumps(frame.data)) for frame in frames) < BUFFER_BYTES / 2


def test_last_event_id_goes_through_and_the_stream_resumes_right_after_it(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)
    until(lambda: len(held.log(path)) >= 3, "the job has made progress")

    with viewer(front, path, "-H", "Last-Event-ID: 1-2") as resumed, viewer(front, path) as without:
        first, first_without = resumed.next_frame(), without.next_frame()

    assert (first.id, first.type) == ("1-3", "progress")
    assert first_without.type == "snapshot"


def test_a_viewer_that_leaves_ends_its_stream_at_the_gateway(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED, archive_name=SILENT)
    until(lambda: open_streams(held) == 0, "nobody watches any more")
    with viewer(front, path) as stream:
        stream.next_frame()
        watched = open_streams(held)

    # Not by writing to somebody who is gone: the next thing to be written is a heartbeat.
    soon_seconds = 0.5 * limits.HEARTBEAT_EVERY_SECONDS
    until(lambda: open_streams(held) == 0, "the gateway knows that the viewer left", within_seconds=soon_seconds)
    assert watched == 1


def test_a_reload_of_nginx_keeps_open_streams(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)
    with viewer(front, path, "-H", "Last-Event-ID: 0-0") as stream:
        stream.next_frame()

        front.nginx.reload()
        last_id = held.log(path)[-1]["id"]
        seen = [stream.next_event()]
        while seen[-1].id != last_id:
            seen.append(stream.next_event())
        seen.append(stream.next_event())

    # One connection, and no event is missing between the first, which came before the reload, and the last.
    assert [{"id": frame.id, **frame.data} for frame in seen] == held.log(path)[1 : len(seen) + 1]


def test_the_end_of_an_ended_job_is_204_through_every_nginx(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)
    assert held.call("POST", f"{path}/cancel").status_code in (200, 202)
    held.wait_for_end(path)
    with httpx.Client(base_url=front.nginx.url, trust_env=False, verify=False) as client:
        end = held.log(path)[-1]
        response = client.get(f"{path}/stream", headers={"Last-Event-ID": end["id"]})

    assert (response.status_code, response.content) == (204, b"")


def test_a_websocket_of_our_own_page_goes_through_the_nginx_that_we_ship(held: System, shipped: ShippedNginx) -> None:
    path = held.create_job(*cargo.MIXED)

    # The origin has a port, as of every page that is not on 443.
    with open_socket(
        f"{shipped.url}{path}/stream?last_event_id=0-0", origin=shipped.url, ssl=shipped.trust()
    ) as reader:
        told = [reader.next() for _ in range(4)]
        held.call("POST", f"{path}/cancel")
        close = reader.to_the_end()

    assert [message["type"] for message in told if message] == ["queued", "started", "progress", "progress"]
    assert close == (1000, "")
