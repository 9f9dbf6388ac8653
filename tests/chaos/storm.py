"""A storm over a whole system of real processes, and the history that is left of it.

clients ──▶ gateways ──▶ Redis ◀── processors that die at crash points      } for as long as the storm lasts,
                          ▲ killed, frozen, its clients cut off             } and until every point was hit
                                               │
healthy processors, no new jobs ──▶ rest ──▶ history ──▶ checker
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from deploy.local.resp import ServerRefusedError, ask
from shared import limits
from shared.jobs import JobState
from shared.jobstore import keys
from tests.chaos.census import take_census
from tests.chaos.checker import CALLBACK_SCHEDULE
from tests.chaos.clients import Crowd
from tests.chaos.crash_points import CrashPoint
from tests.chaos.fleet import Fleet
from tests.chaos.history import Census, History
from tests.chaos.moods import MoodyReceiver
from tests.chaos.plan import Fault, Kind, dooms, faults
from tests.chaos.remains import (
    archive_of,
    due_now,
    leave_it_to_time,
    listed_by,
    looks_at_the_deleted,
    partitions_of,
    read_remains,
)
from tests.support import servers
from tests.support.altered import altered_here
from tests.support.system import System
from tests.support.waiting import until

SETTINGS = {
    "WAYBILL_LEASE_MS": "2000",
    "WAYBILL_RENEW_EVERY_MS": "400",
    "WAYBILL_SLOTS": "3",
    "WAYBILL_RETRY_BASE_MS": "1000",
    "WAYBILL_LOG_LEVEL": "info",
    # One second for jobs: some end in it, others are handed back.
    "WAYBILL_STOP_GRACE_SECONDS": str(limits.STOP_MARGIN_SECONDS + 1),
    # Receivers are on this machine, and most of their troubles are over within seconds.
    "WAYBILL_CALLBACK_HTTP": "true",
    "WAYBILL_CALLBACK_PORTS": "1-65535",
    "WAYBILL_CALLBACK_NETWORKS": "127.0.0.1",
    "WAYBILL_CALLBACK_SECRETS": "whsec_" + "A" * 40,
    "WAYBILL_CALLBACK_SCHEDULE": CALLBACK_SCHEDULE,
}
ALTERATIONS = {
    "MAX_WAITING_MS": 5000,  # what is put off for longer expires
    "JANITOR_EVERY_SECONDS": 0.5,
    "JANITOR_LOCK_MS": 2000,
    "INSPECTION_EVERY_SECONDS": 2.0,
    "CALLBACK_LEASE_MS": 3000,
    "CALLBACK_DRAIN_WITHIN_SECONDS": 0.5,
}
PAST_THE_LEASE_SECONDS = 3.0
LOOK_EVERY_SECONDS = 0.1
CENSUS_EVERY_SECONDS = 0.5
SIZE = 4
"""Processors alive at a time."""


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How a storm goes: `seconds` at least, longer (by `patience_seconds`) until each crash point was hit."""

    seed: int
    seconds: float
    patience_seconds: float
    pause_seconds: float = 3.0
    jobs_per_second: float = 3.0
    rest_within_seconds: float = 60.0
    settings: Mapping[str, str] = msgspec.field(default_factory=dict)


class Aftermath(NamedTuple):
    """What is left of a storm."""

    history: History
    hits: Counter[CrashPoint]
    faults: Counter[Kind]
    cuts: int
    refused_calls: int
    cut_calls: list[str]
    seconds: float


def history_of(
    system: System, fleet: Fleet, crowd: Crowd, censuses: Iterable[Census] = (), heard: Sequence[str] = ()
) -> History:
    """Gather what everybody saw and did, once the system has come to rest; then stop the fleet, and let time pass.

    `censuses` are those that were taken before, `heard` the ids of callbacks that a receiver has answered with success.
    """
    until(lambda: not any(map(sum, _unsettled(system))), "the janitor has deleted what it should, and nothing waits")
    remains = asyncio.run(read_remains(system, crowd.accepted))
    deleted = [job_id for job_id, record in remains.records.items() if record.deleted_at_ms is not None]
    looks = list(looks_at_the_deleted(system, deleted))
    archives = {
        job_id: archive_of(system, record)
        for job_id, record in remains.records.items()
        if record.state is JobState.COMPLETED and record.deleted_at_ms is None
    }
    listed = listed_by(system)
    deeds = fleet.deeds()
    fleet.stop()
    return History(
        accepted=frozenset(crowd.accepted),
        logs=remains.logs,
        records=remains.records,
        sightings=crowd.sightings,
        answers=crowd.answers,
        deeds=deeds,
        deaths=fleet.deaths,
        frozen=fleet.frozen,
        entries=remains.entries,
        pending=remains.pending,
        dead_letters=remains.dead_letters,
        archives=archives,
        open_uploads=remains.open_uploads,
        calls=[*crowd.calls, *looks],
        callbacks=remains.callbacks,
        heard=list(heard),
        dead_callbacks=remains.dead_callbacks,
        listed=listed,
        findings=remains.findings,
        censuses=[*censuses, *_censuses(system)],
        left=asyncio.run(leave_it_to_time(system)),
    )


def _censuses(system: System) -> list[Census]:
    return [take_census(system.redis.port, partition) for partition in range(partitions_of(system))]


def _unsettled(system: System) -> Iterator[tuple[int, int, int]]:
    """Give, for each partition, how many entries there are, how many jobs are due now, and how many callbacks wait."""
    due = asyncio.run(due_now(system))
    for partition in range(partitions_of(system)):
        callbacks = int(ask(system.redis.port, "ZCARD", keys.outbox(partition)))
        yield system.count_in_redis(partition)[0], due[partition], callbacks


