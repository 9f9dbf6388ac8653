"""Bodies of create calls: what is refused, and in which words."""

import pytest

from gateway.job_request import ALLOWED, read_job_request
from shared.errors import InvalidRequest, MalformedBody, RequestError, UnsupportedMediaType
from shared.jobs import JobRequest, OnMissing

JSON = "application/json; charset=utf-8"


def test_valid_body_is_read() -> None:
    request = read_job_request(JSON, b'{"file_ids":[3,1,2],"archive_name":"x"}')

    assert request.file_ids == (3, 1, 2)
    assert request.archive_name == "x"


def test_id_may_be_written_as_any_number_that_is_whole() -> None:
    request = read_job_request(JSON, b'{"file_ids":[3.0,1e3,9007199254740991.0]}')

    assert request.file_ids == (3, 1_000, 2**53 - 1)


def test_missing_files_fail_a_job_unless_the_caller_says_otherwise() -> None:
    assert read_job_request(JSON, b'{"file_ids":[1]}').on_missing is OnMissing.FAIL
    assert read_job_request(JSON, b'{"file_ids":[1],"on_missing":"skip"}').on_missing is OnMissing.SKIP


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", MalformedBody, 'The body is empty. Send JSON, for example {"file_ids": [1, 2]}.'),
        (b"file_ids=1", MalformedBody, "not JSON"),
        (b"\xff\xfe", MalformedBody, "not JSON"),
        (b"[" * 50_000, MalformedBody, "nested too deeply"),
        (
            b"[]",
            InvalidRequest,
            "it must be an object with file_ids, archive_name, on_missing, ticket and callback_url.",
        ),
        (b"{}", InvalidRequest, "file_ids is missing; it must be a list of 1 to 1,000 file ids."),
        (b'{"file_ids":[1],"fileids":[2]}', InvalidRequest, "'fileids' is not known; there is file_ids, archive"),
        (b'{"file_ids":[1],"on_missing":"ignore"}', InvalidRequest, "on_missing must be fail or skip, not 'ignore'."),
        (b'{"file_ids":[1],"on_missing":null}', InvalidRequest, "on_missing must be fail or skip, not null."),
        (b'{"file_ids":[1],"ticket":1}', InvalidRequest, "ticket must be true or false, not 1."),
        (b'{"file_ids":[]}', InvalidRequest, "file_ids must be a list of 1 to 1,000 file ids."),
        (b'{"file_ids":[1,2,1]}', InvalidRequest, "more than once: 1."),
        (
            b'{"file_ids":[2,"1"]}',
            InvalidRequest,
            "file_ids[1] must be a whole number from 1 to 9,007,199,254,740,991, not '1'.",
        ),
        (b'{"file_ids":[true]}', InvalidRequest, "file_ids[0]"),
        (b'{"file_ids":[1.5]}', InvalidRequest, "file_ids[0]"),
        (b'{"file_ids":[9007199254740992.0]}', InvalidRequest, "file_ids[0]"),
        (b'{"file_ids":[7,7.0]}', InvalidRequest, "more than once: 7."),
        (b'{"file_ids":[null]}', InvalidRequest, "file_ids[0]"),
        (b'{"file_ids":[0]}', InvalidRequest, "file_ids[0] must be a whole number from 1 to"),
        (b'{"file_ids":[-5]}', InvalidRequest, "9,007,199,254,740,991, not -5."),
        (b'{"file_ids":[9007199254740992]}', InvalidRequest, "not 9007199254740992."),
        (
            b'{"file_ids":[1],"archive_name":""}',
            InvalidRequest,
            "archive_name must be a text of 1 to 150 characters, not ''.",
        ),
        (b'{"file_ids":[1],"archive_name":"%s"}' % (b"x" * 151), InvalidRequest, "of 1 to 150 characters."),
        (b'{"file_ids":%s}' % str(list(range(1, 1102))).encode(), InvalidRequest, "1,101 files; the limit is 1,000"),
    ],
)
def test_bad_body_is_refused_with_a_reason(body: bytes, error: type[RequestError], words: str) -> None:
    with pytest.raises(error) as caught:
        read_job_request(JSON, body)

    assert words in str(caught.value)


def test_every_member_is_said_in_words() -> None:
    assert {name for name in ALLOWED if "[" not in name} == set(JobRequest.__struct_fields__)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded"])
def test_other_media_types_are_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        read_job_request(content_type, b'{"file_ids":[1]}')
