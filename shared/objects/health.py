"""Whether an object store can be used: looked at from the start of a process on, so that no job has to find it out.

    not looked at ──▶ up ◀──▶ down        every 30 s, and every few seconds while it is down

What an operator must mend (keys, clock, bucket, rights) is believed at once. A store that was up and does not answer
is asked once more first: one lost packet is no outage. Never delays the stop of its process.
"""

import asyncio
import contextlib
import random
import re
from typing import NamedTuple

import structlog

from shared import limits
from shared.errors import ObjectError, StoreUnavailable
from shared.objects.store import ObjectStore

log = structlog.get_logger(__name__)

_DIGITS = re.compile(r"[\d,]+")


class Standing(NamedTuple):
    """What is held of a store: `problem` is a sentence, None when there is none; `is_up` None before the first look."""

    is_up: bool | None
    problem: str | None
    is_doubted: bool = False


def judge(before: Standing, error: ObjectError | None) -> Standing:
    """Say what is held of a store after one more look, which ended with `error` or without."""
    if error is None:
        return Standing(is_up=True, problem=None)
    if isinstance(error, StoreUnavailable) and before.is_up and not before.is_doubted:
        return before._replace(is_doubted=True)
    return Standing(is_up=False, problem=error.message)


def pause_seconds(standing: Standing, random_ratio: float) -> float:
    """Choose the time until the next look; the jitter (± 20 %) keeps a fleet from asking all at once."""
    is_calm = standing.is_up and not standing.is_doubted
    every = limits.STORE_LOOK_EVERY_SECONDS if is_calm else limits.STORE_LOOK_AGAIN_SECONDS
    return every * (0.8 + 0.4 * random_ratio)


class StoreHealth:
    """Looks at one store of a process; `name` is what it is for, `variable` says where it is."""

    def __init__(self, name: str, store: ObjectStore, *, for_writing: bool, variable: str) -> None:
        self.name = name
        self._variable = variable
        self._store = store
        self._for_writing = for_writing
        self._standing = Standing(is_up=None, problem=None)
        self._asking: asyncio.Task[None] | None = None
        self._alarm = asyncio.Event()

    def is_up(self) -> bool | None:
        """Tell whether it can be used; None before the first look has ended."""
        return self._standing.is_up

    def problems(self) -> list[str]:
        """Say why it cannot be used, in a sentence that names it; none when it can."""
        if self._standing.is_up is None:
            return [f"The store of {self.name} has not been looked at yet."]
        problem = self._standing.problem
        return [] if problem is None else [f"The store of {self.name} cannot be used: {problem}"]

    async def is_down_now(self) -> bool:
        """Look at once, and once more where one look is not believed; True when the store cannot be used."""
        self._note(judge(self._standing, await self._look()))
        if self._standing.is_doubted:
            self._note(judge(self._standing, await self._look()))
        if not self._standing.is_up:
            self._alarm.set()  # from now on it is looked at more often
        return not self._standing.is_up

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                self._note(judge(self._standing, await self._look()))
                self._alarm.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_seconds(self._standing, random.random())):
                        await self._alarm.wait()
        finally:
            if self._asking is not None:
                self._asking.cancel()  # and not awaited: a store that hangs keeps nobody from stopping

    async def _look(self) -> ObjectError | None:
        # One probe at a time, for whoever looks: one that hangs is waited for again, and no second one hangs beside it.
        asking = self._asking = self._asking or asyncio.create_task(self._store.probe(for_writing=self._for_writing))
        within_seconds = limits.STORE_LOOK_WITHIN_SECONDS
        ended, _ = await asyncio.wait([asking], timeout=within_seconds)
        if not ended:
            return StoreUnavailable(f"It did not answer within {within_seconds:.0f} s.", key="")
        if self._asking is asking:
            self._asking = None
        try:
            asking.result()
        except ObjectError as error:
            return error
        except Exception as error:  # the top of a named loop: what nobody thought of must not end the process
            log.exception("cannot look at a store", store=self.name)
            return StoreUnavailable(f"A look at it failed ({type(error).__name__}).", key="")
        return None

    def _note(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        if standing.is_up and not before.is_up:
            log.info("store can be used", store=self.name)
        if not standing.is_up and _gist(standing) != _gist(before):
            log.error("store cannot be used", store=self.name, variable=self._variable, problem=standing.problem)


def _gist(standing: Standing) -> str:
    """Give the problem without its numbers: that a clock is off by another second is no news."""
    return _DIGITS.sub("", standing.problem or "")
