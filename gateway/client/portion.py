"""What an answer to a request for the rest of an archive brings (RFC 9110 §14). Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.client.answers import error_of, is_worth_repeating, retry_after_ms
from gateway.client.errors import NotWaybill, ServerUnreachable
from shared.errors import WaybillError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})", re.ASCII)


class Portion(NamedTuple):
    """The body is the archive from `offset_bytes` on."""

    offset_bytes: int


class Complete(NamedTuple):
    """There is nothing more: what is here is as long as the archive."""


class Again(NamedTuple):
    """Nothing came that can be used; the same request may bring it. `forgets`: what is here is of no use either."""

    error: WaybillError
    at_least_ms: int = 0
    forgets: bool = False


class Refused(NamedTuple):
    """Asking again brings the same."""

    error: WaybillError


def judge(
    status: int, headers: Mapping[str, str], *, offset_bytes: int, size_bytes: int, shown_url: str
) -> Portion | Complete | Again | Refused | None:
    """Say what an answer brings to who has `offset_bytes` of `size_bytes`; None: its body has the reason."""
    if status in (200, 206) and headers.get("content-type", "").startswith("text/html"):
        return Refused(NotWaybill(f"{shown_url} answered with a web page in place of the archive. Check the address."))
    if status == 200:
        return Portion(0)
    if status == 206:
        return _ranged(headers.get("content-range", ""), offset_bytes, size_bytes)
    if status == 416:
        match = _UNSATISFIED.fullmatch(headers.get("content-range", ""))
        if match and int(match[1]) == size_bytes == offset_bytes:
            return Complete()
        return Again(ServerUnreachable(f"{shown_url} has another archive than before."), forgets=True)
    if is_worth_repeating(status):
        error = error_of(status, headers, b"", shown_url=shown_url)
        return Again(error, at_least_ms=retry_after_ms(headers))
    return None


def _ranged(content_range: str, offset_bytes: int, size_bytes: int) -> Portion | Again:
    match = _CONTENT_RANGE.fullmatch(content_range)
    if match and int(match[1]) == offset_bytes and match[3] in ("*", str(size_bytes)):
        return Portion(offset_bytes)
    # Written where it does not belong it would make an archive that looks whole.
    return Again(ServerUnreachable(f"Another part than the wanted one came: {content_range[:60]!r}."), forgets=True)
