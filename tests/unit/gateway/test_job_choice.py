"""Which jobs a query names: each once, and no more than a stream may have."""

import pytest

from gateway.job_choice import insist_on_job_ids_alone, read_job_ids
from shared import limits
from shared.errors import InvalidQuery


def test_ids_keep_the_order_of_the_query_whatever_they_are() -> None:
    assert read_job_ids(["b", "a", "no id"]) == ("b", "a", "no id")


def test_as_many_as_the_limit_are_taken_and_one_more_is_not() -> None:
    ids = [str(number) for number in range(limits.MAX_JOBS_PER_STREAM + 1)]

    assert len(read_job_ids(ids[1:])) == limits.MAX_JOBS_PER_STREAM
    with pytest.raises(InvalidQuery, match=r"51 jobs; one call takes 50"):
        read_job_ids(ids)


@pytest.mark.parametrize("jobs", [[], ["a", "b", "a"], ["x" * 30_000] * 2])
def test_none_and_the_same_one_twice_are_refused_with_a_short_sentence(jobs: list[str]) -> None:
    with pytest.raises(InvalidQuery) as refused:
        read_job_ids(jobs)

    assert len(refused.value.message) < 120


def test_what_has_no_effect_beside_named_jobs_is_refused() -> None:
    insist_on_job_ids_alone(["job", "job"])
    insist_on_job_ids_alone(["job", "ticket"])

    with pytest.raises(InvalidQuery, match="'status' means nothing"):
        insist_on_job_ids_alone(["job", "status"])
