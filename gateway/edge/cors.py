"""Which pages of other origins may read the answers (CORS, the Fetch standard §3.3). Pure.

Litestar's CORSConfig does not do: it puts its Vary in place of that of the answer, and leaves Vary out where the origin
is missing or refused, so that a cache gives one page's answer to another; it takes every OPTIONS with an Origin for a
preflight; and what is answered below the app (408, 431) would carry nothing.
"""

from collections.abc import Iterable, Mapping

from gateway.edge.header import Header

_METHODS = b"GET, HEAD, POST, DELETE"
_TAKEN = (
    b"Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, "
    b"Prefer, Range, Traceparent, X-Request-Id"
)
_EXPOSED = (
    b"Accept-Ranges, Content-Disposition, Content-Range, ETag, Idempotency-Key-Expires, Idempotent-Replayed, Location, "
    b"Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
)
_PREFLIGHT_SECONDS = b"7200"  # the most that Chromium keeps one


class Cors:
    """Lets pages of exactly these origins read answers, also with credentials; `*` alone lets all, but without."""

    def __init__(self, origins: Iterable[str]) -> None:
        named = frozenset(origin.encode() for origin in origins)
        self._takes_all = b"*" in named
        self._named = {
            origin: (
                (b"access-control-allow-origin", origin),
                *(() if self._takes_all else ((b"access-control-allow-credentials", b"true"),)),
                (b"access-control-expose-headers", _EXPOSED),
            )
            for origin in named
        }
        self.varies = bool(named) and not self._takes_all
        """Whether answers differ by origin, which a cache must be told also where no origin was sent."""
        self.is_open = bool(named)

    def headers_for(self, origin: bytes | None) -> tuple[Header, ...]:
        """Give the headers by which a page of this origin may read an answer; none where it may not."""
        if origin is None:
            return ()
        return self._named.get(b"*" if self._takes_all else origin, ())

    def preflight(self, given: Mapping[bytes, bytes]) -> tuple[Header, ...]:
        """Answer the OPTIONS by which a browser asks whether a page may ask (§3.3.3 there); nothing for any other."""
        if b"access-control-request-method" not in given:
            return ()
        if not self.headers_for(given.get(b"origin")):
            return ()
        return (
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _TAKEN),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        )
