"""The header Forwarded, read whole or not at all (RFC 7239 §4). Pure.

Whoever searches it for what looks like `for=…` finds that also within the quotes of another parameter, where a client
may write what it likes, and its proxy copies it from the Host.
"""

import re
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 §5.6.2
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'  # §5.6.4 there
_PAIR = re.compile(rf"[ \t]*(?:(?P<name>{_TOKEN})=(?P<value>{_TOKEN}|{_QUOTED}))?[ \t]*(?P<border>[;,]|\Z)")
_ESCAPED = re.compile(r"\\(.)")


class Hop(NamedTuple):
    """What one proxy has written down of the request that it took; each is None where it said nothing of it."""

    sender: str | None
    scheme: str | None


def read_forwarded(text: str) -> list[Hop] | None:
    """Give the hops of all lines of the header, the nearest proxy's last; None where a part of them is malformed."""
    hops, pairs, at = [], dict[str, str](), 0
    while at < len(text):
        match = _PAIR.match(text, at)
        name = (match["name"] or "").lower() if match else ""
        if match is None or name in pairs:  # a parameter stands once in an element
            return None
        if name:
            pairs[name] = _unquoted(match["value"])
        if match["border"] != ";" and pairs:  # an element without any is none (RFC 9110 §5.6.1.2)
            hops.append(Hop(pairs.get("for"), pairs.get("proto")))
            pairs = {}
        at = match.end()
    return hops if not pairs else [*hops, Hop(pairs.get("for"), pairs.get("proto"))]


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
