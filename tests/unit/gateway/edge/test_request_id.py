"""Which request ids are taken from callers."""

import pytest

from gateway.edge.request_id import request_id_of


@pytest.mark.parametrize("given", [b"a", b"01HZY-8e03978e-40d5", b"a/b+c=:~._", b"x" * 128])
def test_id_of_a_caller_is_taken(given: bytes) -> None:
    assert request_id_of(given) == given.decode()


@pytest.mark.parametrize(
    "given", [None, b"", b"x" * 129, b"a b", b"a\nb", b'"', b"\xc3\xa4", b"a,b", b"{}", b"\x1b[31m"]
)
def test_id_that_cannot_stand_in_a_log_is_replaced(given: bytes | None) -> None:
    drawn = {request_id_of(given) for _ in range(100)}

    assert len(drawn) == 100
    assert all(len(one) == 32 and one.isalnum() for one in drawn)
