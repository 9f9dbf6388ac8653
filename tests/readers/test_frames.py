"""The bytes of a real stream, split and cut at each place: exactly, for over a socket chance puts pieces together."""

import json
from collections.abc import Iterator

import httpx
import httpx_sse
import pytest

from tests.readers.author import AWKWARD, Author
from tests.readers.followed import split_everywhere
from tests.support.local_http import local_client
from tests.support.sse_reader import read_frames
from tests.support.system import System


class Pieces(httpx.SyncByteStream):
    """A body that arrives in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


@pytest.fixture(scope="module")
def stream(system: System) -> bytes:
    """The body of a whole stream: a snapshot with a gap, a heartbeat, events, the last one among them."""
    gateway = system.start("gateway", {"HEARTBEAT_EVERY_SECONDS": 0.3})
    gateway.wait_until_ready()
    job = Author(system)
    job.write(AWKWARD)
    with (
        local_client() as client,
        client.stream("GET", f"{gateway.url}{job.path}/stream?last_event_id=9-9") as response,
    ):
        body = b""
        for piece in response.iter_raw():
            body += piece
            if b"event: heartbeat" in piece:
                break
    job.write(AWKWARD, "last")
    job.end()
    body += httpx.get(f"{gateway.url}{job.path}/stream?last_event_id=1-3", trust_env=False).content
    assert [frame.type for frame in read_frames(body)] == "snapshot heartbeat progress progress completed".split()
    return body


def by_httpx_sse(*pieces: bytes) -> list[tuple[str, str, str]]:
    """Read a body with httpx-sse; give type, id and data of each message."""
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Pieces(*pieces))
    return [(event.event, event.id, event.data) for event in httpx_sse.EventSource(response).iter_sse()]


@pytest.mark.parametrize("reader", ["eventsource_parser", "fetch_event_source"])
def test_readers_in_javascript_read_the_same_messages_wherever_the_stream_is_split(reader: str, stream: bytes) -> None:
    split = split_everywhere(reader, stream)

    assert split.wrong == []
    assert [told.message for told in split.messages] == [frame.data for frame in read_frames(stream)]


def test_httpx_sse_reads_the_same_messages_wherever_the_stream_is_split(stream: bytes) -> None:
    whole = by_httpx_sse(stream)

    assert [json.loads(text) for _, _, text in whole] == [frame.data for frame in read_frames(stream)]
    assert by_httpx_sse(*(bytes([byte]) for byte in stream)) == whole
    for place in range(1, len(stream)):
        assert by_httpx_sse(stream[:place], stream[place:]) == whole, place


def test_eventsource_parser_never_comes_back_with_the_id_of_an_event_that_it_has_not_told(stream: bytes) -> None:
    assert split_everywhere("eventsource_parser", stream).ahead == []


def test_fetch_event_source_comes_back_with_an_untold_id_only_when_a_frame_lost_its_last_byte(stream: bytes) -> None:
    """It takes an id when it has read the line, and tells the event when the blank line has come."""
    ends = [place for place in range(1, len(stream)) if stream[:place].endswith(b"\n") and stream[place:][:1] == b"\n"]
    with_id = [place for place in ends if stream[:place].rsplit(b"\n", 2)[-2].startswith(b"id: ")]

    assert split_everywhere("fetch_event_source", stream).ahead == with_id
