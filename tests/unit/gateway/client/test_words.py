"""What is read from people and from servers: ids, names, codes."""

import json
from pathlib import Path

import pytest

from gateway.client.answers import error_of
from gateway.client.command.exit_codes import TABLE, exit_code_of, worst
from gateway.client.command.file_ids import read_file_ids, words_of
from gateway.client.errors import JobUnsuccessful, NotWaybill, ServerUnreachable
from gateway.client.file_name import name_in
from gateway.content_disposition import attachment
from shared.errors import InvalidQuery, InvalidRequest, RedisUnavailable, WaybillError
from shared.limit_errors import (
    BacklogFull,
    LimitReached,
    RedisNearlyFull,
    TooManyCreates,
    TooManyJobsInFlight,
    TooManyOwnerStreams,
    TooManyWaitingCallbacks,
)


def test_ids_are_read_in_their_order() -> None:
    assert read_file_ids(words_of("70001, 70000\n7,8\t9")) == [70001, 70000, 7, 8, 9]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["1", "x"], "'x', the 2nd of the file ids"),
        (["1", "2", "-3"], "'-3', the 3rd"),
        (["1"] * 10 + ["٣"], "the 11th"),
        (["9007199254740992"], "the 1st"),
        (["y" * 50], f"'{'y' * 40}…'"),
        ([], "at least one"),
        (["1"] * 1_001, "1,001 files; at most 1,000 per archive. Split the request."),
    ],
)
def test_what_is_no_id_is_named_with_its_place(words: list[str], told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_file_ids(words)

    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["report.zip", 'a "quoted" one.zip', "Café — 航海.zip", "dots...zip"])
def test_the_name_that_a_gateway_sends_is_read(name: str) -> None:
    assert name_in(attachment(name)) == name.replace('"', "_")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"),
        ('attachment; filename="..\\\\x.zip"', "_x.zip"),
        ('attachment; filename=".."', None),
        ("attachment; filename*=UTF-8''" + "a" * 300, None),
        ("attachment", None),
        ("", None),
    ],
)
def test_a_name_never_leaves_its_directory(disposition: str, name: str | None) -> None:
    assert name_in(disposition) == name


def test_the_worst_of_several_codes_is_given() -> None:
    assert worst([]) == worst([0, 0]) == 0
    assert worst([0, 3, 1]) == 1
    assert worst([1, 4, 5, 6, 7, 8, 3]) == 8
    assert worst([0, 9]) == 9


def test_the_manual_has_each_exit_code() -> None:
    manual = (Path(__file__).parents[4] / "docs/command.md").read_text(encoding="utf-8")

    assert [code for code in TABLE if f"\n| {code} | " not in manual] == []


def test_errors_have_their_codes() -> None:
    assert exit_code_of(JobUnsuccessful("x", state="failed")) == 1
    assert exit_code_of(JobUnsuccessful("x", state="cancelled")) == 3
    assert exit_code_of(InvalidRequest("x")) == 2
    assert (
        exit_code_of(RedisUnavailable("x"))
        == exit_code_of(ServerUnreachable("x"))
        == exit_code_of(NotWaybill("x"))
        == exit_code_of(TooManyCreates("x", retry_after_seconds=7))
        == 6
    )


def problem(status: int, code: str, **headers: str) -> WaybillError:
    """Give what a client makes of a problem."""
    body = json.dumps({"status": status, "code": code, "detail": "Come later."}).encode()
    return error_of(status, headers | {"content-type": "application/problem+json"}, body, shown_url="it")


def test_a_limit_comes_out_as_its_class_with_the_wait_that_was_told() -> None:
    refused = [problem(429, kind.code, **{"retry-after": "41"}) for kind in LimitReached.__subclasses__()]

    kinds = [TooManyJobsInFlight, TooManyCreates, TooManyWaitingCallbacks, TooManyOwnerStreams]
    assert [type(error) for error in refused] == kinds
    assert {error.retry_after_seconds for error in refused} == {41}
    assert {str(error) for error in refused} == {"Come later."}


def test_what_the_service_has_no_room_for_comes_out_as_its_class() -> None:
    assert [type(problem(503, kind.code)) for kind in (BacklogFull, RedisNearlyFull)] == [BacklogFull, RedisNearlyFull]


def test_of_two_classes_with_one_code_it_is_the_one_that_says_no_more_than_the_code() -> None:
    assert type(problem(400, InvalidQuery.code)) is InvalidQuery
