import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs import (
    BundleSummary,
    JobError,
    JobOptions,
    JobRecord,
    JobState,
    ProgressSnapshot,
    RenamedFile,
    Standing,
)
from shared.jobstore.record import as_words, decode_record, encode_json, flatten

TEXTS = st.text(min_size=1, max_size=20)
TIMES_MS = st.integers(0, 2**53)
RECORDS = st.builds(
    JobRecord,
    job_id=st.just("id"),
    owner=TEXTS,
    state=st.sampled_from(JobState),
    file_ids=st.lists(st.integers(1, 2**53 - 1), min_size=1, max_size=5).map(tuple),
    options=st.builds(JobOptions, st.none() | TEXTS),
    progress=st.builds(ProgressSnapshot, st.floats(0, 1), TIMES_MS, TIMES_MS, st.none() | TIMES_MS, st.none() | TEXTS),
    epoch=TIMES_MS,
    token=st.none() | TEXTS,
    seq=TIMES_MS,
    entry=TEXTS,
    attempt=TIMES_MS,
    failures=TIMES_MS,
    crashes=TIMES_MS,
    due_at_ms=TIMES_MS,
    processor=st.none() | TEXTS,
    error=st.none() | st.builds(JobError, TEXTS, TEXTS, st.lists(st.integers(1, 9)).map(tuple)),
    object_key=st.none() | TEXTS,
    bundle=st.none() | st.builds(BundleSummary, TIMES_MS, TIMES_MS, TEXTS, TIMES_MS, st.just((RenamedFile(1, "a"),))),
    traceparent=st.none() | TEXTS,
    created_at_ms=TIMES_MS,
    updated_at_ms=TIMES_MS,
    started_at_ms=st.none() | TIMES_MS,
    finished_at_ms=st.none() | TIMES_MS,
    expires_at_ms=st.none() | TIMES_MS,
    dead_id=st.none() | TEXTS,
    run_at_ms=st.none() | TIMES_MS,
    redriven_at_ms=st.none() | TIMES_MS,
    standing=st.none() | st.builds(Standing, TIMES_MS, TIMES_MS, st.none() | TIMES_MS, st.none() | TIMES_MS),
)


def _as_redis_gives_it(record: JobRecord) -> list[bytes]:
    fields: dict[str, str | bytes | int | None] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name == "job_id":
            continue
        is_plain = value is None or isinstance(value, str | int)
        fields[name.removesuffix("_ms")] = value if is_plain else encode_json(value)
    return [item if isinstance(item, bytes) else str(item).encode() for item in flatten(fields)]


@given(RECORDS)
def test_a_record_reads_back_as_it_was_written(record: JobRecord) -> None:
    assert decode_record("id", _as_redis_gives_it(record)) == record


def test_no_fields_are_no_record() -> None:
    assert decode_record("id", []) is None


def test_a_field_that_this_version_does_not_know_is_passed_over() -> None:
    record = JobRecord(
        job_id="id",
        owner="o",
        state=JobState.QUEUED,
        file_ids=(1,),
        epoch=0,
        seq=1,
        entry="1-0",
        created_at_ms=1,
        updated_at_ms=1,
    )

    assert decode_record("id", [*_as_redis_gives_it(record), b"from_the_future", b"\xff"]) == record


def test_the_progress_of_a_record_is_the_last_progress_message() -> None:
    flat = [
        b"state",
        b"processing",
        b"owner",
        b"o",
        b"entry",
        b"1-0",
        b"file_ids",
        b"[1]",
        b"epoch",
        b"1",
        b"seq",
        b"3",
    ]
    message = b'{"type":"progress","progress":0.5,"files_processed":1,"total_files":2,"at":"x","new":[]}'

    record = decode_record("id", [*flat, b"created_at", b"1", b"updated_at", b"1", b"progress", message])

    assert record is not None
    assert record.progress == ProgressSnapshot(0.5, 1)


def test_empty_fields_are_left_out() -> None:
    assert flatten({"a": 1, "b": None, "c": b"", "d": "x"}) == ["a", 1, "c", b"", "d", "x"]


@pytest.mark.parametrize(("reply", "word", "rest"), [([b"OK"], "OK", []), ([b"NOT_DUE", 7], "NOT_DUE", [7])])
def test_a_reply_is_a_word_and_what_follows(reply: list[object], word: str, rest: list[object]) -> None:
    assert as_words(reply) == (word, rest)
