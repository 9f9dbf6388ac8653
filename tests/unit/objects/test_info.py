import pytest

from shared.errors import ObjectError
from shared.objects.info import check_key


@pytest.mark.parametrize("key", ["a", "bundles/1/2.zip", "mit Leerzeichen/ü.txt", "..a/b..", ".hidden", "a" * 1024])
def test_keys_that_name_an_object_are_accepted(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a\0b",
        "a" * 1025,
        "\ud800",
        "x/.upload-1",
    ],
)
def test_keys_that_leave_the_store_or_fit_no_store_are_refused(key: str) -> None:
    with pytest.raises(ObjectError, match="cannot be the key"):
        check_key(key)
