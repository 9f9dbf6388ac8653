"""Idempotency keys: which header values are one, which requests are the same, what the answer says of them."""

import pytest

from gateway.idempotency_key import fingerprint_of, insist_on_same_request, key_headers, read_idempotency_key
from shared.errors import IdempotencyKeyReused, InvalidIdempotencyKey
from shared.jobs import JobRequest, OnMissing

SIMPLE = JobRequest(file_ids=(70_000, 70_001))


def test_without_the_header_there_is_no_key() -> None:
    assert read_idempotency_key([]) is None


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("k", "k"),
        ("!~", "!~"),
        ('k"', 'k"'),
        ("a,b;c=d", "a,b;c=d"),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
        ('"' + r"\\" * 255 + '"', "\\" * 255),
    ],
)
def test_key_is_read_bare_and_as_a_structured_string(header: str, key: str) -> None:
    assert read_idempotency_key([header]) == key


@pytest.mark.parametrize(
    "header",
    ["", '""', '"', '"a', '"a"b', r'"a\"', r'"a\b"', '"a" ', '"a";q=1', '"a","b"', "a b", '"a b"', "a\tb", "a\x7f",
     "caf\xe9", '"\xe9"', "\u0661", "a\n", "x" * 256, f'"{"x" * 256}"', '"' + r"\\" * 256 + '"'],
)  # fmt: skip
def test_what_is_no_key_is_refused_with_what_is_right(header: str) -> None:
    with pytest.raises(InvalidIdempotencyKey, match="must be 1 to 255 visible ASCII characters"):
        read_idempotency_key([header])


@pytest.mark.parametrize("headers", [["a", "b"], ["a", "a"], ["", "a"]])
def test_several_keys_are_refused(headers: list[str]) -> None:
    with pytest.raises(InvalidIdempotencyKey, match="more than one Idempotency-Key"):
        read_idempotency_key(headers)


def test_what_has_its_default_is_the_same_as_what_is_not_said() -> None:
    said = JobRequest(file_ids=(70_000, 70_001), archive_name=None, on_missing=OnMissing.FAIL)

    assert fingerprint_of(said) == fingerprint_of(SIMPLE)


@pytest.mark.parametrize(
    "other",
    [
        JobRequest(file_ids=(70_000,)),
        JobRequest(file_ids=(70_001, 70_000)),
        JobRequest(file_ids=(70_000, 70_001), archive_name="x"),
        JobRequest(file_ids=(70_000, 70_001), on_missing=OnMissing.SKIP),
    ],
)
def test_another_wish_is_another_request(other: JobRequest) -> None:
    with pytest.raises(IdempotencyKeyReused, match="used for another request already"):
        insist_on_same_request(fingerprint_of(SIMPLE), fingerprint_of(other))


def test_the_same_wish_is_the_same_request() -> None:
    insist_on_same_request(fingerprint_of(SIMPLE), fingerprint_of(JobRequest(file_ids=(70_000, 70_001))))


def test_a_fingerprint_is_the_same_in_every_version() -> None:
    """Two gateways of different versions work side by side during a deploy; this number may never change."""
    request = JobRequest(file_ids=(70_000, 70_001), archive_name="Café", on_missing=OnMissing.SKIP)

    assert fingerprint_of(request) == "1ca00e3a6225f79a6b321b84106c01671cd5088ed736725b2f0c6a6ce77931e5"


def test_a_fingerprint_does_not_know_what_was_not_asked_for() -> None:
    """A version that knows one more member finds the fingerprints of an older one."""

    class LaterRequest(JobRequest, frozen=True):
        a_member_of_tomorrow: str | None = None

    assert fingerprint_of(LaterRequest(file_ids=(70_000, 70_001))) == fingerprint_of(SIMPLE)


def test_answer_says_until_when_the_key_is_kept_and_rounds_down() -> None:
    headers = key_headers(now_ms=1_795_461_600_123, left_ms=86_400_876, is_replayed=False)

    assert headers == {"idempotency-key-expires": "Tue, 24 Nov 2026 19:20:00 GMT"}


def test_repetition_is_told_as_one() -> None:
    assert key_headers(now_ms=0, left_ms=0, is_replayed=True)["idempotent-replayed"] == "true"


def test_a_ticket_is_of_the_answer_and_no_part_of_the_fingerprint() -> None:
    assert fingerprint_of(JobRequest(file_ids=(70_000, 70_001), ticket=True)) == fingerprint_of(SIMPLE)
