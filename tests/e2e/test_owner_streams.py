"""Streams of one owner over two gateways: as many as the limit, whoever holds them, and none of a gateway that died."""

import contextlib
import functools
from collections.abc import Iterator

import pytest

from deploy.local.resp import ask
from gateway.auth.caller import LOCAL
from shared.jobstore import keys
from tests.support import cargo
from tests.support.local_http import local_client
from tests.support.owners import digest_of
from tests.support.service import Service
from tests.support.sse_reader import FrameReader
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS, until

# A lease of seconds, so that nobody waits for a minute; longer than a busy machine keeps a gateway from renewing it.
QUICK_LEASE = {"STREAMS_LEASE_MS": 4_000, "STREAMS_RENEWED_EVERY_SECONDS": 0.4}
MOST = {"WAYBILL_OWNER_STREAMS": "2"}
MANY = "/v1/download"
EVENT_STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two gateways and nobody who works: a job waits for as long as a test likes."""
    home = tmp_path_factory.mktemp("owner-streams")
    with System(home, gateways=2, processors=0, settings=MOST, alterations=QUICK_LEASE) as running:
        yield running


@pytest.fixture(scope="module")
def path(system: System) -> str:
    """A job that waits."""
    return system.create_job(*cargo.LONG[:1])


def chosen(paths: list[str]) -> str:
    """Write the query that chooses these jobs."""
    return "?" + "&".join(f"job={path.rpartition('/')[2]}" for path in paths)


@contextlib.contextmanager
def open_stream(gateway: Service, path: str, query: str = "") -> Iterator[None]:
    """Hold a stream open that has begun."""
    with (
        local_client(within_seconds=PATIENCE_SECONDS) as client,
        client.stream("GET", f"{gateway.url}{path}/stream{query}") as response,
    ):
        assert response.status_code == 200
        pieces = response.iter_raw()  # named: httpx closes the response with its forgotten iterator
        next(pieces)
        yield


def refusal(gateway: Service, path: str, query: str = "") -> str | None:
    """Try to open a stream as an EventSource does; give the reason of its busy frame, None when it began."""
    with (
        local_client(within_seconds=PATIENCE_SECONDS) as client,
        client.stream("GET", f"{gateway.url}{path}/stream{query}", headers=EVENT_STREAM) as response,
    ):
        [frame, *_] = FrameReader().feed(next(response.iter_raw()))
        return str(frame.data["reason"]) if frame.type == "busy" else None


def held(system: System) -> list[str]:
    """Read what the gateways hold for the one owner: `<how many> <until when>` each."""
    name = keys.owner_streams(digest_of(LOCAL.owner))
    return ask(system.redis.port, "EVAL", "return table.concat(redis.call('HVALS', KEYS[1]), ',')", "1", name).split(
        ","
    )


def leases(system: System, count: int) -> Iterator[str]:
    """Watch how what one gateway holds is renewed, so many times."""
    before = held(system)
    for _ in range(count):
        before = until(functools.partial(newer, system, before), "the lease is renewed")
        yield from before


def newer(system: System, than: list[str]) -> list[str]:
    """Give what is held, if it is something else than before."""
    return [] if (now := held(system)) == than else now


def test_one_stream_too_many_is_told_so_on_every_gateway_and_everything_else_goes_on(system: System, path: str) -> None:
    one, other = system.gateways
    with open_stream(one, path), open_stream(other, path):
        reasons = [refusal(gateway, path) for gateway in (one, other)]
        plain = system.get(f"{path}/stream")
        polled = system.get(f"{path}", prefer="wait=25")

    assert reasons == ["limit", "limit"]
    assert (plain.status_code, plain.json()["code"]) == (429, "LIMIT_STREAMS")
    assert "You may follow 2 jobs at once" in plain.json()["detail"]
    assert 5 <= int(plain.headers["retry-after"]) <= 15
    assert (plain.headers["ratelimit-policy"], plain.headers["ratelimit"]) == (
        '"streams";q=2;qu="concurrent-requests"',
        '"streams";r=0',
    )
    assert polled.status_code == 200
    assert "preference-applied" not in polled.headers, "it must not wait where there is no room"
    assert one.metric("sse_refusals_total", reason="limit") == 1
    until(lambda: refusal(one, path) is None, "the places are free again")


def test_a_stream_of_many_counts_for_each_of_its_jobs(system: System, path: str) -> None:
    one, other = system.gateways
    until(lambda: held(system) == [""], "nothing is held")
    paths = system.create_jobs(3, *cargo.LONG[:1])
    with open_stream(one, MANY, chosen(paths[:2])):
        reasons = [refusal(gateway, path) for gateway in (one, other)]
    until(lambda: held(system) == [""], "both places are free again")

    reasons.append(refusal(one, MANY, chosen(paths)))

    assert reasons == ["limit"] * 3


def test_streams_that_last_are_renewed_without_a_word_of_theirs(system: System, path: str) -> None:
    one, other = system.gateways
    until(lambda: held(system) == [""], "nothing is held")
    with open_stream(one, path), open_stream(one, path):
        seen = list(leases(system, 3))

        assert [lease.split()[0] for lease in seen] == ["2"] * 3
        assert refusal(other, path) == "limit"


def test_streams_of_a_gateway_that_died_are_forgotten(system: System, path: str) -> None:
    one = system.gateways[0]
    dying = system.start("gateway")
    dying.wait_until_ready()
    with contextlib.suppress(Exception), open_stream(dying, path), open_stream(dying, path):
        assert refusal(one, path) == "limit"
        dying.kill()

    assert refusal(one, path) == "limit", "nobody knows yet that it has died"
    until(lambda: refusal(one, path) is None, "they are forgotten")


def test_a_gateway_that_stops_gives_its_places_back(system: System, path: str) -> None:
    one = system.gateways[0]
    until(lambda: held(system) == [""], "nothing is held")
    leaving = system.start("gateway", {**QUICK_LEASE, "STREAMS_LEASE_MS": 600_000})
    leaving.wait_until_ready()
    with contextlib.suppress(Exception), open_stream(leaving, path), open_stream(leaving, path):
        leaving.terminate()
    leaving.exit_code()

    assert refusal(one, path) is None
