"""The places at which a processor is made to die, and the dying: SIGKILL to itself, in the midst of its work."""

import os
import signal
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import msgspec

from tests.chaos.history import Deed, What


class CrashPoint(StrEnum):
    """Where a run can be cut off, in the order in which a job meets them."""

    BEFORE_CLAIM = "after take, before claim"
    CLAIM_SENT = "claim sent, before its reply"
    AFTER_CLAIM = "after claim"
    MID_WORK = "mid-work"
    RENEWING = "renewing"
    BEFORE_CONFIRM = "before confirm"
    AFTER_CONFIRM = "after confirm, before complete"
    AFTER_COMPLETE = "after complete of the object, before finish"
    FINISH_SENT = "finish sent, before its reply"
    AFTER_FINISH = "after finish"
    BEFORE_RETRY = "before retry_later"
    AFTER_RETRY = "after retry_later"
    BEFORE_RELEASE = "before release"
    AFTER_RELEASE = "after release"
    AFTER_SWEEP = "after sweep"


RELEASES = (CrashPoint.BEFORE_RELEASE, CrashPoint.AFTER_RELEASE)
"""Those that a processor meets only when it is stopped with a job in hand."""


class Doom(msgspec.Struct, frozen=True):
    """At which point a processor dies, when it comes there for the n-th time; None: not by itself."""

    point: CrashPoint | None = None
    nth: int = 1

    def settings(self) -> dict[str, str]:
        """Give the variables by which a process is told its doom."""
        return {"CHAOS_POINT": self.point or "", "CHAOS_NTH": str(self.nth)}


class Diary:
    """What one processor does, a line of JSON each; what was written survives its writer's death by SIGKILL."""

    def __init__(self, path: Path, processor: str) -> None:
        self._processor = processor
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, what: What, *, job_id: str = "", epoch: int = 0, token: str = "", detail: str = "") -> None:
        """Write one deed down."""
        deed = Deed(
            at_ms=time.time_ns() // 1_000_000,
            processor=self._processor,
            what=what,
            job_id=job_id,
            epoch=epoch,
            token=token,
            detail=detail,
        )
        os.write(self._file, msgspec.json.encode(deed) + b"\n")


def read_diary(path: Path) -> list[Deed]:
    """Read what a processor has written down so far."""
    return [msgspec.json.decode(line, type=Deed) for line in path.read_bytes().splitlines()] if path.exists() else []


class Fate:
    """Counts how often a processor comes to its crash point, and kills it there."""

    def __init__(self, doom: Doom, diary: Diary) -> None:
        self._doom = doom
        self._diary = diary
        self._visits = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], diary: Diary) -> "Fate":
        """Read the doom that Doom.settings() wrote."""
        point = environment.get("CHAOS_POINT")
        return cls(Doom(CrashPoint(point) if point else None, int(environment.get("CHAOS_NTH") or 1)), diary)

    def strikes(self, point: CrashPoint) -> bool:
        """Tell whether this visit is the one at which the processor dies."""
        self._visits += point is self._doom.point
        return point is self._doom.point and self._visits >= self._doom.nth

    def visit(self, point: CrashPoint, job_id: str = "") -> None:
        """Die here, if this is the place and the time."""
        if self.strikes(point):
            self.die(job_id)

    def die(self, job_id: str = "") -> NoReturn:
        """End this process as a crash would."""
        assert self._doom.point is not None
        self._diary.note(What.DYING, job_id=job_id, detail=self._doom.point)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("SIGKILL came back")
