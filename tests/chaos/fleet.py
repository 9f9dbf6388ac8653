"""The processors of a storm: each with its doom, replaced when it dies, and everything they wrote down."""

import math
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from shared.clock import now_ms
from tests.chaos.crash_points import RELEASES, CrashPoint, Doom, read_diary
from tests.chaos.history import Deed, What
from tests.support.system import System

LONGEST_SLEEP_MS = 20_000
"""Of a frozen processor whose jobs nobody takes over, as while Redis is away."""


class Doomed:
    """One processor with its doom."""

    def __init__(self, system: System, name: str, doom: Doom, *, seed: int, diaries_dir: Path) -> None:
        self.name = name
        self.doom = doom
        self.is_frozen = False
        self.frozen_at_ms = 0
        self.is_told_to_stop = False
        self._diary_path = diaries_dir / f"{name}.jsonl"
        self.service = system.start(
            "tests.chaos.doomed_processor",
            CHAOS_SEED=str(seed),
            CHAOS_NAME=name,
            CHAOS_DIARY=str(self._diary_path),
            **doom.settings(),
        )

    @property
    def deeds(self) -> list[Deed]:
        """What it has written down so far."""
        return read_diary(self._diary_path)

    def runs(self) -> list[Deed]:
        """Give the beginnings of its runs that are under way."""
        deeds = self.deeds
        endings = ("finish", "retry_later", "release")
        ended = {
            deed.token
            for deed in deeds
            if deed.detail.partition(" ")[0] in endings and deed.detail != "release CANCEL"  # a finish follows
        }
        return [deed for deed in deeds if deed.what is What.BEGAN and deed.token not in ended]

    def drain(self) -> None:
        """Ask it to finish what fits into its time, to hand the rest back, and to end."""
        self.is_told_to_stop = True
        self.service.terminate()

    def hand_back(self) -> None:
        """Ask it to hand back what it has and to end."""
        self.is_told_to_stop = True
        self.service.interrupt()


class Fleet:
    """Keeps some processors alive, whatever happens to them."""

    def __init__(self, system: System, dooms: Iterator[Doom], *, size: int, seed: int, diaries_dir: Path) -> None:
        self.alive: list[Doomed] = []
        self.deaths: dict[str, int] = {}
        self.frozen: dict[str, int] = {}
        self.hits: Counter[CrashPoint] = Counter()
        self._system = system
        self._dooms = dooms
        self._again: list[Doom] = []
        self._size = size
        self._seed = seed
        self._diaries_dir = diaries_dir
        self._everybody: list[Doomed] = []

    def start_first(self) -> None:
        """Start the first processor, and wait until it is ready: it will be the one that sweeps."""
        self.start(next(self._dooms)).service.wait_until_ready()

    def start(self, doom: Doom) -> Doomed:
        """Start one processor more."""
        name = f"p{len(self._everybody)}"
        self.alive.append(Doomed(self._system, name, doom, seed=self._seed, diaries_dir=self._diaries_dir))
        self._everybody.append(self.alive[-1])
        return self.alive[-1]

    def look_after(self) -> None:
        """Note who died, start others in their places, wake the robbed, stop those that are to die at a release."""
        self.note_deaths()
        for one in self.alive:
            if one.is_frozen and self._has_slept_enough(one):
                self.thaw(one)
        while len(self.alive) < self._size:
            self.start(self._again.pop() if self._again else next(self._dooms))
        for one in self.alive:
            if one.doom.point in RELEASES and not (one.is_told_to_stop or one.is_frozen) and one.runs():
                one.hand_back()

    def note_deaths(self) -> None:
        """Take those that have ended off the list. Fails for an end that nobody has caused."""
        for one in [one for one in self.alive if not one.service.is_alive()]:
            self.alive.remove(one)
            dying = [deed for deed in one.deeds if deed.what is What.DYING]
            if dying:
                self.deaths[one.name] = dying[0].at_ms
                self.hits[CrashPoint(dying[0].detail)] += 1
                continue
            if one.doom.point and not self.hits[one.doom.point]:
                self._again.append(one.doom)  # its point was not met yet
            if one.name not in self.deaths:
                code = one.service.exit_code()
                is_expected = code == 0 or (code == -signal.SIGTERM and not one.deeds)  # before it listened to signals
                assert one.is_told_to_stop, f"{one.name} ended with {code}: {one.service.log_path}"
                assert is_expected, f"{one.name} was asked to stop, and ended with {code}: {one.service.log_path}"

    def kill(self, one: Doomed) -> None:
        """Let one die without a word."""
        self.deaths[one.name] = now_ms()
        one.service.kill()

    def freeze(self, one: Doomed) -> None:
        """Let one do nothing, until others have begun its jobs anew."""
        self.frozen.setdefault(one.name, now_ms())
        one.is_frozen = True
        one.frozen_at_ms = now_ms()
        one.service.freeze()

    def _has_slept_enough(self, one: Doomed) -> bool:
        if now_ms() > one.frozen_at_ms + LONGEST_SLEEP_MS:
            return True
        begun = {deed.job_id: deed.epoch for deed in one.runs()}
        others = (deed for other in self._everybody if other is not one for deed in other.deeds)
        return any(deed.what is What.BEGAN and deed.epoch > begun.get(deed.job_id, deed.epoch) for deed in others)

    def thaw(self, one: Doomed) -> None:
        """Let a frozen one go on."""
        one.is_frozen = False
        one.service.thaw()

    def choose(self, ratio: float) -> Doomed | None:
        """Choose a processor in the midst of a run, by its place among them (0 to 1); None: there is nobody to hit."""
        # The one that waits for the end of a sweep is the only one that is sure to come there.
        able = [
            one
            for one in self.alive
            if not (one.is_frozen or one.is_told_to_stop or one.doom.point is CrashPoint.AFTER_SWEEP)
            and one.service.is_alive()
            and one.runs()
        ]
        return able[math.floor(ratio * len(able))] if able else None

    def retire(self) -> None:
        """Let healthy processors take over, and ask the doomed ones to stop; some may die at that."""
        doomed = list(self.alive)
        for one in [self.start(Doom()) for _ in range(self._size)]:
            one.service.wait_until_ready()
        for one in doomed:
            if one.is_frozen:
                self.thaw(one)
            if one.service.is_alive() and not one.is_told_to_stop:
                one.drain()

    def is_retired(self) -> bool:
        """Tell whether all that is alive is healthy."""
        self.note_deaths()
        return all(one.doom.point is None and not one.is_told_to_stop for one in self.alive)

    def stop(self) -> None:
        """Stop whoever is alive, in peace: nobody works any more."""
        for one in self.alive:
            one.drain()
        for one in self.alive:
            one.service.exit_code()

    def deeds(self) -> list[Deed]:
        """Everything that all of them have written down, each processor's in its own order."""
        return [deed for one in self._everybody for deed in one.deeds]
