"""The dev overlay: what it puts into its store, on a real S3 server, and that its parts know each other's passwords."""

import os
import subprocess
import sys

from tests.deploy.k8s.installations import K8S, installation
from tests.deploy.k8s.manifests import texts_of
from tests.support.s3_server import (
    ACCESS_KEY,
    MINIO_IMAGE,
    SECRET_KEY,
    require_s3_server,
    running_server,
)

SEED = K8S / "components/objects-dev/seed.py"


def test_seed_makes_buckets_and_files_however_often_it_runs() -> None:
    with running_server(require_s3_server()) as server:
        own = {"SEED_ENDPOINT": server.url, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        for _ in range(2):
            subprocess.run([sys.executable, str(SEED)], env=os.environ | own, check=True, timeout=60)

        assert {bucket["Name"] for bucket in server.client.list_buckets()["Buckets"]} == {"originals", "bundles"}
        stored = server.client.list_objects_v2(Bucket="originals")["Contents"]
        template = installation("dev").environment_of("gateway")["WAYBILL_CATALOGUE"]
        assert [entry["Key"] for entry in stored] == [
            template.removeprefix("template:").format(file_id=number) for number in (1, 2, 3)
        ]


def test_dev_runs_the_store_of_the_tests_with_the_keys_of_the_programs() -> None:
    dev = installation("dev")

    [objects] = dev.pods_of("objects")
    assert objects.containers[0]["image"] == f"docker.io/{MINIO_IMAGE}"
    keys = {dev.environment_of(program)["AWS_SECRET_ACCESS_KEY"] for program in ("gateway", "processor")}
    assert keys == {texts_of(dev.get("Secret", "waybill-objects"))["secret_access_key"]}


def test_dev_runs_the_redis_of_the_users_file_with_their_passwords() -> None:
    dev = installation("dev")

    users = texts_of(dev.get("Secret", "waybill-redis-users"))["users.acl"]
    for user in ("gateway", "processor", "admin"):
        own = texts_of(dev.get("Secret", f"waybill-{user}"))
        assert own["REDIS_USERNAME"] == user
        assert f"user {user} on >{own['REDIS_PASSWORD']} " in users
