"""How many callbacks are under way to one receiver, and of one owner: none may take the places of all. Pure.

A receiver that answers after twenty seconds, or an owner with a hundred of these under names of their own, must not
keep everybody else's callbacks waiting.
"""

from collections import Counter
from typing import NamedTuple
from urllib.parse import urlsplit

from shared import limits
from shared.jobstore.callback import TakenCallback


class Full(NamedTuple):
    """Why there is no place now: of so many `places`, each taken for about `took_ms`; others were put off before."""

    places: int
    took_ms: float
    put_off_before: int


class Crowd:
    """Counts who is under way, who was put off since there was room, and for how long a place is taken."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._put_off: Counter[str] = Counter()
        self._took_ms: dict[str, float] = {}

    def enter(self, taken: TakenCallback) -> Full | None:
        """Let one more begin; or say why not."""
        for kind, places in _kinds(taken):
            if self._under_way[kind] >= places:
                self._put_off[kind] += 1
                took_ms = self._took_ms.get(kind, limits.CALLBACK_TAKES_MS)
                return Full(places, took_ms, self._put_off[kind] - 1)
        self._under_way.update(kind for kind, _ in _kinds(taken))
        return None

    def leave(self, taken: TakenCallback, *, took_ms: float) -> None:
        """Let one that has begun be over: whoever is put off from now on is the first again."""
        for kind, _ in _kinds(taken):
            self._under_way[kind] -= 1
            del self._put_off[kind]
            self._took_ms[kind] = (self._took_ms.get(kind, took_ms) + took_ms) / 2
            if not self._under_way[kind]:  # of whom nobody is there any more, nothing is kept
                del self._under_way[kind], self._took_ms[kind]


def receiver_of(taken: TakenCallback) -> str:
    """Name who is called, for logs too: the host of the URL, and nothing else of it, which may be a secret."""
    if taken.is_for_admins:
        return "admins"
    try:
        return urlsplit(taken.record.callback_url or "").hostname or ""
    except ValueError:
        return ""


def _kinds(taken: TakenCallback) -> tuple[tuple[str, int], tuple[str, int]]:
    return (
        (f"receiver {receiver_of(taken)}", limits.CALLBACKS_PER_HOST_AT_ONCE),
        (f"owner {taken.record.owner}", limits.CALLBACKS_PER_OWNER_AT_ONCE),
    )
