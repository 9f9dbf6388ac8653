"""Links other than presigned ones; nothing is asked of a server."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.errors import SettingsError
from shared.objects.location import S3Options
from shared.objects.opening import open_store

CDN = "https://downloads.example.com/files/"


async def link(options: S3Options) -> str | None:
    async with open_store(options) as store:
        return await store.link(
            "b/ü.zip", content_disposition='attachment; filename="x.zip"', content_type="a/b", longest_seconds=60
        )


async def test_a_domain_is_put_before_the_key() -> None:
    options = S3Options(bucket="bundles", prefix="p", links="domain", cdn_url=CDN)

    assert await link(options) == "https://downloads.example.com/files/p/b/%C3%BC.zip"


async def test_through_the_gateway_there_is_no_link() -> None:
    assert await link(S3Options(bucket="bundles", links="gateway")) is None


async def test_cloudfront_urls_carry_name_and_type_under_their_signature(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(pem)
    options = S3Options(
        bucket="bundles",
        links="cloudfront",
        cdn_url=CDN,
        cloudfront_key_id="K1",
        cloudfront_key_file=str(tmp_path / "key.pem"),
    )

    url = urlsplit(await link(options) or "")

    query = parse_qs(url.query)
    assert url.path == "/files/b/%C3%BC.zip"
    assert query["response-content-disposition"] == ['attachment; filename="x.zip"']
    assert query["response-content-type"] == ["a/b"]
    assert list(query)[-3:] == ["Expires", "Signature", "Key-Pair-Id"]


async def test_a_ca_bundle_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="is not a file"):
        await link(S3Options(bucket="bundles", ca_bundle="/nowhere/ca.pem"))
