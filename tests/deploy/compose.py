"""What must hold of deploy/docker/compose.yaml; each rule gives the sentences of its breaches."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.local.valkey import SHIPPED_SETTINGS
from shared.environment import load
from shared.errors import SettingsError
from shared.programs import PROGRAMS
from shared.setting import settings_of
from tests.deploy.dockerfile import Dockerfile
from tests.deploy.image_rules import PINNED, SECRET
from tests.support.s3_server import VERSITYGW

INTERPOLATED = re.compile(r"\$\{(\w+):\?[^}]*\}")
HASHED = "#[0-9a-f]{64}"
"""A password in a rule of Redis, as its SHA-256."""
FOREIGN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""What our programs read that is none of their settings."""
SECRETS = {
    "REDIS_PASSWORD": "a-password-of-nobody",
    "REDIS_SUPERUSER_PASSWORD": "a-password-of-no-superuser",
    "S3_SECRET_ACCESS_KEY": "a-secret-of-nobody-at-all",
    "WAYBILL_TICKET_SECRETS": "k1:a-ticket-secret-of-nobody-at-all-0123",
    "WAYBILL_CALLBACK_SECRETS": "whsec_" + "A" * 40,
}
"""As somebody's .env might have them."""
MADE_BY_SECRETS = "users.acl"
"""The file that secrets.sh makes beside the compose file, and no repository has."""

Service = dict[str, Any]


def filled_in(text: str, secrets: Mapping[str, str] = SECRETS) -> dict[str, Any]:
    """Read a compose file as it is with these secrets."""
    filled: dict[str, Any] = yaml.safe_load(INTERPOLATED.sub(lambda found: secrets[found[1]], text))
    return filled


def breaches_of_compose(
    text: str, directory: Path, dockerfile: Dockerfile, secrets: Mapping[str, str] = SECRETS
) -> list[str]:
    """Check a compose file in its directory."""
    plain, compose = yaml.safe_load(text), filled_in(text, secrets)
    services: dict[str, Service] = compose["services"]
    found = [*given_secrets(plain["services"]), *missing_files(compose, directory), *copied_configs(compose)]
    found += wrong_redis(services["redis"])
    if services["objects"]["image"].rpartition(":")[2] != VERSITYGW.rpartition("@")[2]:
        found.append("objects is of another version than the S3 server of the tests")
    for name, service in services.items():
        found += [*unguarded(name, service), *open_ports(name, service), *loose_image(name, service, dockerfile)]
    for program in PROGRAMS:
        found += wrong_program(program, services[program], dockerfile)
    return found


def given_secrets(services: dict[str, Service]) -> Iterator[str]:
    """Secrets that have a value in the file, or a default."""
    for name, service in services.items():
        for variable, text in service.get("environment", {}).items():
            is_secret = SECRET.search(variable) or variable == "REDISCLI_AUTH"
            if is_secret and not INTERPOLATED.fullmatch(text) and variable != "AWS_ACCESS_KEY_ID":
                yield f"{name} has a value for {variable}, which must come from .env"


def missing_files(compose: dict[str, Any], directory: Path) -> Iterator[str]:
    """Files that are not there, and such as a service names that the file does not."""
    for name, config in compose["configs"].items():
        is_ours = config.get("file") not in (None, MADE_BY_SECRETS)
        if is_ours and not (directory / config["file"]).is_file():
            yield f"the config {name} is {config['file']}, which is not there"
    for name, service in compose["services"].items():
        for used in service.get("configs", []):
            if used["source"] not in compose["configs"]:
                yield f"{name} uses the config {used['source']}, which is not there"


def copied_configs(compose: dict[str, Any]) -> Iterator[str]:
    """Configs that Compose would copy into a container whose root is read-only: it refuses to start."""
    for name, service in compose["services"].items():
        for used in service.get("configs", []) if service.get("read_only") else []:
            if "file" not in compose["configs"].get(used["source"], {"file": "missing, which is told elsewhere"}):
                yield f"{name} is read-only, so the config {used['source']} must be a file"


def breaches_of_users(rules: str, acl_line: str) -> Iterator[str]:
    """Check what Redis is to read; `acl_line` is the rule that deploy/local has for Redis' user."""
    default, superuser, ours = rules.splitlines()
    if default != "user default off":
        yield "Redis' default user is on, and needs no password"
    if not re.fullmatch(rf"user superuser on {HASHED} ~\* &\* \+@all", superuser):
        yield "Redis has no superuser with a password, so nobody can change a setting"
    name, _, rights = acl_line.partition(">change-me")
    if not re.fullmatch(re.escape(name) + rf"{HASHED}( {HASHED})?" + re.escape(rights), ours):
        yield "Redis' user waybill has other rights than in deploy/local/users.acl"


def options_of(command: list[str]) -> dict[str, str]:
    """Give the options of a server's command line that have values."""
    return {name.removeprefix("--"): value for name, value in itertools.pairwise(command) if "--" in name}


def wrong_redis(redis: Service) -> Iterator[str]:
    """Settings of Redis by which jobs can be lost, or take more memory than they must."""
    options = options_of(redis["command"])
    wanted = {**SHIPPED_SETTINGS, "appendonly": "yes", "appendfsync": "everysec"}
    yield from (f"Redis needs {name} {text}" for name, text in wanted.items() if options.get(name) != text)
    if "maxmemory" not in options:
        yield "Redis has no maxmemory, so no gateway knows when it is full"


def unguarded(name: str, service: Service) -> Iterator[str]:
    """Containers that may write, have rights that they do not need, or that nobody looks at."""
    if service.get("read_only") is not True:
        yield f"{name} may write into its image"
    if service.get("cap_drop") != ["ALL"] or service.get("security_opt") != ["no-new-privileges:true"]:
        yield f"{name} keeps rights that it does not need"
    if "healthcheck" not in service:
        yield f"{name} has no healthcheck"


def open_ports(name: str, service: Service) -> Iterator[str]:
    """Ports that others than this machine can reach."""
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            yield f"{name} publishes {port} on all networks"


def loose_image(name: str, service: Service, dockerfile: Dockerfile) -> Iterator[str]:
    """Images without a version, and targets that the Dockerfile has not."""
    if "build" in service:
        if service["build"]["target"] not in dockerfile.stages:
            yield f"{name} builds {service['build']['target']}, which is no stage of the Dockerfile"
    elif not PINNED.match(service["image"]):
        yield f"{name} is {service['image']}, which is not pinned to a version"


def wrong_program(program: str, service: Service, dockerfile: Dockerfile) -> Iterator[str]:
    """What a program of ours would refuse, not know, or not be able to keep to."""
    kind = PROGRAMS[program]
    known = {setting.variable for setting in settings_of(kind)}
    for variable in service["environment"]:
        if variable not in known and variable not in FOREIGN:
            yield f"{program} is given {variable}, which is none of its settings"
    try:
        settings = load(kind, {**dockerfile.environment_of(program), **service["environment"]})
    except SettingsError as refused:
        yield from refused.problems
        return
    if service["stop_grace_period"] != f"{settings.stop_grace_seconds:g}s":  # type: ignore[attr-defined]
        yield f"{program} is killed after {service['stop_grace_period']}, and believes something else"
    exposed = dockerfile.last(program, "EXPOSE")
    for port in service.get("ports", []):
        if exposed is None or port.rpartition(":")[2] not in exposed.words:
            yield f"{program} does not listen on {port.rpartition(':')[2]}"
