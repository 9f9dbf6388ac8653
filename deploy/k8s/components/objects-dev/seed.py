"""Make the two buckets of the dev overlay, and put three files into that of the sources. Again and again is fine."""

import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKETS = ("originals", "bundles")
FILES = {
    f"files/{file_id}": os.urandom(size_bytes) for file_id, size_bytes in ((1, 1_000), (2, 9_000_000), (3, 50_000))
}
HAVE_IT = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main() -> None:
    """Raises as botocore does while the server is not there; the Job tries again."""
    config = Config(s3={"addressing_style": "path"})
    store = boto3.client("s3", endpoint_url=os.environ["SEED_ENDPOINT"], region_name="us-east-1", config=config)
    for bucket in BUCKETS:
        try:
            store.create_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in HAVE_IT:
                raise
    for key, content in FILES.items():
        store.put_object(Bucket=BUCKETS[0], Key=key, Body=content)


main()
