"""The address of a request, before anybody looks for what it leads to. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from shared.errors import InvalidQuery, MalformedAddress, RepeatedParameter

_MAX_SHOWN_CHARS = 40  # of a parameter's name, in a refusal
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def insist_on_readable(raw_path: bytes, query: bytes) -> None:
    """Raise MalformedAddress for percent-encoding that is none (RFC 3986 §2.1), or that hides no UTF-8.

    Both would be read as something else than what was meant, and by each reader as something different.
    """
    for part, name in ((raw_path, "path"), (query, "query")):
        if b"%" not in part and part.isascii():
            continue
        if _BROKEN.search(part):
            raise MalformedAddress(
                f"The {name} of the address has a % without two hexadecimal digits behind it. Write % itself as %25."
            )
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            raise MalformedAddress(f"The {name} of the address is not UTF-8. Encode it so, each byte as %XX.") from None


def insist_on_single(parameters: Iterable[str], *single: str) -> None:
    """Raise RepeatedParameter when one of these comes more than once among the query's parameters.

    Of two values one would win, and which of them depends on who reads it: a proxy, a cache, this server.
    """
    names = list(parameters)
    for name in single:
        if names.count(name) > 1:
            raise RepeatedParameter(f"The query has {name} more than once. Send it once, with one value.")


def insist_on_known(parameters: Iterable[str], *known: str) -> None:
    """Raise InvalidQuery for a parameter that is none of these.

    A filter that is misspelt, and not heeded, would answer another question than was asked.
    For calls that pick out of many. What addresses one thing ignores parameters that it does not know: proxies and
    trackers add theirs to links.
    """
    if others := sorted(set(parameters) - set(known)):
        *most, last = known
        raise InvalidQuery(
            f"{others[0][:_MAX_SHOWN_CHARS]!r} is not known here; there is {', '.join(most)} and {last}."
        )
