"""Opens a store wherever it is: the one place that knows all kinds of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.errors import SettingsError
from shared.objects.directory import ObjectDirectory
from shared.objects.location import DirectoryOptions, StoreLocation
from shared.objects.store import ObjectStore


@asynccontextmanager
async def open_store(location: StoreLocation) -> AsyncIterator[ObjectStore]:
    """Give the store at a location, ready for use until the end of the block.

    Nothing is asked of a remote store yet. Raises SettingsError when it cannot be used on this machine.
    """
    if isinstance(location, DirectoryOptions):
        yield ObjectDirectory(Path(location.path))
        return
    try:
        # Only here: botocore costs a second of start and 30 MB, which a directory shall not pay.
        from shared.objects.s3 import S3ObjectStore  # noqa: PLC0415
    except ImportError as error:
        sentence = f"A store in S3 needs the extra `s3`: pip install '.[s3]' in the checkout ({error})."
        raise SettingsError([sentence]) from error
    async with S3ObjectStore.opened(location) as store:
        yield store
