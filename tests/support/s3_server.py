"""A real S3 server on this machine: what moto cannot prove is proven on it.

    python -m tests.support.s3_server      builds it where it is missing, and says which one there is

Where a Docker engine answers, MinIO runs in a container; else the first of versitygw and minio on the PATH or in
.tools/ runs as a process. Nothing is built in the midst of a test run: that takes minutes.
"""

import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

from shared.objects.location import S3Options

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
MINIO_IMAGE = "minio/minio:RELEASE.2025-09-07T16-13-09Z"
ACCESS_KEY = "waybill-test"
SECRET_KEY = "not-a-secret-of-anybody"
START_WITHIN_SECONDS = 30


class Found(NamedTuple):
    """A server that can be started; `path` is None for a container."""

    kind: str
    path: str | None

    def __str__(self) -> str:
        return f"{self.kind} ({self.path or MINIO_IMAGE})"


class Certificate(NamedTuple):
    """What a server shows, its key, and the authority by which clients know it (PEM files)."""

    file: Path
    key_file: Path
    ca_file: Path


@functools.cache
def find() -> Found | None:
    """Look for a server, without building or starting anything."""
    if _docker_answers():
        return Found("minio", None)
    path = os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS / "bin")])
    for kind in ("versitygw", "minio"):
        if program := shutil.which(kind, path=path):
            return Found(kind, program)
    return None


def describe() -> str:
    """Say in one line which server the tests use."""
    found = find()
    return f"S3 server: {found}" if found else f"S3 server: none, its tests are skipped ({_ADVICE})"


_ADVICE = "make s3-server builds one with Go"


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "version"], capture_output=True, check=False, timeout=20)
    return asked.returncode == 0


class Runner(Protocol):
    """A server's process or container."""

    def start(self) -> None:
        """Start it; it may not be listening yet."""
        ...

    def stop(self) -> None:
        """Stop it; its data stays."""
        ...


class _Process:
    def __init__(self, found: Found, port: int, home: Path, certificate: Certificate | None) -> None:
        assert found.path is not None
        if certificate is not None and found.kind != "versitygw":
            pytest.skip(f"no certificate is given to {found}")
        tls = ["--cert", str(certificate.file), "--key", str(certificate.key_file)] if certificate else []
        address = f"127.0.0.1:{port}"
        data, users = home / "data", home / "users"
        for directory in (data, users):
            directory.mkdir(exist_ok=True)
        self._log = home / "server.log"
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "ROOT_ACCESS_KEY": ACCESS_KEY,
            "ROOT_SECRET_KEY": SECRET_KEY,
            "MINIO_ROOT_USER": ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": SECRET_KEY,
        }
        self._command = {
            "versitygw": [
                *(found.path, "--quiet", "--keep-alive", "--port", address, "--iam-dir", str(users), *tls),
                *("posix", str(data)),
            ],
            "minio": [found.path, "server", "--quiet", "--address", address, str(data)],
        }[found.kind]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # as a machine that goes away does: connections break in the midst of a body
            self._process.wait()
            self._process = None


class _Container:
    def __init__(self, port: int) -> None:
        from testcontainers.core.container import DockerContainer

        self._container = (
            DockerContainer(MINIO_IMAGE)
            .with_command("server --quiet /data")
            .with_env("MINIO_ROOT_USER", ACCESS_KEY)
            .with_env("MINIO_ROOT_PASSWORD", SECRET_KEY)
            .with_bind_ports(9000, port)
        )
        self._is_made = False

    def start(self) -> None:
        if self._is_made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._is_made = True

    def stop(self) -> None:
        self._container.get_wrapped_container().kill()


class S3Server:
    """A running server. Buckets made by `new_bucket` are empty, and nobody else's."""

    def __init__(self, found: Found, home: Path, certificate: Certificate | None = None) -> None:
        self.found = found
        self.port = _free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self._runner: Runner = (
            _Container(self.port) if found.path is None else _Process(found, self.port, home, certificate)
        )
        self._buckets = 0
        ca_file = certificate.ca_file if certificate else None
        self.client: S3Client = new_client(self.url, ACCESS_KEY, SECRET_KEY, ca_file=ca_file)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._runner.start()
        give_up_at = time.monotonic() + START_WITHIN_SECONDS
        while True:
            try:
                self.client.list_buckets()
            except BotoCoreError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Kill it; its data stays for the next start."""
        self._runner.stop()

    def new_bucket(self) -> str:
        """Make an empty bucket, and give its name."""
        self._buckets += 1
        name = f"bucket-{os.getpid()}-{self._buckets}"
        self.client.create_bucket(Bucket=name)
        return name

    def options(self, bucket: str, **changed: Any) -> S3Options:
        """Give what a store needs to use a bucket of this server."""
        return options_for(self.url, bucket, **changed)

    def add_user(self, access_key: str, secret_key: str) -> None:
        """Make a user who may do nothing."""
        self._administer("create-user", "--access", access_key, "--secret", secret_key, "--role", "user")

    def give(self, bucket: str, access_key: str) -> None:
        """Make a bucket a user's own, who may do everything with it."""
        self._administer("change-bucket-owner", "--bucket", bucket, "--owner", access_key)

    def _administer(self, command: str, *arguments: str) -> None:
        if self.found.kind != "versitygw":
            pytest.skip(f"no way to add a user to {self.found}")
        assert self.found.path is not None
        login = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--endpoint-url", self.url, "--allow-insecure"]
        subprocess.run([self.found.path, "admin", *login, command, *arguments], check=True, capture_output=True)


def options_for(url: str, bucket: str, **changed: Any) -> S3Options:
    """Give what a store needs to use a bucket of a local server."""
    values: dict[str, Any] = {
        "bucket": bucket,
        "prefix": "tenant/a",
        "endpoint_url": url,
        "region": "us-east-1",
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "addressing_style": "path",
    }
    return S3Options(**{**values, **changed})


def new_client(url: str, access_key: str, secret_key: str, *, ca_file: Path | None = None) -> "S3Client":
    """Make a plain client, to prepare and to look past our own code."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        verify=None if ca_file is None else str(ca_file),
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30),
    )


@contextmanager
def running_server(found: Found, certificate: Certificate | None = None) -> Iterator[S3Server]:
    """Run a server until the end of the block, with its data in a temporary directory."""
    with tempfile.TemporaryDirectory() as home:
        server = S3Server(found, Path(home), certificate)
        try:
            server.start()
            yield server
        finally:
            server.client.close()
            server.stop()


def require_s3_server() -> Found:
    """Give a server; without one the test is skipped, or fails where WAYBILL_REQUIRE_TOOLS=1."""
    found = find()
    if found is None:
        reason = f"there is no S3 server ({_ADVICE})"
        if os.environ.get("WAYBILL_REQUIRE_TOOLS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> int:
    """Build a server where there is none; the exit code is 0 when there is one in the end."""
    if find() is None and (go := shutil.which("go")):
        print(f"building {VERSITYGW}, which takes about two minutes …", flush=True)
        environment = {**os.environ, "GOBIN": str(TOOLS / "bin"), "GOPATH": str(TOOLS / "go")}
        environment["GOFLAGS"] = "-modcacherw"
        subprocess.run([go, "install", "-ldflags=-s -w", VERSITYGW], check=True, env=environment, cwd=TOOLS.parent)
        find.cache_clear()
    print(describe())
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
