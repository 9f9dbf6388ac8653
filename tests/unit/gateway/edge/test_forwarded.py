"""What is read of Forwarded, and what is not taken for one."""

import pytest

from gateway.edge.forwarded import Hop, read_forwarded


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        # RFC 7239 §4 and §7.5: their own examples.
        ('For="[2001:db8:cafe::17]:4711"', [Hop("[2001:db8:cafe::17]:4711", None)]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [Hop("192.0.2.60", "http")]),
        ("for=192.0.2.43, for=198.51.100.17", [Hop("192.0.2.43", None), Hop("198.51.100.17", None)]),
        ('for=_hidden, for="_SEVKISEK"', [Hop("_hidden", None), Hop("_SEVKISEK", None)]),
        ("", []),
        (" , ,for=a,, ", [Hop("a", None)]),
        ("for=a;", [Hop("a", None)]),
        (";for=a;;proto=b", [Hop("a", "b")]),
        ('for="a\\"\\\\b"', [Hop('a"\\b', None)]),
        ('host="for=b, for=c";for=a', [Hop("a", None)]),
    ],
)
def test_hops_are_read_as_the_grammar_has_them(text: str, hops: list[Hop]) -> None:
    assert read_forwarded(text) == hops


@pytest.mark.parametrize(
    "text",
    ["for", "for=", "=a", "for =a", "for=a b", 'for="a', 'for="a"b', "for=a;FOR=b", "for=[::1]", 'x="\x1b"', "for=a=b"],
)
def test_what_is_malformed_in_any_part_is_read_in_none(text: str) -> None:
    assert read_forwarded(f"for=192.0.2.1, {text}") is None