class Storm:
    """One storm."""

    def __init__(self, home: Path, weather: Weather) -> None:
        self._weather = weather
        self._system = System(
            home, gateways=2, processors=0, settings=SETTINGS | dict(weather.settings), alterations=ALTERATIONS
        )
        self._diaries_dir = home / "diaries"
        self._faults: Counter[Kind] = Counter()
        self._bring_back: Callable[[], object] | None = None
        self._back_at = 0.0
        self._censuses: list[Census] = []
        self._census_at = 0.0

    def rage(self) -> Aftermath:
        """Let it rage, wait for rest, and give what is left. Fails when the system does not come to rest in time."""
        began_at, seed = time.monotonic(), self._weather.seed
        self._diaries_dir.mkdir(parents=True)
        # The operator redrives from this process, and gives a job as long to wait as everybody else does.
        with altered_here(ALTERATIONS), self._system as system:
            fleet = Fleet(system, dooms(seed), size=SIZE, seed=seed, diaries_dir=self._diaries_dir)
            fleet.start_first()
            urls = [gateway.url for gateway in system.gateways]
            harbour_office = MoodyReceiver(seed)
            with (
                harbour_office,
                Crowd(
                    urls,
                    seed=seed,
                    jobs_per_second=self._weather.jobs_per_second,
                    redis_url=system.redis.url,
                    partitions=partitions_of(system),
                    callback_url=harbour_office.url,
                ) as crowd,
            ):
                self._blow(fleet, crowd)
                crowd.create_no_more()
                fleet.retire()
                crowd.wait_for_end(self._weather.rest_within_seconds)
                until(fleet.is_retired, "the doomed have stopped")
                # Whoever calls takes a broken connection for granted; so it must not have been a gateway that broke.
                assert all(gateway.is_alive() for gateway in system.gateways), "a gateway ended"
                history = history_of(system, fleet, crowd, self._censuses, harbour_office.heard())
        seconds = time.monotonic() - began_at
        return Aftermath(history, fleet.hits, self._faults, crowd.cuts, crowd.refused_calls, crowd.cut_calls, seconds)

    # ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _blow(self, fleet: Fleet, crowd: Crowd) -> None:
        began_at = time.monotonic()
        upcoming = faults(self._weather.seed, pause_seconds=self._weather.pause_seconds)
        fault = next(upcoming)
        due_at = began_at + fault.pause_seconds
        while not self._is_over(fleet, time.monotonic() - began_at):
            fleet.look_after()
            crowd.insist_on_sound()
            self._bring_redis_back(time.monotonic())
            self._count_jobs(time.monotonic())
            if time.monotonic() >= due_at and self._strike(fleet, fault):
                self._faults[fault.kind] += 1
                fault = next(upcoming)
                due_at = time.monotonic() + fault.pause_seconds
            time.sleep(LOOK_EVERY_SECONDS)
        self._bring_redis_back(float("inf"))

    def _is_over(self, fleet: Fleet, seconds: float) -> bool:
        is_complete = all(fleet.hits[point] for point in CrashPoint) and all(self._faults[kind] for kind in Kind)
        is_complete = is_complete and not any(one.is_frozen for one in fleet.alive)
        patience_seconds = 0.0 if is_complete else self._weather.patience_seconds
        return seconds >= self._weather.seconds + patience_seconds

    def _count_jobs(self, now: float) -> None:
        """Take a census now and then, while Redis is there."""
        if self._bring_back or now < self._census_at:
            return
        self._census_at = now + CENSUS_EVERY_SECONDS
        with contextlib.suppress(OSError, ServerRefusedError):  # it was just killed, or is loading
            self._censuses += _censuses(self._system)

    def _strike(self, fleet: Fleet, fault: Fault) -> bool:
        """Do one thing; False when it has to wait: there is nobody to hit, or Redis is away already."""
        if fault.kind in (Kind.KILL, Kind.DRAIN, Kind.HAND_BACK, Kind.FREEZE):
            return self._strike_processor(fleet, fault)
        if self._bring_back:
            return False
        self._strike_redis(fault.kind)
        return True

    def _strike_processor(self, fleet: Fleet, fault: Fault) -> bool:
        victim = fleet.choose(fault.victim_ratio)
        if victim is None:
            return False
        match fault.kind:
            case Kind.KILL:
                fleet.kill(victim)
            case Kind.DRAIN:
                victim.drain()
            case Kind.HAND_BACK:
                victim.hand_back()
            case _:
                fleet.freeze(victim)
        return True

    def _strike_redis(self, kind: Kind) -> None:
        redis = self._system.redis
        match kind:
            case Kind.REDIS_KILL:
                redis.kill()
                self._bring_back_later(redis.start)
            case Kind.REDIS_FREEZE:
                freezing = contextlib.ExitStack()
                freezing.enter_context(servers.frozen(redis))
                self._bring_back_later(freezing.close)
            case Kind.CUT_NORMAL:
                servers.cut_clients(redis, kind="normal")
            case Kind.CUT_PUBSUB:
                servers.cut_clients(redis, kind="pubsub")
            case _:
                servers.forget_scripts(redis)

    def _bring_back_later(self, bring_back: Callable[[], object]) -> None:
        self._back_at, self._bring_back = time.monotonic() + PAST_THE_LEASE_SECONDS, bring_back

    def _bring_redis_back(self, now: float) -> None:
        """Let Redis be there again once it was away for long enough."""
        if self._bring_back and self._back_at <= now:
            self._bring_back()
            self._bring_back = None
