"""HTTP: the one module of the client that knows httpx, which it imports when the first request is sent (0.1 s).

It sends, bounds and reads; what an answer means is said in answers.py. It never follows a redirect but that of an
archive to its store, and httpx takes the Authorization off on that way.
"""

from __future__ import annotations

import contextlib
import ipaddress
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.client.errors import NobodyListens, NotWaybill, ServerUnreachable
from shared import limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx


class Answer(NamedTuple):
    """An answer with its whole body; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Reading:
    """An answer whose body is still coming."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.http_version = response.http_version
        self.is_elsewhere = bool(response.history)
        """A redirect was followed."""
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes. Raises ServerUnreachable when it breaks off."""
        with _translated(_place_of(self._response.url)):
            async for chunk in self._response.aiter_raw():
                yield chunk

    async def whole(self) -> bytes:
        """Read the rest of a body that is no archive. Raises NotWaybill when it is far too large."""
        body = b""
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limits.CLIENT_MAX_ANSWER_BYTES:
                raise NotWaybill(f"{self._response.url.host} sent an answer that is far too large. Check the address.")
        return body


class Wire:
    """Requests to one server; `authorization` is the whole header, or None."""

    def __init__(self, base_url: str, *, authorization: str | None) -> None:
        self.base_url = base_url.rstrip("/")
        self._authorization = authorization
        self._client: httpx.AsyncClient | None = None
        self._has_answered = False

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        silence_max_seconds: float = limits.CLIENT_ANSWER_WITHIN_SECONDS,
        follows: bool = False,
    ) -> AsyncIterator[Reading]:
        """Send a request (`body` as JSON) and give its answer once its head is there.

        `follows`: a redirect is followed, without the authorization when it leads elsewhere. Raises ServerUnreachable,
        NobodyListens where it is on this machine and has not answered yet.
        """
        client = self._connected()
        # What is compressed on its way can neither be resumed nor come frame by frame.
        spelled = {"accept-encoding": "identity"} | dict(headers or {})
        if self._authorization is not None:
            spelled["authorization"] = self._authorization
        timeouts = (limits.CLIENT_CONNECT_WITHIN_SECONDS, silence_max_seconds, silence_max_seconds, None)
        with _translated(self.base_url, has_answered=self._has_answered):
            request = client.build_request(
                method,
                self.base_url + path,
                headers=spelled,
                json=body,
                timeout=timeouts,
            )
            response = await client.send(request, stream=True, follow_redirects=follows)
        self._has_answered = True
        try:
            yield Reading(response)
        finally:
            await response.aclose()

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Send a request and read its whole answer. Raises ServerUnreachable."""
        async with self.open(method, path, headers=headers, body=body) as reading:
            return Answer(reading.status, reading.headers, await reading.whole())

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient()
        return self._client


def _place_of(url: httpx.URL) -> str:
    # The rest of a store's URL is its signature: whoever reads it in a log could fetch the archive.
    return f"{url.scheme}://{url.netloc.decode()}"


@contextlib.contextmanager
def _translated(shown_url: str, *, has_answered: bool = True) -> Any:
    import httpx

    try:
        yield
    except httpx.TooManyRedirects as error:
        raise ServerUnreachable(f"{_place_of(error.request.url)} redirects without end.") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        raise NotWaybill(f"{shown_url} is no address of a server ({error}). It looks like https://host:port.") from None
    except httpx.TimeoutException as error:
        raise ServerUnreachable(f"{_asked(error, shown_url)} did not answer in time.") from None
    except httpx.TransportError as error:
        asked, trouble = _asked(error, shown_url), str(error) or type(error).__name__
        # One that has answered is being restarted, and comes back.
        is_nobody = isinstance(error, httpx.ConnectError) and not has_answered and asked == shown_url
        found = NobodyListens if is_nobody and _is_loopback(httpx.URL(shown_url).host) else ServerUnreachable
        raise found(f"{asked} cannot be reached: {trouble}.") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked(error: httpx.TransportError, shown_url: str) -> str:
    """Name who did not answer: behind a redirect it is the store, and no fault of the server's address."""
    try:
        place = _place_of(error.request.url)
    except RuntimeError:  # httpx knows no request of this error
        return shown_url
    return shown_url if shown_url.startswith(place) else place
