"""The address at which a browser fetches an object: made at the click, so that no stored link can run out."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from shared.objects.location import S3Options

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

    from shared.objects.cloudfront import CloudFrontSigner


class Linker:
    """Makes the links of one bucket, in the way that its options choose."""

    def __init__(self, options: S3Options, client: "S3Client") -> None:
        """Take the client whose endpoint the links are to name. Reads the CloudFront key; raises SettingsError."""
        self._options = options
        self._client: S3Client = client
        self._cloudfront: CloudFrontSigner | None = _cloudfront_signer(options)

    async def link(
        self, name: str, *, content_disposition: str, content_type: str, longest_seconds: int, now_seconds: int
    ) -> str | None:
        """Give the URL of the object called `name` in the bucket, or None when links are not wanted."""
        lifetime_seconds = max(1, min(self._options.link_seconds, longest_seconds))
        if self._options.links == "gateway":
            return None
        if self._options.links == "presigned":
            return await self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._options.bucket,
                    "Key": name,
                    "ResponseContentDisposition": content_disposition,
                    "ResponseContentType": content_type,
                },
                ExpiresIn=lifetime_seconds,
            )
        url = f"{(self._options.cdn_url or '').rstrip('/')}/{quote(name)}"
        if self._cloudfront is None:
            return url  # S3 lets only signed requests choose headers: the browser sees those of the object
        headers = {"response-content-disposition": content_disposition, "response-content-type": content_type}
        url = f"{url}?{urlencode(headers, quote_via=quote)}"
        return self._cloudfront.sign(url, expires_at_seconds=now_seconds + lifetime_seconds)


def _cloudfront_signer(options: S3Options) -> "CloudFrontSigner | None":
    if options.links != "cloudfront":
        return None
    from shared.objects.cloudfront import CloudFrontSigner  # noqa: PLC0415  # cryptography, for those who need it

    assert options.cloudfront_key_id is not None
    assert options.cloudfront_key_file is not None
    return CloudFrontSigner.load(options.cloudfront_key_id, Path(options.cloudfront_key_file))
