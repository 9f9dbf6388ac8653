"""An operator who starts failed jobs anew while the storm lasts, through the operations of `dead-letters redrive`."""

import asyncio
import functools
import random
import secrets
from collections.abc import Callable

from shared import events
from shared.clock import now_ms
from shared.errors import UnavailableError
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.letter import DeadLetter
from tests.chaos.caller import Caller
from tests.chaos.history import Asked
from tests.support import jobs
from tests.support.stores import running_store

LOOK_EVERY_SECONDS = 0.5
SENDINGS = 2
"""Of each redrive: the second is the repetition of one whose reply was lost."""


class Redriver:
    """Looks through the dead letters again and again, and redrives each job once."""

    def __init__(self, url: str, partitions: int, caller: Caller, may_be_redriven: Callable[[str], bool]) -> None:
        self._url = url
        self._partitions = partitions
        self._caller = caller
        self._may_be_redriven = may_be_redriven
        self._seen: set[str] = set()

    async def work(self, is_enough: Callable[[], bool]) -> None:
        """Redrive until it is enough."""
        async with running_store(self._url, partitions=self._partitions) as store:
            letters = DeadLetters(store.connection, partitions=self._partitions)
            while not is_enough():
                for letter in await self._letters(letters):
                    if letter.job_id not in self._seen and self._may_be_redriven(letter.job_id):
                        self._seen.add(letter.job_id)
                        await self._redrive(letters, letter)
                await asyncio.sleep(random.uniform(0.5, 1.5) * LOOK_EVERY_SECONDS)

    async def _letters(self, letters: DeadLetters) -> list[DeadLetter]:
        try:
            return [letter for number in range(self._partitions) async for letter in letters.of_partition(number)]
        except UnavailableError:
            return []

    async def _redrive(self, letters: DeadLetters, letter: DeadLetter) -> None:
        message = events.encode(events.Queued(at=events.timestamp(now_ms()), message="started anew by an operator"))
        redrive = functools.partial(letters.redrive, letter.job_id, epoch=letter.epoch, token=secrets.token_hex(8))
        for _ in range(SENDINGS):
            sent_at_ms = now_ms()
            answer = await jobs.insist(lambda: redrive(message=message))
            self._caller.note(Asked.REDRIVE, letter.job_id, sent_at_ms, word=answer.value, epoch=letter.epoch)
