"""After an outage nobody is robbed."""

from processor.maintenance.sweeper import may_take_over


def test_nobody_is_robbed_until_a_lease_and_a_second_after_the_outage() -> None:
    assert not may_take_over(100.0, 115.9, lease_ms=15_000)
    assert may_take_over(100.0, 116.0, lease_ms=15_000)


def test_nobody_is_robbed_while_redis_is_away() -> None:
    assert not may_take_over(None, 1e9, lease_ms=15_000)
