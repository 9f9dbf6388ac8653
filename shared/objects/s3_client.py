"""The HTTP clients of one bucket: how they connect, whose keys they sign with, and what they leave to us."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.handlers import add_expect_header
from botocore.loaders import create_loader

from shared import limits
from shared.errors import SettingsError
from shared.objects.location import S3Options
from shared.objects.s3_credentials import late_credentials, login_of
from shared.objects.s3_login import Login
from shared.objects.threads import in_thread

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_LOADER = create_loader()  # what describes the API is read once: half a second, and some MB, for each further client


class Clients(NamedTuple):
    """The client of all calls, that of looks, the one whose endpoint links name, and how they came to their keys.

    Looks have connections of their own: when all others are in use, a look that queued with them would be too late.
    """

    calling: "S3Client"
    looking: "S3Client"
    signing: "S3Client"
    login: Callable[[], Login]


@asynccontextmanager
async def opened_clients(options: S3Options) -> AsyncIterator[Clients]:
    """Give the clients of a bucket, until the end of the block. Asks nothing of any server.

    Raises SettingsError when the options cannot be used on this machine.
    """
    botocore_session = get_session()
    botocore_session.register_component("data_loader", _LOADER)
    session = aioboto3.Session(
        botocore_session=botocore_session,
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        aws_session_token=options.session_token,
        region_name=options.region,
        profile_name=options.profile,
    )
    late = late_credentials(botocore_session, options)
    async with AsyncExitStack() as stack:
        calling = signing = await stack.enter_async_context(_client(session, options, options.endpoint_url))
        looking = await stack.enter_async_context(
            _client(session, options, options.endpoint_url, connections=limits.STORE_LOOKS_AT_ONCE)
        )
        if options.public_endpoint_url is not None:  # a signature holds for one host; this client sends nothing
            signing = await stack.enter_async_context(_client(session, options, options.public_endpoint_url))
        yield Clients(calling, looking, signing, partial(login_of, options, late))


@asynccontextmanager
async def _client(
    session: aioboto3.Session, options: S3Options, endpoint_url: str | None, *, connections: int | None = None
) -> "AsyncIterator[S3Client]":
    """Make a client whose calls end in time, and which retries nothing by itself."""
    if options.ca_bundle is not None and not await in_thread(Path(options.ca_bundle).is_file):
        raise SettingsError([f"The CA bundle {options.ca_bundle} of the bucket {options.bucket} is not a file."])
    config = AioConfig(
        connect_timeout=limits.STORE_CONNECT_WITHIN_SECONDS,
        read_timeout=limits.STORE_SILENCE_MAX_SECONDS,
        max_pool_connections=connections or limits.STORE_CONNECTIONS,
        retries={"total_max_attempts": 1},
        signature_version="s3v4",
        # We send a checksum of our own with every part. Left alone, botocore ≥ 1.36 computes them on the event loop,
        # for calls too that S3-alikes then refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": options.addressing_style,
            # The CRC proves the bytes; hashing them too would stop the event loop for 20 ms a part.
            **({"payload_signing_enabled": False} if options.checksums else {}),
        },
    )
    opening = session.client(
        "s3",
        config=config,
        endpoint_url=endpoint_url,
        region_name=session.region_name or "us-east-1",
        verify=options.ca_bundle,
    )
    async with opening as client:
        # A server that does not know `Expect: 100-continue` would let every part wait for its timeout.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        yield client
