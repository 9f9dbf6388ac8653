"""The Authorization header: one bearer credential, or a refusal that repeats nothing of it."""

import pytest

from gateway.auth.bearer import read_bearer
from shared.caller_errors import Unauthenticated


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert read_bearer([header]) == "abc"


@pytest.mark.parametrize("credential", ["a.b-c_d~e+f/g==", "x" * 8_000])
def test_a_credential_is_taken_whole(credential: str) -> None:
    assert read_bearer([f"Bearer {credential}"]) == credential


@pytest.mark.parametrize(
    "headers",
    [
        ["hunter2"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer hunter2 hunter2"],
        ["Bearer hunter2,hunter2"],
        ["Bearer hunter2\n"],
        ["Bearer hunter2\x00"],
        ["Bearer hünter2"],
        ["Bearer =hunter2"],
        ["Bearerhunter2"],
        ["Basic hunter2"],
        ["Bearer hunter2", "Bearer hunter2"],
        ["Bearer hunter2" + "2" * 8_192],
    ],
)
def test_what_is_no_single_bearer_credential_is_refused_and_not_repeated(headers: list[str]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        read_bearer(headers)

    assert caught.value.is_refused
    assert "hunter2" not in caught.value.message


def test_no_header_is_told_apart_from_a_wrong_one() -> None:
    with pytest.raises(Unauthenticated) as caught:
        read_bearer([])

    assert not caught.value.is_refused
