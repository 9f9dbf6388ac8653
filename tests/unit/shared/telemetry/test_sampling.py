"""Which traces are recorded."""

import pytest
from opentelemetry.sdk.trace.sampling import Decision

from shared.telemetry.sampling import DrawnRatio

LOWEST, HIGHEST = 1, 2**128 - 1


@pytest.mark.parametrize("trace_id", [LOWEST, HIGHEST])
def test_no_trace_id_of_a_caller_decides_about_its_recording(trace_id: int) -> None:
    drawn = iter([0.0009, 0.001, 0.999])
    sampler = DrawnRatio(0.001, draw=lambda: next(drawn))

    decisions = [sampler.should_sample(None, trace_id, "POST").decision for _ in range(3)]

    assert decisions == [Decision.RECORD_AND_SAMPLE, Decision.DROP, Decision.DROP]


@pytest.mark.parametrize(("ratio", "decision"), [(0, Decision.DROP), (1, Decision.RECORD_AND_SAMPLE)])
def test_none_and_all_are_exactly_that(ratio: float, decision: Decision) -> None:
    sampler = DrawnRatio(ratio)

    assert {sampler.should_sample(None, trace_id, "POST").decision for trace_id in range(1, 1_000)} == {decision}
