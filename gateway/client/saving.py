"""Fetches an archive over any number of connections, from where the one before broke off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from gateway.client.answers import error_of
from gateway.client.calls import Calls, monotonic_ms
from gateway.client.errors import ServerUnreachable
from gateway.client.patience import Patience
from gateway.client.portion import Again, Complete, Portion, Refused, judge
from gateway.client.wire import Reading
from shared import limits

OnBytes = Callable[[int], None]
"""Told how many bytes of the archive are here."""


class Sink(Protocol):
    """Where an archive goes: a file, or a pipe, which cannot begin anew."""

    size_bytes: int

    def append(self, chunk: bytes) -> None:
        """Take what comes next."""

    def restart(self) -> None:
        """Begin from the first byte; who cannot keeps what is there, and `size_bytes` says so."""

    def of_version(self, etag: str | None) -> None:
        """Note the version of which the next bytes are, for whoever goes on later."""


class Saving:
    """One archive on its way from the job at `path` into a sink. `etag` is what a run before knew of it, or None."""

    def __init__(
        self, calls: Calls, path: str, sink: Sink, *, size_bytes: int, on_bytes: OnBytes, etag: str | None
    ) -> None:
        self._calls = calls
        self._path = f"{path}/file"
        self._sink = sink
        self._size_bytes = size_bytes
        self._on_bytes = on_bytes
        self._etag = etag

    async def run(self) -> None:
        """Fetch what is missing. Raises the server's refusals, ServerUnreachable, and what the sink raises."""
        patience = self._calls.patience()
        self._on_bytes(self._sink.size_bytes)
        while self._sink.size_bytes < self._size_bytes:
            try:
                again = await self._fetch(patience)
            except ServerUnreachable as error:
                again = Again(error)
            if again is None:
                return
            if again.forgets:
                self._sink.restart()
            if self._sink.size_bytes < self._size_bytes:
                await self._calls.pause_or_raise(patience, again.error, at_least_ms=again.at_least_ms)

    async def _fetch(self, patience: Patience) -> Again | None:
        """Read one answer into the sink; None when there is nothing more to come."""
        offset_bytes = self._sink.size_bytes
        opening = self._calls.wire.open(
            "GET",
            self._path,
            headers=self._conditions(offset_bytes),
            silence_max_seconds=limits.CLIENT_SILENCE_MAX_SECONDS,
            follows=True,
        )
        async with opening as reading:
            shown_url = self._calls.wire.base_url
            verdict = judge(
                reading.status,
                reading.headers,
                offset_bytes=offset_bytes,
                size_bytes=self._size_bytes,
                shown_url=shown_url,
            )
            match verdict:
                case Portion(begins_at_bytes):
                    self._etag = reading.headers.get("etag")
                    self._sink.of_version(self._etag)
                    await self._take(reading.chunks(), begins_at_bytes, patience)
                    return Again(ServerUnreachable("The archive broke off on its way."))
                case Complete():
                    return None
                case Again():
                    return verdict
                case Refused(error):
                    raise error
            return await self._refusal(reading, shown_url)

    def _conditions(self, offset_bytes: int) -> dict[str, str]:
        if offset_bytes == 0:
            return {}
        ranged = {"range": f"bytes={offset_bytes}-"}
        # Only a strong ETag may stand in If-Range (RFC 9110 §13.1.5). Without one the CRC-32 tells.
        return ranged | {"if-range": self._etag} if self._etag and not self._etag.startswith("W/") else ranged

    async def _take(self, chunks: AsyncIterator[bytes], begins_at_bytes: int, patience: Patience) -> None:
        if begins_at_bytes < self._sink.size_bytes:
            self._sink.restart()
        skipped_bytes = self._sink.size_bytes - begins_at_bytes
        async for chunk in chunks:
            new = chunk[skipped_bytes:][: self._size_bytes - self._sink.size_bytes]
            skipped_bytes -= min(skipped_bytes, len(chunk))
            # In a thread: a slow disk must not keep the connection's loop waiting.
            await asyncio.to_thread(self._sink.append, new)
            patience.progressed(monotonic_ms())
            self._on_bytes(self._sink.size_bytes)

    async def _refusal(self, reading: Reading, shown_url: str) -> Again:
        error: Any = error_of(reading.status, reading.headers, await reading.whole(), shown_url=shown_url)
        if reading.is_elsewhere:
            # The store refused a link that was signed a moment ago: the next one is signed anew.
            return Again(ServerUnreachable(f"The object store answered HTTP {reading.status}."))
        raise error
