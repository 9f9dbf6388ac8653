"""What a storm does and when: all of it follows from the seed. Pure but for the generator that the seed makes."""

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tests.chaos.crash_points import CrashPoint, Doom

LATE_POINTS = (CrashPoint.MID_WORK, CrashPoint.RENEWING, CrashPoint.BEFORE_CLAIM, CrashPoint.AFTER_CLAIM)
"""Those that a processor comes to often enough to die at the second or third visit as well."""


class Kind(StrEnum):
    """What can happen besides crashes at crash points."""

    KILL = "kill -9 of a processor"
    DRAIN = "SIGTERM to a processor, which drains"
    HAND_BACK = "SIGINT to a processor, which hands back"
    FREEZE = "SIGSTOP of a processor past its lease"
    REDIS_KILL = "kill -9 of Redis, back with its AOF"
    REDIS_FREEZE = "SIGSTOP of Redis past the lease"
    CUT_NORMAL = "CLIENT KILL TYPE normal"
    CUT_PUBSUB = "CLIENT KILL TYPE pubsub"
    FORGET_SCRIPTS = "SCRIPT FLUSH"


class Fault(NamedTuple):
    """One thing that happens, so long after the one before; `victim_ratio` is a place among the processors, 0 to 1."""

    kind: Kind
    pause_seconds: float
    victim_ratio: float


def dooms(seed: int) -> Iterator[Doom]:
    """Give the processors' dooms in the order in which they are started: every crash point once, then again, for ever.

    The first one waits to die after a sweep: it is the first that may sweep at all.
    """
    chance = random.Random(f"{seed}/dooms")
    yield Doom(CrashPoint.AFTER_SWEEP)
    points = [point for point in CrashPoint if point is not CrashPoint.AFTER_SWEEP]
    while True:
        chance.shuffle(points)
        yield from (Doom(point, chance.randint(1, 3) if point in LATE_POINTS else 1) for point in points)
        points = list(CrashPoint)


def faults(seed: int, *, pause_seconds: float) -> Iterator[Fault]:
    """Give the faults in their order: every kind once, then every kind again, for ever; pauses are ± a half.

    The first is a freeze, with a long pause after it: a sleeper whom nobody could rob in peace proves nothing.
    """
    chance = random.Random(f"{seed}/faults")
    yield Fault(Kind.FREEZE, 2 * pause_seconds, chance.random())
    yield Fault(Kind.FORGET_SCRIPTS, 4 * pause_seconds, chance.random())
    kinds = [kind for kind in Kind if kind not in (Kind.FREEZE, Kind.FORGET_SCRIPTS)]
    while True:
        chance.shuffle(kinds)
        for kind in kinds:
            yield Fault(kind, chance.uniform(0.5, 1.5) * pause_seconds, chance.random())
        kinds = list(Kind)
