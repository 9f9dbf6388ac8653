"""A pod that is given something wrong says which variable it is, in its first line that is no good news.

It ends with code 2 where only a new pod helps, and stays, unready, where waiting may: the orchestrator then shows it.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.jobstore import keys
from tests.deploy.k8s.installations import installation
from tests.support.ports import free_ports
from tests.support.service import Service
from tests.support.waiting import until

PROGRAMS = ("gateway", "processor")
EXAMPLE_TICKET = "k1:EXAMPLE-of-random-text-of-32-characters-or-more"
NOBODY = "redis://nobody.invalid:6379/0"
NO_BUCKET = "s3://bundles?endpoint=http://127.0.0.1:9&region=eu-central-1&style=path"
AWS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A Redis with a password, in which jobs of two partitions are."""
    with EmbeddedValkey(tmp_path_factory.mktemp("redis"), durable=True) as server:
        ask(server.port, "SET", keys.PARTITIONS, "2")
        ask(server.port, "ACL", "SETUSER", "gateway", "on", ">right", "~*", "&*", "+@all")
        yield server


@pytest.fixture
def start(tmp_path: Path, redis: EmbeddedValkey) -> Iterator["Starter"]:
    """Start programs; they are gone afterwards."""
    starter = Starter(tmp_path, redis)
    yield starter
    starter.close()


class Starter:
    """Starts programs with settings that are right, but for those that are given."""

    def __init__(self, home: Path, redis: EmbeddedValkey) -> None:
        self.home = home
        self._redis = redis
        self._services: list[Service] = []
        for directory in ("sources", "objects"):
            (home / directory).mkdir()

    def __call__(self, program: str, wrong: Mapping[str, str]) -> Service:
        """Start one."""
        port, admin_port = free_ports(2)
        right = {
            "REDIS_URL": self._redis.url,
            "WAYBILL_PARTITIONS": "2",
            "WAYBILL_CATALOGUE": "template:{file_id}",
            "WAYBILL_SOURCES_DIR": str(self.home / "sources"),
            "WAYBILL_OBJECTS_DIR": str(self.home / "objects"),
            # Fewer than any machine allows: the warning would be the first line.
            "WAYBILL_MAX_STREAMS": "100",
        }
        ports = {"WAYBILL_PORT": str(port), "WAYBILL_ADMIN_PORT": str(admin_port), "WAYBILL_ADMIN_HOST": "127.0.0.1"}
        log_path = self.home / f"{program}-{len(self._services)}.log"
        self._services.append(Service(program, {**right, **wrong, **ports}, log_path))
        return self._services[-1]

    def close(self) -> None:
        """End them."""
        for service in self._services:
            service.close()


def first_bad_news(service: Service) -> str:
    """Give the first line that is no good news: of the log from `warning` on, or of a program that cannot run."""

    def look() -> str:
        for line in service.log_path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("{") or json.loads(line)["level"] != "info":
                return line
        return ""

    return until(look, "it says what is wrong")


ENDS = {
    "a wrong scheme of Redis": ("REDIS_URL", {"REDIS_URL": "http://redis:6379"}),
    "no port of Redis": ("REDIS_URL", {"REDIS_URL": "redis://redis:port"}),
    "no authority of Redis": ("REDIS_URL", {"REDIS_URL": "rediss://redis:6379?ca_file=/nowhere/ca.crt"}),
    "many partitions": ("WAYBILL_PARTITIONS", {"WAYBILL_PARTITIONS": "many"}),
    "too many partitions": ("WAYBILL_PARTITIONS", {"WAYBILL_PARTITIONS": "5000"}),
    "fewer partitions than there are": ("WAYBILL_PARTITIONS", {"WAYBILL_PARTITIONS": "1"}),
    "no bucket in the URL": ("WAYBILL_OBJECTS_URL", {"WAYBILL_OBJECTS_URL": "s3://"}),
    "an unknown option of the bucket": ("WAYBILL_OBJECTS_URL", {"WAYBILL_OBJECTS_URL": "s3://bundles?zone=1"}),
    "no catalogue": ("WAYBILL_CATALOGUE", {"WAYBILL_CATALOGUE": "/nowhere/catalogue.jsonl"}),
}
WAITS = {
    "a Redis that is not there": ("REDIS_URL", {"REDIS_URL": NOBODY}),
    "a Redis that does not listen": ("REDIS_URL", {"REDIS_URL": "redis://127.0.0.1:9"}),
    "no password": ("REDIS_PASSWORD", {"REDIS_USERNAME": "gateway"}),
    "another password": ("REDIS_PASSWORD", {"REDIS_USERNAME": "gateway", "REDIS_PASSWORD": "wrong"}),
}


