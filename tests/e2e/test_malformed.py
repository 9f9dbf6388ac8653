"""Ten thousand requests that nobody should send, one behind the other, while somebody else goes on undisturbed."""

import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Self

import pytest

from deploy.local.resp import ask
from tests.support import cargo
from tests.support.api_keys import new_api_key
from tests.support.local_http import local_client
from tests.support.malformed import Drawer, Malformed
from tests.support.sse_reader import FrameReader
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS

COUNT = 10_000
SEED = 20_260_725
MAY_GROW_BYTES = 3_000_000
"""Of the second half: what is kept for each request would be 600 bytes of it."""


class Peer:
    """A client of raw bytes that keeps its connection for as long as the gateway does."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._connection: socket.socket | None = None

    def answer(self, wrong: Malformed) -> HTTPResponse:
        """Send a request, and read the answer whole; its body is `fp`'s no more, but that of `read()` is kept."""
        if self._connection is None:
            self._connection = socket.create_connection(self._address, timeout=PATIENCE_SECONDS)
        self._connection.sendall(wrong.request)
        response = HTTPResponse(self._connection)
        try:
            response.begin()
        except OSError as error:
            raise AssertionError(f"no answer to {wrong.request[:300]!r}") from error
        self.body = response.read()
        if response.will_close or not wrong.is_whole:
            self._connection.close()
            self._connection = None
        return response


class Undisturbed(threading.Thread):
    """Somebody else: follows a job and polls it, all the while."""

    def __init__(self, url: str, path: str, headers: dict[str, str]) -> None:
        super().__init__(name="undisturbed")
        self._url = url + path
        self._headers = headers
        self.is_over = threading.Event()
        self.polls: Counter[int] = Counter()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.join()

    def run(self) -> None:
        """Poll until told to end."""
        with local_client() as http:
            while not self.is_over.wait(0.05):
                self.polls[http.get(self._url, headers=self._headers).status_code] += 1


def resident_bytes(pid: int) -> int:
    """Give how much memory of a process is in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


def names_in_redis(system: System) -> set[str]:
    """Give the names of all keys."""
    return set(json.loads(ask(system.redis.port, "EVAL", "return cjson.encode(redis.call('KEYS', '*'))", "0")))


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway that asks for keys, and nobody who runs its jobs."""
    with System(tmp_path_factory.mktemp("keyed"), processors=0, settings={"WAYBILL_AUTH": "keys"}) as running:
        yield running


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_ten_thousand_malformed_requests_are_refused_and_leave_nothing(keyed: System) -> None:
    gateway, headers = keyed.gateways[0], {"Authorization": f"Bearer {new_api_key(keyed.redis.url, 'anna')}"}
    path = keyed.create_job(cargo.MIXED[0], headers=headers)
    drawer = Drawer(SEED, api_key=headers["Authorization"][7:], job=path, file_id=cargo.MIXED[0].file_id)
    peer, statuses, memory = Peer(gateway.port), Counter[tuple[str, int]](), []

    with local_client() as http, http.stream("GET", f"{gateway.url}{path}/stream", headers=headers) as stream:
        before, kept_before = names_in_redis(keyed), keyed.count_in_redis()
        with Undisturbed(gateway.url, path, headers) as bystander:
            for turn, wrong in enumerate(drawer.draw(COUNT)):
                response = peer.answer(wrong)
                statuses[wrong.kind, response.status] += 1
                assert 400 <= response.status < 500, (wrong.request[:300], response.status, peer.body[:300])
                assert response.headers["content-type"] == "application/problem+json", wrong.request[:300]
                assert json.loads(peer.body)["request_id"] == response.headers["x-request-id"]
                if turn in (COUNT // 2, COUNT - 1):
                    memory.append(resident_bytes(gateway.pid))
        left, kept = names_in_redis(keyed), keyed.count_in_redis()
        http.post(f"{gateway.url}{path}/cancel", headers=headers)
        reader = FrameReader()
        frames = [frame for piece in stream.iter_raw() for frame in reader.feed(piece)]

    sys.stdout.write(f"\n{sorted(statuses.items())}\nresident {memory}, polls {dict(bystander.polls)}\n")
    assert left <= before  # what counts a minute's creates may have run out meanwhile
    assert kept == kept_before
    assert memory[1] - memory[0] < MAY_GROW_BYTES
    assert set(bystander.polls) == {200}
    assert [frame.type for frame in frames if frame.type != "heartbeat"] == ["snapshot", "cancelled"]
    assert {status for _, status in statuses} >= {400, 401, 404, 405, 413, 414, 415, 422, 431}
    assert [line for line in gateway.log_lines() if line["level"] in ("error", "critical")] == []
