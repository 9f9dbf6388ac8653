"""The keys of a token issuer, from a JWKS file or URL: fetched before they are needed, kept while the issuer is away.

    none yet ──▶ fresh ──(fetches fail for a day)──▶ none
                  ▲ └─ every five minutes, and at once for a key id that nobody knows, at most every ten seconds

Only run() fetches, so that no request that is cut can take a fetch along; requests wait for its next round.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import structlog

from gateway.auth.jwks import SignatureKey, read_jwks
from shared import limits
from shared.errors import SettingsError, TokenKeysUnavailable
from shared.setting import without_passwords

log = structlog.get_logger(__name__)


class IssuerKeys:
    """The keys of one place; a file's are read at once. Raises SettingsError for a file that cannot be used."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._is_file = not place.startswith(("https://", "http://"))
        self._keys: tuple[SignatureKey, ...] = ()
        self._good_at_seconds = 0.0
        self._looked_at_seconds = float("-inf")
        self._trouble = "it was not fetched yet"
        self._alarm = asyncio.Event()
        self._round = asyncio.Event()
        self._is_looking = False
        if self._is_file:
            self._read_first()
        else:
            _insist_on_url(place)

    @property
    def problems(self) -> list[str]:
        """Say why no token can be judged, in a sentence; none when they can."""
        return (
            [] if self._trusted() else [f"The token issuer's keys cannot be had from {self._shown}: {self._trouble}."]
        )

    async def named(self, key_id: str | None) -> Sequence[SignatureKey]:
        """Give the keys that a token may mean: those with this id; without an id the only one there is.

        An id that is not known may be new: then the issuer is asked once more. Raises TokenKeysUnavailable.
        """
        found = self._named(key_id)
        is_old = time.monotonic() - self._looked_at_seconds >= limits.JWKS_AGAIN_SECONDS
        if not found and (is_old or self._is_looking):
            await self._next_round()
            found = self._named(key_id)
        if not self._trusted():
            raise TokenKeysUnavailable("Tokens cannot be judged at the moment. Try again, or tell the operators.")
        return found

    async def run(self) -> None:
        """Keep the keys fresh, until cancelled."""
        every_seconds = limits.JWKS_FILE_EVERY_SECONDS if self._is_file else limits.JWKS_EVERY_SECONDS
        async with contextlib.AsyncExitStack() as stack:
            # Redirects are not followed: who is trusted was set here, and not by what answers there. Nor is a proxy of
            # the environment, to an address of this machine.
            heeds_proxy = self._place.startswith("https:")
            client = (
                None if self._is_file else await stack.enter_async_context(httpx.AsyncClient(trust_env=heeds_proxy))
            )
            while True:
                await self._look(client)
                self._alarm.clear()
                self._round.set()
                self._round = asyncio.Event()
                pause_seconds = every_seconds if self._trusted() else limits.JWKS_AGAIN_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_seconds * (0.8 + 0.4 * random.random())):
                        await self._alarm.wait()

    def _named(self, key_id: str | None) -> Sequence[SignatureKey]:
        if key_id is None:
            return self._keys if len(self._keys) == 1 else ()
        return [key for key in self._keys if key.key_id == key_id]

    def _trusted(self) -> bool:
        if self._keys and time.monotonic() - self._good_at_seconds > limits.JWKS_TRUSTED_SECONDS:
            self._keys = ()
        return bool(self._keys)

    async def _next_round(self) -> None:
        next_round = self._round
        self._alarm.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.JWKS_WITHIN_SECONDS):
                await next_round.wait()

    async def _look(self, client: httpx.AsyncClient | None) -> None:
        self._looked_at_seconds, self._is_looking = time.monotonic(), True
        try:
            async with asyncio.timeout(limits.JWKS_WITHIN_SECONDS):
                text = await (_fetch(client, self._place) if client else asyncio.to_thread(_read, Path(self._place)))
            self._take(read_jwks(text))
        except TimeoutError:
            self._note(f"no answer within {limits.JWKS_WITHIN_SECONDS:g} s")
        except (httpx.HTTPError, OSError) as error:
            self._note(getattr(error, "strerror", None) or type(error).__name__)  # their own text may hold the address
        except ValueError as error:
            self._note(str(error))
        finally:
            self._is_looking = False
            # From its end: a look that lasts five seconds must not be due again in five more.
            self._looked_at_seconds = time.monotonic()

    def _take(self, keys: tuple[SignatureKey, ...]) -> None:
        ids = [key.key_id for key in keys]
        if ids != [key.key_id for key in self._keys] or self._trouble:
            log.info("token keys taken", place=self._shown, key_ids=ids)
        self._keys, self._good_at_seconds, self._trouble = keys, time.monotonic(), ""

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:  # a line for each trouble, not for each look
            log.warning(
                "token keys not taken",
                variable="WAYBILL_JWT_JWKS",
                place=self._shown,
                reason=trouble,
                keys_kept=len(self._keys),
            )
        self._trouble = trouble

    def _read_first(self) -> None:
        try:
            self._take(read_jwks(_read(Path(self._place))))
        except OSError as error:
            raise SettingsError([f"WAYBILL_JWT_JWKS={self._shown} cannot be read: {error.strerror}."]) from error
        except ValueError as error:
            raise SettingsError([f"WAYBILL_JWT_JWKS={self._shown} cannot be used: {error}."]) from error

    @property
    def _shown(self) -> str:
        return without_passwords(self._place)


class SecretKeys:
    """Secrets in place of an issuer's keys: a token names none of them, so that each is tried."""

    problems: Sequence[str] = ()

    def __init__(self, keys: Sequence[SignatureKey]) -> None:
        self._keys = keys

    async def named(self, _key_id: str | None) -> Sequence[SignatureKey]:
        """Give all of them."""
        return self._keys

    async def run(self) -> None:
        """Return at once: secrets come with the settings."""


def _insist_on_url(place: str) -> None:
    try:
        httpx.URL(place)
    except httpx.InvalidURL:
        raise SettingsError([f"WAYBILL_JWT_JWKS={without_passwords(place)} is no URL that can be called."]) from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(limits.MAX_JWKS_BYTES + 1)


async def _fetch(client: httpx.AsyncClient, url: str) -> bytes:
    """Fetch as much as is taken, and one byte more. Raises httpx.HTTPError, and ValueError for another answer."""
    headers = {
        "accept": "application/json",
        "accept-encoding": "identity",
    }  # nothing small may unpack to something huge
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code != 200:
            raise ValueError(f"it answers {response.status_code}")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > limits.MAX_JWKS_BYTES:
                break
    return bytes(body)
