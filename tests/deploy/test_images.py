"""The Dockerfile and the compose file hold what they promise, as far as it can be seen without an engine."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, assert_none
from tests.deploy.compose import INTERPOLATED, SECRETS, breaches_of_compose, breaches_of_users
from tests.deploy.compose_secrets import made_secrets, remade_users
from tests.deploy.dockerfile import read
from tests.deploy.image_rules import breaches_of_images, context_files

DOCKER_DIR = ROOT / "deploy" / "docker"
DOCKERFILE = (DOCKER_DIR / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (DOCKER_DIR / "compose.yaml").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8")
ACL_LINE = (ROOT / "deploy" / "local" / "users.acl").read_text(encoding="utf-8").strip()


def said_by(tool: str, *arguments: str) -> str:
    """Run a program of this environment; give what it found, which is nothing where all is well."""
    command = [str(Path(sys.executable).parent / tool), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def changed(text: str, old: str, new: str) -> str:
    """Replace what must be there."""
    assert old in text, f"the file has no {old!r} any more"
    return text.replace(old, new)


def of_compose(text: str) -> list[str]:
    return breaches_of_compose(text, DOCKER_DIR, read(DOCKERFILE))


def test_dockerfile_holds_what_it_promises() -> None:
    assert_none(breaches_of_images(DOCKERFILE, ROOT, IGNORED))


def test_compose_file_holds_what_it_promises() -> None:
    assert_none(of_compose(COMPOSE))


def test_secrets_of_the_docs_are_all_that_the_compose_file_asks_for_and_are_taken(tmp_path: Path) -> None:
    [script, *_] = re.findall(r"^```sh\n(.+?)^```", DOCS, re.MULTILINE | re.DOTALL)

    secrets = made_secrets(tmp_path, script)

    docker = tmp_path / "deploy" / "docker"
    rules = (docker / "users.acl").read_text(encoding="utf-8")
    assert secrets.keys() == {*INTERPOLATED.findall(COMPOSE), "REDIS_SUPERUSER_PASSWORD"}
    assert len(set(secrets.values())) == 5
    assert (docker / ".env").stat().st_mode & 0o077 == 0
    assert (docker / "users.acl").stat().st_mode & 0o777 == 0o644  # Redis reads it as 999
    assert not [secret for secret in secrets.values() if secret in rules]
    assert_none(breaches_of_users(rules, ACL_LINE))
    assert_none(breaches_of_compose(COMPOSE, DOCKER_DIR, read(DOCKERFILE), secrets))


def test_secrets_that_are_there_stay_and_two_passwords_are_taken_while_one_is_rotated(tmp_path: Path) -> None:
    first = made_secrets(tmp_path)
    again = made_secrets(tmp_path)
    rules = remade_users(tmp_path, again | {"REDIS_PASSWORD": "new", "REDIS_OLD_PASSWORD": first["REDIS_PASSWORD"]})

    assert again == first
    assert_none(breaches_of_users(rules, ACL_LINE))
    [ours] = [line for line in rules.splitlines() if line.startswith("user waybill ")]
    assert [word for word in ours.split() if word.startswith("#")] == [
        f"#{hashlib.sha256(password.encode()).hexdigest()}" for password in ("new", first["REDIS_PASSWORD"])
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("user default off", "user default on nopass", "default user is on"),
        ("user superuser on #", "user superuser on nopass #", "no superuser with a password"),
        ("-@all +@stream", "+@all +@stream", "other rights"),
    ],
)
def test_broken_users_are_seen(old: str, new: str, told: str, tmp_path: Path) -> None:
    rules = remade_users(tmp_path, SECRETS)

    assert told in "\n".join(breaches_of_users(changed(rules, old, new), ACL_LINE))


def test_build_is_sent_no_more_than_it_needs() -> None:
    sent = context_files(ROOT, IGNORED)

    top = {path.partition("/")[0] for path in sent}  # the client sends .dockerignore itself along
    assert top == {
        *(
            ".dockerignore",
            ".gitignore",
            "LICENSE",
            "README.md",
            "pyproject.toml",
            "requirements.lock",
            "requirements-node.lock",
        ),
        *("deploy", "gateway", "processor", "shared"),
    }
    assert not [path for path in sent if {"node_modules", "__pycache__", "dist", ".env"} & set(Path(path).parts)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("COPY shared/ shared/", "COPY shared/ common/ shared/", "common/"),
        ("COPY shared/ shared/", "COPY docs/ docs/", "docs/"),
        ("--from=processor-installed", "--from=installed", "installed, which is no stage"),
        ("USER 10001:10001", "USER waybill", "runs as waybill"),
        ("USER 10001:10001", "USER 0:0", "runs as 0:0"),
        ("USER 10001:10001\n", "", "runs as root"),
        ("PYTHONSAFEPATH=1", "REDIS_PASSWORD=x", "REDIS_PASSWORD is a secret"),
        ("ARG PYTHON_IMAGE", "ARG NPM_TOKEN=x\nARG PYTHON_IMAGE", "NPM_TOKEN is a secret"),
        ("python:3.11-slim-bookworm", "python:slim", "not pinned"),
        ("python:3.11-slim-bookworm", "python:latest", "not pinned"),
        ('ENTRYPOINT ["python", "-m", "gateway"]', "ENTRYPOINT python -m gateway", "gateway starts"),
        ('ENTRYPOINT ["python", "-m", "processor"]', 'ENTRYPOINT ["python", "-m", "gateway"]', "processor starts"),
        ("EXPOSE 9091", "EXPOSE 9091\nCMD []", "would be an argument"),
        ("EXPOSE 8080 9090", "EXPOSE 8000 9090", "gateway exposes"),
        ("WAYBILL_PORT=8080", "WAYBILL_PORT=80", "its default is 8080"),
        ("WAYBILL_ADMIN_HOST=", "WAYBILL_ADMIN_ADDRESS=", "WAYBILL_ADMIN_ADDRESS, which is none"),
        ("FROM runtime AS gateway", "FROM wheel AS gateway", "fetches what stays inside"),
        ("RUN python -m pip uninstall", "RUN apt-get install curl && pip uninstall", "fetches what stays inside"),
        ("EXPOSE 9091", "COPY --from=wheel /src /src\nEXPOSE 9091", "more than its environment"),
        ('CMD ["python", "/opt/healthcheck.py", "livez"]', "CMD curl -f localhost:9090/livez", "looked at by curl"),
    ],
)
def test_a_broken_dockerfile_is_seen(old: str, new: str, told: str) -> None:
    found = breaches_of_images(changed(DOCKERFILE, old, new), ROOT, IGNORED)

    assert told in "\n".join(found)


def test_a_source_that_is_ignored_is_seen() -> None:
    found = breaches_of_images(DOCKERFILE, ROOT, changed(IGNORED, "!requirements.lock\n", ""))

    assert found == ["wheel copies requirements.lock, which is not there or is ignored"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("WAYBILL_LIST_FILES:", "WAYBILL_LIST_FILE:", "WAYBILL_LIST_FILE, which is none"),
        ("WAYBILL_AUTH: keys", "WAYBILL_AUTH: everybody", "WAYBILL_AUTH='everybody'"),
        ("      WAYBILL_AUTH: keys\n", "", "must be a loopback address"),
        ("redis://redis:6379/0", "http://redis:6379/0", "REDIS_URL"),
        ("s3://originals?", "s3://bundles?", "must lie outside of"),
        ("stop_grace_period: 30s", "stop_grace_period: 10s", "killed after 10s"),
        ('"127.0.0.1:9090:9090"', '"127.0.0.1:9090:9091"', "does not listen on 9091"),
        ('"127.0.0.1:7070:7070"', '"7070:7070"', "on all networks"),
        ("noeviction", "allkeys-lru", "maxmemory-policy noeviction"),
        ('- "1024"', '- "4096"', "stream-node-max-bytes 1024"),
        ("      - --maxmemory\n      - 1gb\n", "", "no maxmemory"),
        ("    file: users.acl\n", "    content: user default off\n", "redis is read-only, so the config redis_users"),
        (
            "    file: catalogue.jsonl\n",
            "    environment: CATALOGUE\n",
            "gateway is read-only, so the config catalogue",
        ),
        ("redis:8.2-bookworm", "redis:latest", "not pinned"),
        ("versitygw:v1.8.0", "versitygw:v1.7.0", "another version"),
        ("target: gateway", "target: gatewy", "no stage"),
        ("file: buckets.py", "file: bucket.py", "bucket.py, which is not there"),
        ("source: buckets", "source: bucket", "config bucket, which is not there"),
        ("  read_only: true", "  read_only: false", "may write"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "keeps rights"),
        ("    healthcheck:\n      disable: true\n", "", "no healthcheck"),
        ("ROOT_SECRET_KEY: ${S3_SECRET_ACCESS_KEY:?is not set, see docs/docker.md}", "ROOT_SECRET_KEY: s", "from .env"),
        ("REDIS_PASSWORD: ${REDIS_PASSWORD:?is", "REDIS_PASSWORD: ${REDIS_PASSWORD:-is", "from .env"),
    ],
)
def test_a_broken_compose_file_is_seen(old: str, new: str, told: str) -> None:
    found = of_compose(changed(COMPOSE, old, new))

    assert told in "\n".join(found)


def test_linters_find_nothing() -> None:
    assert said_by("hadolint", str(DOCKER_DIR / "Dockerfile")) == ""
    assert said_by("shellcheck", *map(str, DOCKER_DIR.glob("*.sh"))) == ""
    assert said_by("check-jsonschema", *SCHEMA, str(DOCKER_DIR / "compose.yaml")) == ""


SCHEMA = ("--builtin-schema", "vendor.compose-spec")


@pytest.mark.parametrize(
    ("tool", "arguments", "text", "told"),
    [
        ("hadolint", (), changed(DOCKERFILE, "WORKDIR /src", "RUN cd /src"), "DL3003"),
        ("shellcheck", (), "#!/bin/sh\nrm -rf $1/*\n", "SC2086"),
        ("check-jsonschema", SCHEMA, changed(COMPOSE, "depends_on:", "depend_on:"), "depend_on"),
    ],
)
def test_linters_see_what_is_wrong(tmp_path: Path, tool: str, arguments: tuple[str, ...], text: str, told: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")

    assert told in said_by(tool, *arguments, str(path))
