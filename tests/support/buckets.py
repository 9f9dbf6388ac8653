"""Two buckets of a real S3 server for a whole system: the sources of cargo.py, and room for bundles."""

import json
from typing import Self

from tests.support import cargo
from tests.support.depots import S3Depot
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, S3Server


class Buckets:
    """The buckets, past every proxy."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.sources, self.bundles = (S3Depot(server.options(server.new_bucket()), server.client) for _ in range(2))

    @classmethod
    def stocked(cls, server: S3Server) -> Self:
        """Make two buckets, with everything of cargo.py in the first one."""
        made = cls(server)
        for file in cargo.ALL:
            made.sources.put(file.key, file.content)
        return made

    def settings(self, *, port: int | None = None, links: str = "presigned") -> dict[str, str]:
        """Give what a gateway or a processor has to know; `port` is that of a proxy in front of the server."""
        options = f"endpoint=http://127.0.0.1:{port or self.server.port}&style=path&links={links}"
        return {
            "WAYBILL_SOURCES_URL": f"{_url(self.sources)}?{options}",
            "WAYBILL_OBJECTS_URL": f"{_url(self.bundles)}?{options}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def let_read_sources(self, user: str) -> None:
        """Allow a user to read the sources, and nothing else."""
        bucket = self.sources.location.bucket
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": [user]},
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.server.client.put_bucket_policy(Bucket=bucket, Policy=policy)

    def left_behind(self) -> tuple[list[str], int]:
        """Give the keys of the bundles' bucket, and how many open uploads hold parts there.

        One without parts was begun and not heard of: it costs nothing, and is aborted when it is an orphan.
        """
        return self.bundles.objects(), self.bundles.count_uploads_with_parts()


def _url(depot: S3Depot) -> str:
    return f"s3://{depot.location.bucket}/{depot.location.prefix}"
