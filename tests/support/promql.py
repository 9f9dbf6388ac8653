"""What a PromQL expression asks for: names of metrics, and their label matchers. Enough of the language for that."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_STRING = r'"(?:[^"\\]|\\.)*"'
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<matchers>\{[^}]*\})?(?P<call>\s*\()?")
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})")
_LABEL_LISTS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGES = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_WORDS = frozenset({"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "inf", "nan"})


class Matcher(NamedTuple):
    """One condition on a label."""

    label: str
    operator: str
    text: str

    @property
    def alternatives(self) -> list[str]:
        """As regexes what may stand there, each of which must be possible: of a regex its branches.

        Brackets are not looked into, so `(a|b)_c` gives two halves that match nothing: write its branches out.
        """
        return self.text.split("|") if self.operator in ("=~", "!~") else [re.escape(self.text)]


class Selector(NamedTuple):
    """A metric that is asked for, and on which conditions."""

    metric: str
    matchers: tuple[Matcher, ...]


def selectors(expression: str) -> Iterator[Selector]:
    """Give what an expression selects."""
    text = _RANGES.sub(" ", _LABEL_LISTS.sub(" ", expression))
    for found in _SELECTOR.finditer(_without_numbers(text)):
        if not found["call"] and found["name"].lower() not in _WORDS:
            matchers = [(label, sign, text[1:-1]) for label, sign, text in _MATCHER.findall(found["matchers"] or "")]
            yield Selector(found["name"], tuple(map(Matcher._make, matchers)))


def _without_numbers(text: str) -> str:
    """Take numbers out, whose letters (1e9) look like names; but not those in the values of labels."""
    pieces = re.split(r"(\{[^}]*\})", text)
    return "".join(piece if piece.startswith("{") else re.sub(r"(?<![\w:])\d[\w.]*", " ", piece) for piece in pieces)
