"""What every answer carries besides its own headers: who may read it, what a browser may do with it, its request's id.

What an answer says itself stays: a page that is served has a Content-Security-Policy of its own. Pure.
"""

from collections.abc import Iterable

from gateway.edge.cors import Cors
from gateway.edge.header import Header

_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
# RFC 6797 §6.1. Not for subdomains, which may be anybody's.
_HSTS = b"strict-transport-security"


class AnswerHeaders:
    """Completes the headers of answers; `hsts_seconds` is how long browsers shall come by https only, 0: not said."""

    def __init__(self, cors: Cors, *, hsts_seconds: int) -> None:
        self._cors = cors
        # Which pages may use it as an image or a script, where no CORS is asked: those of others, if any may read it.
        policy = b"cross-origin" if cors.is_open else b"same-origin"
        self._always = (*_SECURITY, (b"cross-origin-resource-policy", policy))
        self._names = frozenset(name for name, _ in self._always)
        self._hsts: tuple[Header, ...] = ((_HSTS, b"max-age=%d" % hsts_seconds),) if hsts_seconds else ()

    def complete(
        self, own: Iterable[Header], *, request_id: bytes, origin: bytes | None, is_https: bool = False
    ) -> list[Header]:
        """Add to an answer's own headers; `is_https`: a trusted proxy says that it was asked so."""
        headers = list(own)
        said = {name for name, _ in headers}
        if self._names.isdisjoint(said):
            headers += self._always
        else:
            headers += [header for header in self._always if header[0] not in said]
        if self._hsts and is_https:  # over plain HTTP it must not be sent (RFC 6797 §7.2)
            headers += self._hsts
        headers.append((b"x-request-id", request_id))
        if self._cors.is_open:
            headers += self._cors.headers_for(origin)
            if self._cors.varies:
                _vary_by_origin(headers)
        return headers


def _vary_by_origin(headers: list[Header]) -> None:
    for at, (name, value) in enumerate(headers):
        if name == b"vary":
            if b"origin" not in value.lower():
                headers[at] = (name, value + b", Origin")
            return
    headers.append((b"vary", b"Origin"))
