from hypothesis import given
from hypothesis import strategies as st

from shared import limits
from shared.retry import full_jitter_ms

RATIOS = st.floats(0, 1, exclude_max=True)


def _delay_ms(failures: int, random_ratio: float) -> int:
    return full_jitter_ms(
        failures, random_ratio, base_ms=limits.RETRY_BASE_MS, cap_ms=limits.RETRY_CAP_MS, floor_ms=limits.RETRY_FLOOR_MS
    )


@given(st.integers(1, 10**9), RATIOS)
def test_the_delay_stays_between_floor_and_cap(failures: int, random_ratio: float) -> None:
    assert limits.RETRY_FLOOR_MS <= _delay_ms(failures, random_ratio) <= limits.RETRY_CAP_MS


@given(st.integers(1, 100), RATIOS)
def test_the_delay_stays_under_the_doubled_base(failures: int, random_ratio: float) -> None:
    assert _delay_ms(failures, random_ratio) <= limits.RETRY_BASE_MS * 2 ** (failures - 1)


@given(st.integers(1, 100), RATIOS)
def test_a_further_failure_never_shortens_the_delay(failures: int, random_ratio: float) -> None:
    assert _delay_ms(failures + 1, random_ratio) >= _delay_ms(failures, random_ratio)


def test_the_delay_is_drawn_over_the_whole_range() -> None:
    assert [_delay_ms(3, ratio) for ratio in (0.0, 0.25, 0.5, 0.999)] == [500, 2_000, 4_000, 7_992]
