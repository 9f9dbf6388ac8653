"""What callers want of their jobs besides an archive: decided by the seed and the job's number in the storm. Pure."""

import random
from enum import StrEnum
from typing import NamedTuple

from tests.chaos.failing import RETRIED_JOB


class Wish(StrEnum):
    """What becomes of a job by its caller's will."""

    ARCHIVE = "nothing but the archive"
    CANCEL = "cancelled"
    DELETE = "deleted"
    DELETE_ENDED = "deleted after its end"


class Will(NamedTuple):
    """A caller's will: `is_keyed`, whether it creates the job under a key, and repeats that; `pause_seconds` go by
    between the creation, or the end, and what it wants; `retries`, whether it asks for a retry when the job has ended.
    """

    wish: Wish
    is_keyed: bool
    pause_seconds: float
    retries: bool = False

    @property
    def may_be_redriven(self) -> bool:
        """Tell whether an operator may start the job anew: a cancelled one must show that nothing else does, and what
        its owner retries, that the owner's call does it.
        """
        return self.wish is not Wish.CANCEL and not self.retries


def will_of(seed: int, job_number: int) -> Will:
    """Decide; the first jobs have one wish each, so that no storm is without them."""
    chance = random.Random(f"{seed}/{job_number}/will")
    wishes, weights = list(Wish), (60, 20, 12, 8)
    first = [*wishes, Wish.ARCHIVE]
    wish = first[job_number] if job_number < len(first) else chance.choices(wishes, weights)[0]
    is_keyed, pause_seconds = chance.random() < 0.4, chance.uniform(0.0, 4.0)
    retries = wish is Wish.ARCHIVE and (
        job_number == RETRIED_JOB or (job_number > RETRIED_JOB and chance.random() < 0.4)
    )
    return Will(wish, is_keyed, pause_seconds, retries)
