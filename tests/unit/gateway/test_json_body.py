"""Bodies as JSON: what is refused before anybody looks at what they ask for."""

from typing import Any

import pytest

from gateway.json_body import read_json
from shared.errors import InvalidRequest, MalformedBody, UnsupportedMediaType

JSON = "application/json"
EXAMPLE = '{"a": 1}'


def read(body: bytes, content_type: str | None = JSON) -> Any:
    return read_json(content_type, body, example=EXAMPLE)


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_who_sends_nothing_is_told_so_and_what_to_send(body: bytes) -> None:
    with pytest.raises(MalformedBody, match=r'^The body is empty\. Send JSON, for example \{"a": 1\}\.$'):
        read(body)


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'{"\\u0061":1,"a":2}', b'[{"b":{"a":{},"x":0,"a":[]}}]'])
def test_member_that_comes_twice_is_named(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="'a' comes more than once"):
        read(body)


def test_long_name_that_comes_twice_is_shown_in_part() -> None:
    name = "n" * 10_000

    with pytest.raises(InvalidRequest) as refused:
        read(f'{{"{name}":1,"{name}":2}}'.encode())

    assert len(refused.value.message) < 150


def test_same_names_in_different_objects_are_no_repetition() -> None:
    assert read(b'[{"a":1,"b":{"a":2}},{"a":3}]') == [{"a": 1, "b": {"a": 2}}, {"a": 3}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a":NaN}', "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"-Infinity", "not JSON"),
        (b'"\\ud800"', "its other half"),
        (b'{"\\uDC00":1}', "its other half"),
        (b'"\xed\xa0\x80"', "not JSON"),
        (b"[" * 30_000 + b"]" * 30_000, "nested too deeply"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
        (b"9" * 60_000, "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_what_readers_disagree_about_is_refused_with_a_sentence(body: bytes, words: str) -> None:
    with pytest.raises(MalformedBody, match=words) as refused:
        read(body)

    assert len(refused.value.message) < 200
    assert "recursion" not in refused.value.message


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/json",
        "application/json;charset=utf-16",
        "application/json; charset=utf-8; q=1",
        "application/json,",
    ],
)
def test_another_media_type_is_refused_with_what_is_right(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType, match="no parameter but charset=utf-8"):
        read(b"{}", content_type)


@pytest.mark.parametrize(
    "content_type", ["application/json", 'APPLICATION/JSON ; charset="UTF-8"', "application/json;"]
)
def test_json_in_any_spelling_is_read(content_type: str) -> None:
    assert read(b"{}", content_type) == {}
