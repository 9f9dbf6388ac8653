"""What bench_bundle measures, each in a process of its own: `python -m tests.load.bundle_contenders NAME ARGUMENT…`."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from processor.bundle.handler import BundleHandler
from processor.context import RunContext
from shared.jobs import Checkpoint, JobRecord, JobState, make_job_id
from shared.objects.catalogue import CatalogueFile
from shared.objects.location import DirectoryOptions, StoreLocation, parse_location
from shared.objects.manifest import Manifest
from shared.objects.opening import open_store

COPIES_AT_ONCE = 10  # what the AWS command line calls max_concurrent_requests


def bundle_directory(home: str, *, files_under: str = "sources") -> None:
    """Bundle all files below `home`/sources into `home`/objects, as a processor does."""
    keys = sorted(path.name for path in (Path(home) / files_under).iterdir())
    uvloop.run(_bundle(keys, DirectoryOptions(f"{home}/{files_under}"), DirectoryOptions(f"{home}/objects")))


def bundle_s3(sources: str, bundles: str, count: str) -> None:
    """Bundle the objects 0 … count - 1 of one location into another one."""
    locations = parse_location(sources, variable="sources"), parse_location(bundles, variable="bundles")
    uvloop.run(_bundle([f"{number}" for number in range(int(count))], *locations))


async def _bundle(keys: list[str], sources: StoreLocation, bundles: StoreLocation) -> None:
    files = [CatalogueFile(position + 1, key, key) for position, key in enumerate(keys)]
    catalogue = Manifest(files, path=Path("catalogue.jsonl"))
    job = JobRecord(
        job_id=make_job_id(0, 1),
        owner="bench",
        state=JobState.PROCESSING,
        file_ids=tuple(range(1, len(keys) + 1)),
        epoch=1,
        seq=2,
        entry="1-0",
        created_at_ms=0,
        updated_at_ms=0,
    )
    async with open_store(sources) as source_store, open_store(bundles) as bundle_store:
        handler = BundleHandler(catalogue, sources=source_store)
        await handler(
            job, RunContext(objects=bundle_store, confirm=_confirmed, keep=_kept, on_first_report=lambda: None)
        )


async def _confirmed() -> None:
    """Stand in for the engine, whose lease is not what is measured."""


async def _kept(_checkpoint: Checkpoint) -> None:
    """Stand in for the engine again."""


def copy_s3(endpoint: str, sources: str, bundles: str, count: str) -> None:
    """Copy objects as `aws s3 cp s3://… - | aws s3 cp - s3://…` does: GET, and multipart PUT on ten threads."""
    client = boto3.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))
    for number in range(int(count)):
        body: Any = client.get_object(Bucket=sources, Key=f"{number}")["Body"]
        client.upload_fileobj(body, bundles, f"copy-{number}")


def copy_small_s3(endpoint: str, sources: str, bundles: str, count: str) -> None:
    """Copy objects as `aws s3 sync` through this machine would: GET and PUT, ten objects side by side."""
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=COPIES_AT_ONCE)
    client = boto3.client("s3", endpoint_url=endpoint, config=config)

    def copy(number: int) -> None:
        content = client.get_object(Bucket=sources, Key=f"{number}")["Body"].read()
        client.put_object(Bucket=bundles, Key=f"copy-{number}", Body=content)

    with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
        list(threads.map(copy, range(int(count))))


def zipstream(home: str) -> None:
    """Write the same archive to a file with zipstream-ng."""
    from zipstream import ZipStream

    stream = ZipStream(sized=True)
    for path in sorted((Path(home) / "sources").iterdir()):
        stream.add_path(path, path.name)
    with (Path(home) / "zipstream.zip").open("wb") as archive:
        archive.writelines(stream)


CONTENDERS: dict[str, Callable[..., None]] = {
    "bundle_directory": bundle_directory,
    "bundle_s3": bundle_s3,
    "copy_s3": copy_s3,
    "copy_small_s3": copy_small_s3,
    "zipstream": zipstream,
}

if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](*sys.argv[2:])
