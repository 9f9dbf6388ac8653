"""Works through dead letters one by one: at a rate, telling what became of each, stopping between two when asked to."""

import asyncio
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from processor.commands.letter_choice import LetterChoice
from processor.commands.letter_pages import json_line, printable
from shared import events
from shared.clock import now_ms
from shared.jobstore.dead_letters import DeadLetters, Redriven
from shared.jobstore.letter import DeadLetter

DONE = ("redriven", "discarded")
_OUTCOMES = {
    Redriven.OK: "redriven",
    Redriven.ALREADY: "redriven",  # by another command, or its owner: what was wanted is so
    Redriven.NOT_FAILED: "not failed any more",
    Redriven.EXPIRING: "has expired, and its archive is being removed: try again in a few minutes",
    Redriven.GONE: "forgotten by Redis",
}

Act = Callable[[DeadLetters, DeadLetter], Awaitable[str]]


async def redrive(letters: DeadLetters, letter: DeadLetter) -> str:
    """Queue the job of a letter again; say what became of it."""
    queued = events.Queued(at=events.timestamp(now_ms()), message="An operator has started the job anew.")
    answer = await letters.redrive(
        letter.job_id, epoch=letter.epoch, token=secrets.token_hex(8), message=events.encode(queued)
    )
    return _OUTCOMES[answer]


async def discard(letters: DeadLetters, letter: DeadLetter) -> str:
    """Delete a letter; say so."""
    await letters.discard(letter)
    return "discarded"


class LetterWork:
    """One command over many letters. Lines go to stdout, the counts to stderr at the end, whatever the end is."""

    def __init__(self, name: str, act: Act, *, rate_per_second: float, is_rehearsal: bool, writes_json: bool) -> None:
        self._name = name
        self._act = act
        self._pause_seconds = 0.0 if is_rehearsal else 1 / rate_per_second
        self._is_rehearsal = is_rehearsal
        self._writes_json = writes_json
        self._counts: Counter[str] = Counter()
        self._stopping = asyncio.Event()

    async def run(self, letters: DeadLetters, ids: Sequence[str], choice: LetterChoice | None) -> int:
        """Work through the letters with these ids, or through those of a choice; give the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop)
        chosen = self._named(letters, ids) if choice is None else self._matching(letters, choice)
        try:
            async for letter in chosen:
                await self._work_on(letters, letter)
                if self._stopping.is_set() or await self._is_stopped_in_the_pause():
                    self._counts["stopped"] += 1
                    break
        finally:
            sys.stdout.flush()
            self._report()
        done = sum(self._counts[outcome] for outcome in (*DONE, self._rehearsed))
        return 0 if done == self._counts.total() else 1

    @property
    def _rehearsed(self) -> str:
        return f"would be {'redriven' if self._name == 'redrive' else 'discarded'}"

    async def _named(self, letters: DeadLetters, ids: Sequence[str]) -> AsyncIterator[DeadLetter]:
        for identifier in dict.fromkeys(ids):
            found = await letters.find(identifier)
            if len(found) == 1:
                yield found[0]
            elif found:
                self._refuse(identifier, "ambiguous", f"{len(found)} letters have this id; name the job")
            else:
                self._refuse(identifier, "not found", "there is no such letter (any more)")

    async def _matching(self, letters: DeadLetters, choice: LetterChoice) -> AsyncIterator[DeadLetter]:
        for partition in range(letters.partitions):
            # What fails again while this goes on is left alone, or this would go on for ever.
            newest = await anext(letters.of_partition(partition, is_newest_first=True), None)
            if newest is None:
                continue
            async for letter in letters.of_partition(partition, since_ms=choice.since_ms or 0, until_ms=newest.at_ms):
                if choice.has(letter):
                    yield letter

    async def _work_on(self, letters: DeadLetters, letter: DeadLetter) -> None:
        outcome = self._rehearsed if self._is_rehearsal else await self._act(letters, letter)
        self._counts[outcome] += 1
        if self._writes_json:
            line = json_line(letter, outcome=outcome)
        else:
            line = printable(f"{letter.job_id}  {letter.dead_id}  {letter.error.code}  {outcome}")
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _refuse(self, identifier: str, outcome: str, reason: str) -> None:
        self._counts[outcome] += 1
        sys.stderr.write(f"{printable(identifier)}: {reason}\n")

    async def _is_stopped_in_the_pause(self) -> bool:
        try:
            async with asyncio.timeout(self._pause_seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _stop(self) -> None:
        self._stopping.set()
        # Who presses it twice does not want to wait for Redis.
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    def _report(self) -> None:
        counts = [f"{count:,} {outcome}" for outcome, count in self._counts.items() if outcome != "stopped"]
        stopped = ["stopped before the end"] if self._counts["stopped"] else []
        sys.stderr.write(f"{', '.join(counts + stopped) or 'no letter matches'}\n")
