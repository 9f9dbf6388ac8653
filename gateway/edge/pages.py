"""Which pages may change something here, where nobody is asked who calls. Pure.

A stranger's page may send a POST without a body to 127.0.0.1 and is asked nothing before (no preflight: the Fetch
standard calls it a simple request): it cannot read the answer, but the job is cancelled. With authentication it lacks
the key; without, only what its browser says of it tells it from the person at this machine.
"""

import re
from collections.abc import Mapping

from gateway.edge.cors import Cors
from shared.caller_errors import OriginRefused

_SAFE = ("GET", "HEAD", "OPTIONS")
_ORIGIN = re.compile(rb"(https?)://(.+)")
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


class PageRule:
    """Takes what changes something from our own pages, from those that `cors` names, and from what is no page."""

    def __init__(self, cors: Cors, *, is_open: bool) -> None:
        self._cors = cors
        self._is_open = is_open

    def insist(self, method: str, given: Mapping[bytes, bytes]) -> None:
        """Raise OriginRefused for another server's page, where the gateway `is_open` to whoever comes."""
        if method in _SAFE or not self._is_open:
            return
        if self._cors.headers_for(given.get(b"origin")) or _is_our_own(given):
            return
        raise OriginRefused(
            "Pages of other servers may change nothing here: this gateway does not ask who calls. Its operators name "
            "such pages by WAYBILL_CORS_ORIGINS."
        )


def _is_our_own(given: Mapping[bytes, bytes]) -> bool:
    """Judge by two headers that no page can forge: Origin (Fetch §3.2), and Sec-Fetch-Site (Fetch Metadata §2.4)."""
    origin, site = given.get(b"origin"), given.get(b"sec-fetch-site")
    if site == b"cross-site":
        return False
    if origin == b"null":  # also of a page that tells no referrer, when it sends a form to its own server
        return site == b"same-origin"
    return origin is None or is_own_origin(origin, given.get(b"host", b""))


def is_own_origin(origin: bytes, host: bytes) -> bool:
    """Tell whether a page of this origin asks its own server, by names and ports; TLS ends elsewhere."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return False
    default_port = _DEFAULT_PORTS[match[1]]
    return match[2].lower().removesuffix(default_port) == host.lower().removesuffix(default_port)
