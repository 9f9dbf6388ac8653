"""The policies of deploy/s3 on a real server: gateway and processor, each with its own rights, do all of their work.

Amazon gives them to roles; here they are given to two users, by the buckets, with the same words.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.deploy.test_s3 import Rules, read
from tests.support import cargo
from tests.support.buckets import Buckets
from tests.support.s3_server import S3Server, new_client, require_s3_server, running_server
from tests.support.system import System
from tests.support.waiting import until

PROGRAMS = ("gateway", "processor")
SECRET = "a-secret-of-a-test"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A real S3 server with a user for each program, who may do nothing yet."""
    with running_server(require_s3_server()) as running:
        for program in PROGRAMS:
            running.add_user(program, SECRET)
        yield running


@pytest.fixture
def buckets(server: S3Server) -> Buckets:
    """The buckets, with the rights that are shipped."""
    made = Buckets.stocked(server)
    names = {"originals": made.sources.location.bucket, "bundles": made.bundles.location.bucket}
    for shown, bucket in names.items():
        given = [statement for program in PROGRAMS for statement in statements_about(shown, bucket, program)]
        policy = json.dumps({"Version": "2012-10-17", "Statement": given})
        server.client.put_bucket_policy(Bucket=bucket, Policy=policy)
    return made


def statements_about(shown: str, bucket: str, program: str) -> Iterator[Rules]:
    """Give what a program's policy says of one bucket, as that bucket says it."""
    for statement in read(f"{program}-policy")["Statement"]:
        places = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        ours = [place.replace(f"example-{shown}", bucket) for place in places if f":example-{shown}" in place]
        if ours:
            yield {
                "Effect": "Allow",
                "Principal": {"AWS": [program]},
                "Action": statement["Action"],
                "Resource": ours,
            }


def settings_of(program: str, buckets: Buckets) -> dict[str, str]:
    """Give a program its keys, which are nobody else's."""
    keys = {"AWS_ACCESS_KEY_ID": program, "AWS_SECRET_ACCESS_KEY": SECRET}
    # A template, so that gateways look files up in the store.
    catalogue = {"WAYBILL_CATALOGUE": "template:{file_id}"}
    return buckets.settings() | keys | catalogue


def test_jobs_are_made_bundled_fetched_and_deleted_with_the_shipped_rights(buckets: Buckets, tmp_path: Path) -> None:
    for file in cargo.MIXED:
        buckets.sources.put(str(file.file_id), file.content)
    with System(tmp_path, gateways=0, processors=0, buckets=buckets) as system:
        system.gateways.append(system.start("gateway", **settings_of("gateway", buckets)))
        processor = system.start("processor", **settings_of("processor", buckets))
        for service in (*system.gateways, processor):
            service.wait_until_ready()

        path = system.create_job(*cargo.MIXED)

        assert system.wait_for_end(path)["status"] == "completed"
        assert system.archive(path)[:4] == b"PK\x03\x04"
        cancelled = system.create_job(*cargo.MIXED)
        system.call("POST", f"{cancelled}/cancel")
        assert system.wait_for_end(cancelled)["status"] in ("cancelled", "completed")
        for gone in (path, cancelled):
            assert system.call("DELETE", gone).status_code == 204
        until(lambda: buckets.left_behind() == ([], 0), "the archives are deleted")
        for service in (*system.gateways, processor):
            refused = [line for line in service.log_lines() if "AccessDenied" in json.dumps(line)]
            assert refused == []


@pytest.mark.parametrize(
    ("program", "where", "call"),
    [
        ("gateway", "sources", "put_object"),
        ("gateway", "bundles", "put_object"),
        ("gateway", "sources", "delete_object"),
        ("gateway", "bundles", "list_multipart_uploads"),
        ("processor", "sources", "put_object"),
        ("processor", "sources", "delete_object"),
    ],
)
def test_what_is_no_work_of_theirs_is_refused(
    server: S3Server, buckets: Buckets, program: str, where: str, call: str
) -> None:
    client: Any = new_client(server.url, program, SECRET)
    bucket = (buckets.sources if where == "sources" else buckets.bundles).location.bucket
    arguments = {} if call.startswith("list") else {"Key": "k"}

    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(client, call)(Bucket=bucket, **arguments)
