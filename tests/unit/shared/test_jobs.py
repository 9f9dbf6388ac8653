import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import limits
from shared.jobs import JobOptions, JobRequest, JobState, make_job_id, partition_of

PARTITIONS = st.integers(0, limits.MAX_PARTITIONS - 1)
RANDOM = st.integers(0, 2**110 - 1)


@given(PARTITIONS, RANDOM)
def test_a_job_id_gives_its_partition_back(partition: int, random_bits: int) -> None:
    assert partition_of(make_job_id(partition, random_bits)) == partition


@given(PARTITIONS, RANDOM)
def test_a_job_id_is_a_uuid_of_version_8_and_the_rfc_variant(partition: int, random_bits: int) -> None:
    parsed = uuid.UUID(make_job_id(partition, random_bits))

    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122


@given(PARTITIONS, RANDOM, RANDOM)
def test_all_random_bits_are_in_the_id(partition: int, one: int, other: int) -> None:
    assert (make_job_id(partition, one) == make_job_id(partition, other)) == (one == other)


def test_more_random_bits_than_needed_do_no_harm() -> None:
    assert partition_of(make_job_id(5, 2**200 - 1)) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 36,
        "0" * 36,
        str(uuid.UUID(int=0)),
        "9f0c1d7e-3b52-4a8e-9d55-0a1b2c3d4e5f",  # version 4
        make_job_id(1, 2**110 - 1).upper(),
        make_job_id(1, 2).replace("-", ""),
        "{" + make_job_id(1, 2) + "}",
        "urn:uuid:" + make_job_id(1, 2),
        " " + make_job_id(1, 2),
        make_job_id(1, 2) + "\n",
        make_job_id(1, 2)[:-1] + "²",
        "../../../../../../../../../etc/passwd",
    ],
)
def test_a_text_in_any_other_form_is_no_job_id(text: str) -> None:
    assert partition_of(text) is None


@given(st.text(max_size=40))
def test_reading_any_text_as_a_job_id_never_fails(text: str) -> None:
    partition = partition_of(text)

    assert partition is None or 0 <= partition < limits.MAX_PARTITIONS


@given(st.integers(0, 2**128 - 1))
def test_of_all_uuids_only_version_8_of_the_rfc_variant_are_job_ids(value: int) -> None:
    parsed = uuid.UUID(int=value)

    assert (partition_of(str(parsed)) is not None) == (parsed.version == 8)


def test_three_states_are_terminal() -> None:
    assert {state for state in JobState if state.is_terminal} == {
        *(JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
    }


def _request(body: str | bytes) -> JobRequest:
    return msgspec.json.decode(body, type=JobRequest)


def test_a_request_keeps_its_files_in_order() -> None:
    assert _request('{"file_ids":[3,1,2],"archive_name":"a"}') == JobRequest((3, 1, 2), "a")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"file_ids":[]}',
        '{"file_ids":[0]}',
        '{"file_ids":[-1]}',
        '{"file_ids":[9007199254740992]}',
        '{"file_ids":["1"]}',
        '{"file_ids":[1.5]}',
        '{"file_ids":[true]}',
        '{"file_ids":1}',
        '{"file_ids":[1],"archive_name":""}',
        '{"file_ids":[1],"unknown":1}',
    ],
)
def test_a_request_out_of_bounds_is_refused(body: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        _request(body)


def _request_of(files: int, name_chars: int) -> bytes:
    ids = list(range(limits.MAX_FILE_ID - files + 1, limits.MAX_FILE_ID + 1))
    return msgspec.json.encode({"file_ids": ids, "archive_name": "x" * name_chars})


def test_a_request_at_its_bounds_is_accepted() -> None:
    body = _request_of(limits.MAX_FILES_PER_JOB, limits.MAX_ARCHIVE_NAME_CHARS)

    assert len(_request(body).file_ids) == limits.MAX_FILES_PER_JOB


def test_a_request_beyond_its_bounds_is_refused() -> None:
    for files, name_chars in ((limits.MAX_FILES_PER_JOB + 1, 1), (1, limits.MAX_ARCHIVE_NAME_CHARS + 1)):
        body = _request_of(files, name_chars)

        with pytest.raises(msgspec.ValidationError):
            _request(body)


def test_options_that_were_not_chosen_take_no_room() -> None:
    assert msgspec.json.encode(JobOptions()) == b"{}"
