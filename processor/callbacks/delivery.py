"""One POST to somebody else's server: bounded in time and size, and without following it anywhere.

Owns the HTTP client. It decides nothing: what an answer means is for whoever sends.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from shared import limits
from shared.errors import SettingsError


class Reception(NamedTuple):
    """How a POST was received: the status of its answer, or None; `trouble` says either in words, never nothing."""

    status: int | None
    trouble: str


class Delivery:
    """Sends to one URL. User and password in the URL are sent as Basic authentication, and never logged."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, *, within_seconds: float) -> None:
        self._session = session
        self._url = url
        self._within_seconds = within_seconds

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls,
        url: str,
        *,
        variable: str,
        within_seconds: float = limits.TELL_WITHIN_SECONDS,
        connector: aiohttp.BaseConnector | None = None,
    ) -> AsyncIterator[Self]:
        """Open the client for as long as the block lasts. Raises SettingsError for what is no URL.

        `connector` says where calls may go, and is closed with the client (address_guard); None: wherever they like.
        """
        try:
            target = URL(url)
        except ValueError:
            # Its text would hold the URL, and that a secret.
            raise SettingsError([f"{variable}: it is no URL that can be called."]) from None
        async with aiohttp.ClientSession(
            connector=connector,
            # Neither proxies nor passwords of the environment's: who set them did not think of callbacks.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=within_seconds),
            # Bodies of answers are not read; nothing of them is to be unpacked either.
            auto_decompress=False,
            headers={"User-Agent": "waybill", "Accept-Encoding": "identity"},
        ) as session:
            yield cls(session, target, within_seconds=within_seconds)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Reception:
        """Send once. A redirect is an answer like another: it is not followed. Raises what the connector refuses."""
        try:
            async with (
                asyncio.timeout(self._within_seconds),
                self._session.post(self._url, data=body, headers=dict(headers), allow_redirects=False) as response,
            ):
                return Reception(response.status, f"it answered {response.status}")
        except TimeoutError:
            return Reception(None, f"no answer within {self._within_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            # Not their own text, which may hold the URL.
            return Reception(None, getattr(error, "strerror", None) or type(error).__name__)
