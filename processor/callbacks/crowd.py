"""How many callbacks are under way to one receiver, and of one owner: none may take the places of all. Pure.

A receiver that answers after twenty seconds, or an owner with a hundred of these under names of their own, must not
keep everybody else's callbacks waiting. Nor must several such owners: the more places are taken, the fewer may be one
owner's, and the last are for owners of whom nothing is under way.

    ├─ 16: at most one owner's ─┤── 8: a second one's ──┤─ 4 ─┤ … ┤─ 8: newcomers, one each ─┤  + 4: admins

Who finds no place is told when there will be one: those that wait come one after the other, and not all at the next
look.
"""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from shared import limits
from shared.jobstore.callback import TakenCallback

_ALL = "all"
_FOR_ANYBODY = limits.CALLBACKS_AT_ONCE - limits.CALLBACK_PLACES_FOR_NEWCOMERS


class Crowd:
    """Counts who is under way, for how long a place is taken, and when the next one is free. Times are monotonic."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._took_ms: dict[str, float] = {}
        self._turn_at_ms: dict[str, float] = {}

    def enter(self, taken: TakenCallback, *, now_ms: float) -> float | None:
        """Let one more begin; or say after how many milliseconds it may be its turn."""
        for kind, places in self._places(taken):
            if self._under_way[kind] >= places:
                turn_ms = self._took_ms.get(kind, limits.CALLBACK_TAKES_MS) / places
                # Beyond the cap nobody waits: they come back, and must not move the end of the queue for ever.
                latest_ms = now_ms + limits.CALLBACK_PUT_OFF_CAP_MS
                turn_at_ms = min(max(self._turn_at_ms.get(kind, 0.0), now_ms) + turn_ms, latest_ms)
                self._turn_at_ms[kind] = turn_at_ms
                return turn_at_ms - now_ms
        self._under_way.update(kind for kind, _ in self._places(taken))
        return None

    def leave(self, taken: TakenCallback, *, took_ms: float, now_ms: float) -> None:
        """Let one that has begun be over."""
        for kind, _ in self._places(taken):
            self._under_way[kind] -= 1
            self._took_ms[kind] = (self._took_ms.get(kind, took_ms) + took_ms) / 2
            if not self._under_way[kind]:  # of whom nobody is there any more, nothing is kept
                del self._under_way[kind], self._took_ms[kind]
        self._turn_at_ms = {kind: at_ms for kind, at_ms in self._turn_at_ms.items() if at_ms > now_ms}

    def _places(self, taken: TakenCallback) -> Iterator[tuple[str, int]]:
        receiver = receiver_of(taken)
        if taken.is_for_admins:  # whoever waits for what, they hear of it
            yield "admins", limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
            return
        owner, under_way = taken.record.owner, self._under_way[_ALL]
        share = min(limits.CALLBACKS_PER_OWNER_AT_ONCE, _FOR_ANYBODY - under_way)
        yield f"receiver {receiver}", limits.CALLBACKS_PER_HOST_AT_ONCE
        yield f"owner at {receiver} {owner}", limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
        yield f"owner {owner}", max(1, share)
        yield _ALL, limits.CALLBACKS_AT_ONCE


def receiver_of(taken: TakenCallback) -> str:
    """Name who is called, for logs too: the host of the URL, and nothing else of it, which may be a secret."""
    if taken.is_for_admins:
        return "admins"
    try:
        return urlsplit(taken.record.callback_url or "").hostname or ""
    except ValueError:
        return ""