# Both read them with the same code: each is shown with the one or the other.
@pytest.mark.parametrize(
    ("program", "variable", "wrong"),
    [(program, *ends) for program, ends in zip(itertools.cycle(PROGRAMS), ENDS.values(), strict=False)],
    ids=ENDS,
)
def test_what_only_a_new_pod_mends_ends_it_with_a_line(
    start: Starter, program: str, variable: str, wrong: dict[str, str]
) -> None:
    service = start(program, wrong)

    assert service.exit_code() == 2
    assert variable in first_bad_news(service)


@pytest.mark.parametrize(("variable", "wrong"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_may_come_is_waited_for_unready_with_a_line(
    start: Starter, program: str, variable: str, wrong: dict[str, str]
) -> None:
    service = start(program, wrong)

    assert variable in first_bad_news(service)
    until(service.is_alive_and_unready, "it waits, and says that it is not ready")
    assert "REDIS_URL" in service.ask("/readyz").text
    assert service.ask("/startedz").status_code == 503


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [
        ("WAYBILL_TICKET_SECRETS", {"WAYBILL_AUTH": "keys", "WAYBILL_TICKET_SECRETS": EXAMPLE_TICKET}),
        ("WAYBILL_JWT_SECRETS", {"WAYBILL_AUTH": "jwt"}),
        ("WAYBILL_AUTH", {"WAYBILL_AUTH": ""}),
        ("WAYBILL_AUTH", {"WAYBILL_HOST": "0.0.0.0"}),
    ],
    ids=["an example", "no secret", "an empty one", "none at all"],
)
def test_a_missing_secret_ends_a_gateway_with_a_line(start: Starter, variable: str, wrong: dict[str, str]) -> None:
    gateway = start("gateway", wrong)

    assert gateway.exit_code() == 2
    assert variable in first_bad_news(gateway)


def test_a_processor_waits_for_a_bucket_that_does_not_answer_and_names_it(start: Starter) -> None:
    processor = start("processor", AWS | {"WAYBILL_OBJECTS_URL": NO_BUCKET})

    assert "WAYBILL_OBJECTS_URL" in first_bad_news(processor)
    until(lambda: "store of objects cannot be used" in _unready(processor), "it says so")


def _unready(service: Service) -> str:
    return service.ask("/readyz").text if service.is_alive_and_unready() else ""


@pytest.mark.parametrize(
    ("program", "examples"),
    [
        ("gateway", {"REDIS_PASSWORD", "WAYBILL_TICKET_SECRETS"}),
        ("processor", {"REDIS_PASSWORD", "WAYBILL_TICKET_SECRETS", "WAYBILL_CALLBACK_SECRETS"}),
    ],
)
def test_the_prod_overlay_as_it_is_shipped_starts_nothing_and_names_each_example(
    start: Starter, program: str, examples: set[str]
) -> None:
    shipped = installation("prod").environment_of(program)
    shipped["REDIS_URL"] = shipped["REDIS_URL"].replace("/etc/waybill/redis/ca.crt", str(start.home / "ca.crt"))
    (start.home / "ca.crt").write_text(installation("prod").get("ConfigMap", "waybill-redis-ca")["data"]["ca.crt"])

    service = start(program, shipped)

    assert service.exit_code() == 2
    log = service.log_path.read_text(encoding="utf-8")
    assert set(re.findall(r"(\w+) holds the example", log)) == examples
