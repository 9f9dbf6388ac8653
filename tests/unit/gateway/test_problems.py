"""Errors as answers."""

from typing import Any, cast

from litestar.exceptions import ValidationException

from gateway.problems import answer_http_exception

NO_REQUEST = cast(Any, None)
"""What is answered does not depend on it."""


def test_what_the_framework_says_of_an_address_is_told_without_its_ticket() -> None:
    error = ValidationException("Validation failed for GET /v1/x?limit=y&ticket=hunter2")

    answer = answer_http_exception(NO_REQUEST, error)

    assert b"GET /v1/x?limit=y&ticket=***" in answer.content
    assert b"hunter2" not in answer.content
