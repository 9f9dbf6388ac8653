"""Addresses that nobody can read, and parameters that come twice."""

import pytest

from gateway.edge.address import insist_on_known, insist_on_readable, insist_on_single
from shared.errors import InvalidQuery, MalformedAddress, RepeatedParameter


@pytest.mark.parametrize("text", [b"%", b"%4", b"%zz", b"a%2", b"%%41", b"%u0041"])
def test_percent_without_two_digits_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedAddress, match="The path of the address has a %"):
        insist_on_readable(text, b"")
    with pytest.raises(MalformedAddress, match="The query"):
        insist_on_readable(b"/", text)


@pytest.mark.parametrize("text", [b"%FF", b"%C0%AF", b"%ED%A0%80", b"%F0%9F", b"\xff"])
def test_bytes_that_are_no_utf_8_are_refused(text: bytes) -> None:
    with pytest.raises(MalformedAddress, match="UTF-8"):
        insist_on_readable(b"/", text)


@pytest.mark.parametrize("text", [b"", b"/v1/jobs", b"%25", b"%F0%9F%92%A5", b"%00", "ä".encode()])
def test_what_can_be_read_is_not_judged_here(text: bytes) -> None:
    insist_on_readable(text, text)


def test_parameter_that_comes_twice_is_named() -> None:
    insist_on_single(["job", "job", "limit"], "limit", "after")

    with pytest.raises(RepeatedParameter, match="has after more than once"):
        insist_on_single(["limit", "after", "after"], "limit", "after")


def test_a_parameter_that_is_not_known_is_shown_in_part_with_those_that_are() -> None:
    insist_on_known(["limit", "limit", "after"], "limit", "after", "ticket")

    with pytest.raises(InvalidQuery) as refused:
        insist_on_known(["limit", "l" * 10_000], "limit", "after", "ticket")
    assert refused.value.message == f"'{'l' * 40}' is not known here; there is limit, after and ticket."
