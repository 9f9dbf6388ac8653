"""How many followers each owner has at this gateway, agreed on with the other gateways.

    take ─▶ more here, held against those of all gateways (one script) ─▶ give back: told within a tenth of a second
                                                   └─ every 15 s: all are told anew, or they would count no more

A stream of many jobs takes a place for each of them, as it does in the gateway's own bound: else two owners with fifty
jobs on each stream would fill a gateway. A follower that goes on costs nothing: the gateway renews one number for each
owner, whatever the number stands for.
Where Redis is away for longer than a lease, others may let in too many meanwhile.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter

import structlog

from gateway.rate_limit_headers import STREAMS, Standing, rate_limit_headers
from shared import limits
from shared.errors import UnavailableError
from shared.for_each import for_each
from shared.jobstore.owner_limits import OwnerLimits
from shared.limit_errors import TooManyOwnerStreams

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
"""Streams end when somebody closes a page, which nobody can foresee."""


class Places:
    """The places that owners have taken here; `most` for each owner, on all gateways together, None: any number."""

    def __init__(self, owners: OwnerLimits, *, most: int | None) -> None:
        self._owners = owners
        self._most = most
        self._gateway = secrets.token_hex(8)
        self._taken: Counter[str] = Counter()
        self._untold: set[str] = set()
        self._has_news = asyncio.Event()

    async def take(self, owner: str, followers: int = 1) -> None:
        """Take a place for each follower, to be given back. Raises TooManyOwnerStreams, and as the job store does."""
        if self._most is None:
            return
        self._taken[owner] += followers
        try:
            fits = await self._owners.hold_streams(owner, self._gateway, self._taken[owner], most=self._most)
        except BaseException:  # also a caller who has left meanwhile
            self.give_back(owner, followers)
            raise
        if not fits:
            self.give_back(owner, followers)
            raise _too_many(self._most, followers)

    def give_back(self, owner: str, followers: int = 1) -> None:
        """Give back what was taken; the other gateways are told soon."""
        if self._most is None:
            return
        self._taken[owner] -= followers
        if self._taken[owner] <= 0:
            del self._taken[owner]
        self._untold.add(owner)
        self._has_news.set()

    async def run(self) -> None:
        """Tell what has changed, and everything anew before its lease is over, until cancelled."""
        renew_at = _next_renewal()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0, renew_at - time.monotonic())):
                    await self._has_news.wait()
                    await asyncio.sleep(random.uniform(0.5, 1.5) * limits.STREAMS_TOLD_AFTER_SECONDS)
            self._has_news.clear()
            if time.monotonic() >= renew_at:
                renew_at = _next_renewal()
                self._untold |= self._taken.keys()
            try:
                await self.tell()
            except Exception as error:  # without it every place would count for a lease only
                log.error("telling of streams broke", exc_info=error)

    async def tell(self) -> None:
        """Tell what has changed; what Redis does not take now is told with the next renewal."""
        untold, self._untold = self._untold, set()
        await for_each(untold, self._tell_of, at_once=limits.STREAMS_TOLD_AT_ONCE)

    async def _tell_of(self, owner: str) -> None:
        try:
            await self._owners.hold_streams(owner, self._gateway, self._taken[owner])
        except UnavailableError:
            self._untold.add(owner)


def _too_many(most: int, followers: int) -> TooManyOwnerStreams:
    if followers > most:
        advice = f"This stream alone has {followers:,} jobs: divide it, or ask for the jobs themselves now and then."
    else:
        advice = "Close a stream, or ask for the job itself now and then."
    # What is left is known where it is none: a stream of many may be refused while there is room for a smaller one.
    left = 0 if followers == 1 else None
    return TooManyOwnerStreams(
        f"You may follow {most:,} jobs at once, each job of a stream and each long poll counting as one, and this "
        f"would be more. {advice}",
        retry_after_seconds=random.randint(RETRY_AFTER_SECONDS, 3 * RETRY_AFTER_SECONDS),
        headers=rate_limit_headers([Standing(STREAMS, most, left)]),
    )


def _next_renewal() -> float:
    return time.monotonic() + random.uniform(0.8, 1.2) * limits.STREAMS_RENEWED_EVERY_SECONDS
