"""What callers want of their jobs besides an archive: decided by the seed and the job's number in the storm. Pure."""

import random
from enum import StrEnum
from typing import NamedTuple


class Wish(StrEnum):
    """What becomes of a job by its caller's will."""

    ARCHIVE = "nothing but the archive"
    CANCEL = "cancelled"
    DELETE = "deleted"
    DELETE_ENDED = "deleted after its end"


class Will(NamedTuple):
    """A caller's will: `is_keyed`, whether it creates the job under a key, and repeats that; `pause_seconds` go by
    between the creation, or the end, and what it wants.
    """

    wish: Wish
    is_keyed: bool
    pause_seconds: float

    @property
    def may_be_redriven(self) -> bool:
        """Tell whether an operator may start the job anew: a cancelled one must show that nothing else does."""
        return self.wish is not Wish.CANCEL


def will_of(seed: int, job_number: int) -> Will:
    """Decide; the first jobs have one wish each, so that no storm is without them."""
    chance = random.Random(f"{seed}/{job_number}/will")
    wishes, weights = list(Wish), (60, 20, 12, 8)
    wish = wishes[job_number] if job_number < len(wishes) else chance.choices(wishes, weights)[0]
    return Will(wish, is_keyed=chance.random() < 0.4, pause_seconds=chance.uniform(0.0, 4.0))
