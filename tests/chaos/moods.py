"""The receiver of a storm's callbacks, and its moods: decided by the seed and a callback's id, try by try."""

import random
from collections import Counter

from tests.support.receiver import Received, Receiver

_MOODS = ((204,), (500, 204), (503, 302, 200), (410,), (500,) * 100)
"""What is answered to the first try of a callback, and to the next ones; the last answer stays."""
_WEIGHTS = (60, 15, 10, 10, 5)


def is_to_be_told(seed: int, job_number: int) -> bool:
    """Decide whether a job has a callback; the first ones have, so that no storm is without them."""
    return job_number < 6 or random.Random(f"{seed}/{job_number}/callback").random() < 0.6


class MoodyReceiver(Receiver):
    """Answers as it is in the mood for, and knows afterwards what it has taken."""

    def __init__(self, seed: int) -> None:
        super().__init__(self._decide)
        self._seed = seed
        self._tries: Counter[str] = Counter()
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """Give the ids that it has answered with success, each as often as it came."""
        return list(self._heard)

    def _decide(self, received: Received) -> int:
        callback_id = received.webhook_id
        mood = random.Random(f"{self._seed}/{callback_id}").choices(_MOODS, _WEIGHTS)[0]
        status = mood[min(self._tries[callback_id], len(mood) - 1)]
        self._tries[callback_id] += 1
        if status < 300:
            self._heard.append(callback_id)
        return status
