"""After an outage nobody is robbed."""

from processor.maintenance.sweeper import may_take_over, void_after_ms


def test_nobody_is_robbed_until_a_lease_and_a_second_after_the_outage() -> None:
    assert not may_take_over(100.0, 115.9, lease_ms=15_000)
    assert may_take_over(100.0, 116.0, lease_ms=15_000)


def test_nobody_is_robbed_while_redis_is_away() -> None:
    assert not may_take_over(None, 1e9, lease_ms=15_000)


def test_sweep_is_void_after_half_a_lease_of_silence_and_before_the_time_is_known() -> None:
    assert void_after_ms(1_000_000, lease_ms=15_000) == 1_007_500
    assert void_after_ms(1_000_000, lease_ms=100) == 1_002_000  # two turns of the sweeper
    assert void_after_ms(0, lease_ms=3_600_000) < 1_700_000_000_000
