"""One POST to somebody else's server: bounded in time and size, and without following it anywhere.

Owns the HTTP client. It decides nothing: what a reception means is for outcome.py.
"""

import asyncio
import socket
from collections.abc import Mapping

import aiohttp
from yarl import URL

from processor.callbacks.outcome import Reception, Trouble
from shared import limits
from shared.callback_errors import CallbackAddressRefused

_HEADERS = {"User-Agent": "waybill", "Accept-Encoding": "identity", "Content-Type": "application/json"}


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    connector: aiohttp.BaseConnector,
    as_written: bool = False,
    within_seconds: float = limits.CALLBACK_WITHIN_SECONDS,
) -> Reception:
    """Send once. `connector` says where calls may go, and is closed with the call (address_guard).

    `as_written`: the path goes out as it stands in a URL that was judged (`%2f` and `/` are two paths to many
    receivers); else as the client repairs it.
    A user and a password in the URL are sent as Basic authentication. Only the head of an answer is read: its body says
    nothing that we would act on, and may have no end. Whatever goes wrong is a Reception, of which `details` may be
    logged: they have no URL in them, which may be a secret.
    """
    try:
        target = URL(url, encoded=as_written)
    except ValueError as error:
        return Reception(trouble=Trouble.URL_REFUSED, details=type(error).__name__)
    try:
        async with (
            asyncio.timeout(within_seconds),
            _session(connector, within_seconds) as session,
            session.post(target, data=body, headers=dict(headers), allow_redirects=False) as response,
        ):
            return Reception(response.status, retry_after=response.headers.get("Retry-After"))
    except (aiohttp.ClientError, OSError, CallbackAddressRefused) as error:  # TimeoutError is an OSError
        return Reception(trouble=_trouble(error), details=_details(error))


def _session(connector: aiohttp.BaseConnector, within_seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        # Neither proxies nor passwords of the environment's: who set them did not think of callbacks.
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=within_seconds, sock_connect=limits.CALLBACK_CONNECT_WITHIN_SECONDS),
        # Bodies of answers are not read; nothing of them is to be unpacked either.
        auto_decompress=False,
        headers=_HEADERS,
    )


def _trouble(error: Exception) -> Trouble:
    match error:
        case (
            CallbackAddressRefused()
            | aiohttp.ClientConnectorDNSError()
            | aiohttp.ClientConnectorError(os_error=socket.gaierror())
        ):
            return Trouble.NO_ADDRESS
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return Trouble.NO_TLS
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Trouble.NO_CONNECTION
        case TimeoutError():
            return Trouble.NO_ANSWER
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Trouble.URL_REFUSED
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return Trouble.CLOSED_EARLY
        case aiohttp.ClientError():
            return Trouble.NO_HTTP
    return Trouble.NO_CONNECTION


def _details(error: Exception) -> str:
    """Say for operators what it was; not in the client's own words where these may hold the URL."""
    match error:
        case CallbackAddressRefused():
            return error.message
        case aiohttp.ClientConnectorCertificateError():
            return str(error.certificate_error)
        case OSError(strerror=str(said)):
            return said
    return type(error).__name__
