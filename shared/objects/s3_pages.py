"""What stands on a page of an S3 list (Amazon S3: ListObjectsV2, ListMultipartUploads, ListParts). Pure.

Keys are given below the store's prefix, times as milliseconds since 1970.
"""

from datetime import datetime
from typing import Any

from shared.objects.info import ObjectInfo, OpenUpload, PartTag, is_key
from shared.objects.s3_checksum import decoded


def listed_objects(page: Any, prefix: str) -> list[ObjectInfo]:
    """Read the objects whose keys can be ours."""
    found = [
        ObjectInfo(one["Key"].removeprefix(prefix), one["Size"], one["ETag"].strip('"'), _ms(one["LastModified"]))
        for one in page.get("Contents", [])
    ]
    return [info for info in found if is_key(info.key)]


def listed_uploads(page: Any, prefix: str) -> list[OpenUpload]:
    """Read the uploads that are neither completed nor aborted."""
    return [
        OpenUpload(one["Key"].removeprefix(prefix), one["UploadId"], _ms(one["Initiated"]))
        for one in page.get("Uploads", [])
    ]


def listed_parts(page: Any) -> list[PartTag]:
    """Read the parts of an upload; a CRC-32 is there where the store keeps one."""
    return [
        PartTag(one["PartNumber"], one["Size"], one["ETag"], decoded(one.get("ChecksumCRC32", "")))
        for one in page.get("Parts", [])
    ]


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
