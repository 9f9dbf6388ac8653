"""The dev overlay: what it puts into its store, on a real S3 server, and that its parts know each other's passwords."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy.k8s.installations import installation
from tests.deploy.k8s.manifests import texts_of
from tests.support.s3_server import (
    ACCESS_KEY,
    SECRET_KEY,
    VERSITYGW,
    require_s3_server,
    running_server,
)


def test_the_job_of_the_buckets_runs_and_makes_what_the_catalogue_names() -> None:
    dev = installation("dev")
    [pod] = dev.pods_of("buckets")
    script, endpoint, catalogue, *buckets = pod.containers[0]["command"][1:]
    [service] = [service for service in dev.of("Service") if service["metadata"]["name"] == "waybill-objects"]
    assert endpoint == f"http://waybill-objects:{service['spec']['ports'][0]['port']}"
    with tempfile.TemporaryDirectory() as home, running_server(require_s3_server()) as server:
        files = {}
        for path, name in ((script, "waybill-buckets"), (catalogue, "waybill-catalogue")):
            files[path] = Path(home) / Path(path).name
            files[path].write_text(texts_of(dev.get("ConfigMap", name))[Path(path).name])
        command = [sys.executable, str(files[script]), server.url, str(files[catalogue]), *buckets]
        own = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

        subprocess.run(command, env=os.environ | own, check=True, timeout=60)

        stored = {entry["Key"] for entry in server.client.list_objects_v2(Bucket=buckets[0])["Contents"]}
        assert stored == {json.loads(line)["key"] for line in files[catalogue].read_text().splitlines()}
    for program in ("gateway", "processor"):
        own = dev.environment_of(program)
        assert [own[f"WAYBILL_{store}_URL"].partition("?")[0] for store in ("SOURCES", "OBJECTS")] == [
            f"s3://{bucket}" for bucket in buckets
        ]
        assert own["WAYBILL_SOURCES_URL"].partition("endpoint=")[2].startswith(endpoint)


def test_dev_runs_the_store_of_the_tests_with_the_keys_of_the_programs() -> None:
    dev = installation("dev")

    [objects] = dev.pods_of("objects")
    assert objects.containers[0]["image"] == f"docker.io/versity/versitygw:{VERSITYGW.partition('@')[2]}"
    keys = {dev.environment_of(program)["AWS_SECRET_ACCESS_KEY"] for program in ("gateway", "processor")}
    assert keys == {texts_of(dev.get("Secret", "waybill-objects"))["secret_access_key"]}


def test_dev_runs_the_redis_of_the_users_file_with_their_passwords() -> None:
    dev = installation("dev")

    users = texts_of(dev.get("Secret", "waybill-redis-users"))["users.acl"]
    for user in ("gateway", "processor", "admin"):
        own = texts_of(dev.get("Secret", f"waybill-{user}"))
        assert own["REDIS_USERNAME"] == user
        assert f"user {user} on >{own['REDIS_PASSWORD']} " in users
