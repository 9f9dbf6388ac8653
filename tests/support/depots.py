"""The same object store in several places, each with a way to look past it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.objects.directory import ObjectDirectory
from shared.objects.info import UPLOAD_PREFIX
from shared.objects.location import DirectoryOptions, S3Options, StoreLocation

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class Depot(Protocol):
    """A place for a store: where it is, and what lies there in truth."""

    @property
    def location(self) -> StoreLocation:
        """Where the store is."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Put an object there, past the store."""
        ...

    def objects(self) -> list[str]:
        """List the keys of all objects."""
        ...

    def count_uploads(self) -> int:
        """Count the uploads that are not ended."""
        ...


class DirectoryDepot:
    """A directory."""

    def __init__(self, root: Path) -> None:
        self.location = DirectoryOptions(str(root))
        self._root = ObjectDirectory(root).root

    def put(self, key: str, content: bytes) -> None:
        """Write the file; its time differs from that of any file before."""
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))

    def objects(self) -> list[str]:
        """List the files that are not hidden."""
        return sorted(
            path.relative_to(self._root).as_posix()
            for path in self._root.rglob("*")
            if path.is_file() and not path.name.startswith(UPLOAD_PREFIX)
        )

    def count_uploads(self) -> int:
        """Count the hidden files, each with its journal as one."""
        return len({path.with_suffix("") for path in self._root.rglob(f"{UPLOAD_PREFIX}*")})


class S3Depot(NamedTuple):
    """A bucket."""

    location: S3Options
    client: "S3Client"

    def put(self, key: str, content: bytes) -> None:
        """Put the object in one go."""
        self.client.put_object(Bucket=self.location.bucket, Key=self.name(key), Body=content)

    def name(self, key: str) -> str:
        """Give a key with the store's prefix."""
        return f"{self.location.prefix}/{key}"

    def get(self, key: str) -> bytes:
        """Read an object past the store."""
        return self.client.get_object(Bucket=self.location.bucket, Key=self.name(key))["Body"].read()

    def remove(self, key: str) -> None:
        """Remove an object past the store."""
        self.client.delete_object(Bucket=self.location.bucket, Key=self.name(key))

    def objects(self) -> list[str]:
        """List what the bucket holds."""
        found = self.client.list_objects_v2(Bucket=self.location.bucket).get("Contents", [])
        return sorted(item["Key"].removeprefix(f"{self.location.prefix}/") for item in found)

    def count_uploads(self) -> int:
        """Count the multipart uploads that are open."""
        return len(self._uploads())

    def count_uploads_with_parts(self) -> int:
        """Count the open uploads in which there is something."""
        bucket = self.location.bucket
        listed = [self.client.list_parts(Bucket=bucket, Key=key, UploadId=id_) for key, id_ in self._uploads()]
        return sum(1 for found in listed if found.get("Parts"))

    def count_parts(self) -> int:
        """Count the parts of all open uploads."""
        bucket = self.location.bucket
        listed = [self.client.list_parts(Bucket=bucket, Key=key, UploadId=id_) for key, id_ in self._uploads()]
        return sum(len(found.get("Parts", [])) for found in listed)

    def _uploads(self) -> list[tuple[str, str]]:
        found = self.client.list_multipart_uploads(Bucket=self.location.bucket).get("Uploads", [])
        return [(upload["Key"], upload["UploadId"]) for upload in found]
