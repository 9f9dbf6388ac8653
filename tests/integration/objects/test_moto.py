"""What moto knows and small servers do not: storage classes and encryption."""

from typing import Any

import msgspec
import pytest

from shared.errors import ObjectArchived
from shared.objects.opening import open_store
from tests.integration.objects.uploads import put
from tests.support.depots import S3Depot


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
async def test_an_archived_object_is_told_at_the_first_look(moto_depot: S3Depot, storage_class: Any) -> None:
    bucket, name = moto_depot.location.bucket, moto_depot.name("a")
    moto_depot.client.put_object(Bucket=bucket, Key=name, Body=b"cold", StorageClass=storage_class)

    async with open_store(moto_depot.location) as store:
        with pytest.raises(ObjectArchived, match=rf"a in the bucket {bucket} lies in the class {storage_class}"):
            await store.head("a")

        moto_depot.client.restore_object(Bucket=bucket, Key=name, RestoreRequest={"Days": 1})
        assert (await store.head("a")).size_bytes == 4


@pytest.mark.parametrize("storage_class", ["GLACIER_IR", "STANDARD_IA", "INTELLIGENT_TIERING"])
async def test_other_classes_are_read_at_once(moto_depot: S3Depot, storage_class: Any) -> None:
    bucket, name = moto_depot.location.bucket, moto_depot.name("a")
    moto_depot.client.put_object(Bucket=bucket, Key=name, Body=b"cool", StorageClass=storage_class)

    async with open_store(moto_depot.location) as store:
        assert (await store.head("a")).size_bytes == 4


@pytest.mark.parametrize(
    "wanted", [{"sse": "AES256"}, {"sse": "aws:kms"}, {"sse": "aws:kms", "sse_kms_key_id": "alias/waybill"}]
)
async def test_bundles_are_encrypted_as_the_options_say(moto_depot: S3Depot, wanted: dict[str, str]) -> None:
    options = msgspec.structs.replace(moto_depot.location, **wanted)

    async with open_store(options) as store:
        await put(store, "a.zip", b"hello")

    found = moto_depot.client.head_object(Bucket=options.bucket, Key=moto_depot.name("a.zip"))
    assert found["ServerSideEncryption"] == wanted["sse"]
    assert found.get("SSEKMSKeyId") == wanted.get("sse_kms_key_id")
    assert found["ContentType"] == "application/zip"
