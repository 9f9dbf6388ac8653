"""What follows from a try: 2xx is the end, 410 too, all else is tried again, and nothing is said of our network."""

import pytest

from processor.callbacks.outcome import Cause, Delivered, GiveUp, Reception, Trouble, TryAgain, Verdict, after_try
from shared import limits

SCHEDULE = (0, 5, 300)
NOW_MS = 1_795_000_000_000


def verdict(reception: Reception, tries: int = 1) -> Verdict:
    """Decide without jitter."""
    return after_try(reception, tries=tries, schedule_seconds=SCHEDULE, random_ratio=0.0, now_ms=NOW_MS)


@pytest.mark.parametrize("status", range(100, 600))
def test_only_2xx_is_success_only_410_ends_it_and_all_else_is_tried_again(status: int) -> None:
    expected = Delivered() if status // 100 == 2 else TryAgain(5_000)

    assert verdict(Reception(status)) == (GiveUp(Cause.GONE) if status == 410 else expected)


@pytest.mark.parametrize("trouble", Trouble)
def test_no_trouble_ends_it_before_the_schedule_does(trouble: Trouble) -> None:
    assert verdict(Reception(trouble=trouble), tries=2) == TryAgain(300_000)
    assert verdict(Reception(trouble=trouble), tries=3) == GiveUp(Cause.TRIES)


def test_the_pause_that_a_receiver_asks_for_is_kept() -> None:
    assert verdict(Reception(429, retry_after="60")) == TryAgain(60_000)
    assert verdict(Reception(503, retry_after="Wed, 18 Nov 2026 11:08:40 GMT")) == TryAgain(120_000)
    assert verdict(Reception(503, retry_after="1")) == TryAgain(5_000)


def test_words_are_sentences_and_have_no_details_in_them() -> None:
    receptions = [Reception(status) for status in range(100, 600)]
    receptions += [Reception(trouble=trouble) for trouble in Trouble]

    for reception in receptions:
        words = reception._replace(details="db.internal leads to 10.0.0.1").words
        assert words == reception.words
        assert words[0].isupper()
        assert words.endswith(".")
        assert str(reception.status or "") in words
    for cause in Cause:
        assert GiveUp(cause).reason[0].isupper()
        assert GiveUp(cause).reason.endswith(".")


def test_a_receiver_that_asks_for_a_pause_each_time_is_not_waited_for_longer_than_a_day_beyond_the_schedule() -> None:
    schedule_seconds = (0, *[5] * 19)
    longest_ms = round(95_000 * (1 + limits.CALLBACK_JITTER_RATIO)) + limits.CALLBACK_WAITS_LONGER_MS

    verdicts = [
        after_try(
            Reception(503, retry_after="86400"),
            tries=3,
            schedule_seconds=schedule_seconds,
            random_ratio=0.0,
            now_ms=0,
            waited_ms=waited_ms,
        )
        for waited_ms in (longest_ms, longest_ms + 1)
    ]

    assert (type(verdicts[0]), verdicts[1]) == (TryAgain, GiveUp(Cause.WAITED))
