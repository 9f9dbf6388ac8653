"""When a callback is tried again: by the schedule, later when the receiver asks for it, and never all at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.callbacks.schedule import next_delay_ms, put_off_ms, read_retry_after
from shared import limits
from shared.environment import load
from shared.processor_settings import ProcessorSettings

SCHEDULE = (0, 5, 300)
NOW_MS = 1_795_000_000_000  # 2026-11-18 11:06:40 UTC
DAY_SECONDS = 86_400
ENDLESS = (
    f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}",
    f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT",
    f"Mon, 01 Jan 2024 00:00:{'9' * 20} GMT",
)


def test_each_pause_is_that_of_the_schedule_and_after_the_last_there_is_none() -> None:
    assert [next_delay_ms(tries, SCHEDULE, 0.0) for tries in (1, 2, 3, 4)] == [5_000, 300_000, None, None]


@given(tries=st.integers(1, 9), random_ratio=st.floats(0, 1, exclude_max=True))
def test_jitter_makes_a_pause_up_to_a_quarter_longer(tries: int, random_ratio: float) -> None:
    schedule = load(ProcessorSettings, {}).schedule_seconds

    delay_ms = next_delay_ms(tries, schedule, random_ratio)

    assert delay_ms is not None
    assert 1 <= delay_ms / 1000 / schedule[tries] <= 1.25


@pytest.mark.parametrize(
    ("wanted_seconds", "delay_ms"), [(None, 5_000), (1, 5_000), (60, 60_000), (DAY_SECONDS * 9, DAY_SECONDS * 1000)]
)
def test_a_receiver_may_ask_for_a_longer_pause_of_a_day_at_most(wanted_seconds: float | None, delay_ms: int) -> None:
    assert next_delay_ms(1, SCHEDULE, 0.0, wanted_seconds=wanted_seconds) == delay_ms


def test_a_receiver_cannot_ask_for_more_tries() -> None:
    assert next_delay_ms(3, SCHEDULE, 0.0, wanted_seconds=60) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Wed, 18 Nov 2026 11:07:40 GMT", 60.0),
        ("Wed, 18 Nov 2026 11:07:40", 60.0),
        ("Wed, 18 Nov 2020 11:07:40 GMT", 0.0),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert read_retry_after(text, now_ms=NOW_MS) == seconds


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "1.5", "٣", "Wed, 99 Nov 2026 99:99:99 GMT", "Wed, 18 Nov", *ENDLESS]
)
def test_a_retry_after_that_cannot_be_read_says_nothing(text: str | None) -> None:
    assert read_retry_after(text, now_ms=NOW_MS) is None


@given(
    st.text(max_size=60)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,30} \d\d:\d\d:\d{1,30} [+-]?\w{0,30}")
)
def test_no_text_of_a_receivers_breaks_the_reading(text: str) -> None:
    seconds = read_retry_after(text, now_ms=NOW_MS)

    assert seconds is None or seconds >= 0


def test_who_is_put_off_comes_about_at_its_turn_neither_at_once_nor_after_ten_minutes() -> None:
    assert [put_off_ms(turn_ms, 0.0) for turn_ms in (50.0, 5_000.0)] == [50, 5_000]
    assert put_off_ms(0.25, 0.0) == limits.CALLBACK_PUT_OFF_FLOOR_MS
    assert put_off_ms(1e9, 0.0) == limits.CALLBACK_PUT_OFF_CAP_MS
    assert put_off_ms(200.0, 0.5) == 225
