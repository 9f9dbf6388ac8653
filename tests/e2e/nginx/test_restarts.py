"""Gateways behind nginx come and go, in order and by accident, and nobody who watches loses or doubles an event."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import cargo
from tests.support.holding_handler import LET_GO
from tests.support.nginx import ShippedNginx
from tests.support.returning_viewers import ReturningViewer, ReturningViewers
from tests.support.system import System
from tests.support.waiting import until

JOBS = 8
VIEWERS = 104


class Storm(NamedTuple):
    """What the viewers saw while each gateway was restarted, and killed, and both were gone at once."""

    logs: dict[str, list[dict[str, object]]]
    followers: list[ReturningViewer]
    hit_streams: list[float]


class Fleet:
    """Two gateways that are replaced one by one, at their own addresses, while an audience watches."""

    def __init__(self, system: System, audience: ReturningViewers) -> None:
        self.hit_streams: list[float] = []
        """How many streams each blow has ended."""
        self._system = system
        self._audience = audience

    def restart(self, number: int) -> None:
        """Let a gateway stop as a deploy does, and put another one in its place."""
        self.hit_streams.append(self._wait_for_everybody()[number])
        self._system.gateways[number].terminate()
        assert self._system.gateways[number].exit_code() == 0
        self._replace([number])

    def kill(self, number: int) -> None:
        """Let a gateway vanish, and put another one in its place."""
        self.hit_streams.append(self._wait_for_everybody()[number])
        self._system.gateways[number].kill()
        self._replace([number])

    def kill_all(self) -> None:
        """Let all gateways vanish, and put others there when each viewer has heard of it."""
        self.hit_streams.append(sum(self._wait_for_everybody()))
        for gateway in self._system.gateways:
            gateway.kill()
        until(lambda: all("gateway" in one.goodbyes for one in self._audience.followers), "nginx answers everybody")
        self._replace(range(len(self._system.gateways)))
        self._wait_for_everybody()

    def _replace(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            before = self._system.gateways[number].settings
            places = {name: before[name] for name in ("WAYBILL_PORT", "WAYBILL_ADMIN_PORT")}
            self._system.gateways[number] = self._system.start("gateway", **places)
        for gateway in self._system.gateways:
            gateway.wait_until_ready()

    def _wait_for_everybody(self) -> list[float]:
        """Return once all viewers watch; give how many watch each gateway."""

        def streams() -> list[float]:
            return [gateway.metric("sse_connections_active") for gateway in self._system.gateways]

        until(lambda: sum(streams()) == len(self._audience.followers), "all viewers watch")
        return streams()


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """All of it, one after the other, while the jobs go on and report; then the jobs end."""
    home = tmp_path_factory.mktemp("restarts")
    holding = {"WAYBILL_HANDLER": "tests.support.holding_handler:handle", LET_GO: str(home / "let-go")}
    with System(home, gateways=2, settings=holding | {"WAYBILL_SLOTS": str(JOBS)}) as system:
        gateways = [gateway.url.removeprefix("http://") for gateway in system.gateways]
        with ShippedNginx(home / "nginx", gateways) as nginx:
            paths = system.create_jobs(JOBS, *cargo.MIXED)
            with ReturningViewers(nginx.url, paths * (VIEWERS // JOBS), trust=nginx.trust()) as audience:
                fleet = Fleet(system, audience)
                for number in range(2):
                    fleet.restart(number)
                for number in range(2):
                    fleet.kill(number)
                fleet.kill_all()
                Path(holding[LET_GO]).touch()
                audience.wait_for_end()
                yield Storm({path: system.log(path) for path in paths}, audience.followers, fleet.hit_streams)


def test_every_viewer_saw_every_event_once_and_in_order(storm: Storm) -> None:
    for follower in storm.followers:
        assert follower.events == storm.logs[follower.path]
        assert follower.snapshots == []


def test_the_jobs_went_on_and_ended_once(storm: Storm) -> None:
    for log in storm.logs.values():
        kinds = Counter(event["type"] for event in log)
        assert (kinds["started"], kinds["completed"], log[-1]["type"]) == (1, 1, "completed")
        assert kinds["progress"] >= 5


def test_a_restart_says_goodbye_a_kill_does_not_and_no_viewer_was_ended_by_either(storm: Storm) -> None:
    goodbyes = Counter(reason for follower in storm.followers for reason in follower.goodbyes)
    breaks = sum(follower.breaks for follower in storm.followers)

    # What an EventSource does not survive is any other status.
    assert {status for follower in storm.followers for status in follower.statuses} == {200, 204}
    assert goodbyes["drain"] >= VIEWERS  # each viewer by one of the two gateways, some by both
    assert goodbyes["gateway"] >= VIEWERS
    assert breaks >= VIEWERS


def test_every_blow_hit_streams(storm: Storm) -> None:
    assert len(storm.hit_streams) == 5
    assert all(storm.hit_streams)
    assert storm.hit_streams[-1] == VIEWERS
