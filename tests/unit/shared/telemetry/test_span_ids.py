"""Ids that follow from a job: the same wherever they are computed, and of each run another."""

from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry.span_ids import run_span_id

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_id_of_a_run_is_the_same_in_every_version_of_waybill() -> None:
    assert f"{run_span_id(TRACEPARENT, 1):016x}" == "ab12d378448f7fb5"


@given(st.text(), st.integers(min_value=0))
def test_id_is_one_that_w3c_allows(traceparent: str, epoch: int) -> None:
    assert 0 < run_span_id(traceparent, epoch) < 2**64


def test_runs_of_a_job_and_runs_of_jobs_have_ids_of_their_own() -> None:
    of_one = {run_span_id(TRACEPARENT, epoch) for epoch in range(1_000)}
    of_another = {run_span_id(TRACEPARENT.replace("b7", "b8"), epoch) for epoch in range(1_000)}

    assert len(of_one | of_another) == 2_000
