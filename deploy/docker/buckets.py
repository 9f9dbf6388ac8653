"""Makes the buckets of compose.yaml, and in the first the sources that a catalogue names, where they are missing.

    buckets.py <endpoint> <catalogue.jsonl> <bucket of the sources> <bucket of the archives>

The keys are those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Run again, it changes nothing.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REGION = "us-east-1"


class Source(NamedTuple):
    """A file of the catalogue."""

    key: str
    size_bytes: int


def sources_of(catalogue: Path) -> Iterator[Source]:
    """Read the files of a manifest (docs/catalogue.md)."""
    for line in catalogue.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        yield Source(entry["key"], entry["size_bytes"])


def client_of(endpoint: str) -> "S3Client":
    """Make a client of this server, whose buckets stand in the path."""
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 5, "mode": "standard"})
    session = botocore.session.get_session()
    # botocore makes its clients' classes as it runs, so no type of it says more than BaseClient.
    return cast("S3Client", session.create_client("s3", REGION, endpoint_url=endpoint, config=config))


def make_bucket(client: "S3Client", name: str) -> None:
    """Make a bucket unless it is there."""
    if name not in (bucket["Name"] for bucket in client.list_buckets()["Buckets"]):
        client.create_bucket(Bucket=name)


def put_missing(client: "S3Client", bucket: str, source: Source) -> None:
    """Put a source of random bytes, the same on every machine, unless its key is there."""
    found = client.list_objects_v2(Bucket=bucket, Prefix=source.key).get("Contents", [])
    if source.key not in (known["Key"] for known in found):
        client.put_object(Bucket=bucket, Key=source.key, Body=random.Random(source.key).randbytes(source.size_bytes))


def main(endpoint: str, catalogue: str, originals: str, bundles: str) -> None:
    """Make what is missing."""
    client = client_of(endpoint)
    for name in (originals, bundles):
        make_bucket(client, name)
    for source in sources_of(Path(catalogue)):
        put_missing(client, originals, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
