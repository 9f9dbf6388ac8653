import pytest

from shared import limits
from shared.errors import ObjectMissing, StoreUnavailable
from shared.objects.patience import Patience

AWAY = StoreUnavailable("away", key="a")


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORE_RETRY_CAP_MS", 0)
    monkeypatch.setattr(limits, "STORE_RETRY_FLOOR_MS", 0)


async def tries_until_given_up(patience: Patience, progress_bytes: int = 0, most: int = 50) -> int:
    for count in range(1, most):
        patience.note_progress(progress_bytes)
        try:
            await patience.after(AWAY)
        except StoreUnavailable:
            return count
    return most


async def test_a_store_that_stays_away_is_given_up() -> None:
    assert await tries_until_given_up(Patience()) == limits.STORE_TRIES
    assert await tries_until_given_up(Patience(2)) == 2


async def test_progress_renews_it_and_a_trickle_does_not() -> None:
    assert await tries_until_given_up(Patience(), limits.COPY_CHUNK_BYTES) == 50
    assert await tries_until_given_up(Patience(), 1) == limits.STORE_TRIES


async def test_what_another_try_cannot_mend_is_raised_at_once() -> None:
    patience = Patience()

    with pytest.raises(ObjectMissing):
        await patience.after(ObjectMissing("gone", key="a"))


async def test_nothing_is_tried_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORE_PATIENCE_SECONDS", -1)

    assert await tries_until_given_up(Patience()) == 1
