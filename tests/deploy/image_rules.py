"""What must hold of deploy/docker/Dockerfile. Each rule gives the sentences of its breaches."""

import re
from collections.abc import Iterator
from pathlib import Path

from docker.utils import exclude_paths

from shared.programs import PROGRAMS
from shared.setting import settings_of
from tests.deploy.dockerfile import Dockerfile, Instruction, read

SECRET = re.compile(r"secret|passw|token|api_?key|credential|private", re.IGNORECASE)
PINNED = re.compile(r"^[a-z][\w./-]*:v?\d+\.\d+[\w.-]*$")
FETCHES = re.compile(r"\b(apt-get|apk|pip|uv pip|uv|npm) (install|add|ci|sync)\b|\b(curl|wget)\b")


def breaches_of_images(text: str, root: Path, ignored: str) -> list[str]:
    """Check a Dockerfile whose context is `root`, less what .dockerignore's text excludes."""
    dockerfile = read(text)
    found = [*unseen_sources(dockerfile, root, ignored), *secrets_inside(dockerfile), *loose_bases(dockerfile)]
    for program in PROGRAMS:
        found += [*wrong_user(dockerfile, program), *wrong_command(dockerfile, program)]
        found += [*wrong_ports(dockerfile, program), *wrong_settings(dockerfile, program)]
        found += [*leftover_tools(dockerfile, program), *wrong_health(dockerfile, program)]
    return found


def context_files(root: Path, ignored: str) -> set[str]:
    """Give the files that a build is sent, as the Docker client decides it."""
    return {path for path in exclude_paths(str(root), ignored.splitlines()) if (root / path).is_file()}


def unseen_sources(dockerfile: Dockerfile, root: Path, ignored: str) -> Iterator[str]:
    """COPY of what is not there, or not in the context; from a stage that is not there."""
    sent = context_files(root, ignored)
    for stage in dockerfile.stages.values():
        for copy in stage.all("COPY"):
            origin, sources, _ = parts_of_copy(copy)
            if origin is not None:
                if origin not in list(dockerfile.stages)[: list(dockerfile.stages).index(stage.name)]:
                    yield f"{stage.name} copies from {origin}, which is no stage before it"
                continue
            for source in sources:
                if not any(path == source or path.startswith(f"{source.rstrip('/')}/") for path in sent):
                    yield f"{stage.name} copies {source}, which is not there or is ignored"


def parts_of_copy(copy: Instruction) -> tuple[str | None, list[str], str]:
    """Give the stage that a COPY takes from (None: the context), its sources, and where they go."""
    words = copy.words
    origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    *sources, target = words
    return origin, sources, target


def secrets_inside(dockerfile: Dockerfile) -> Iterator[str]:
    """Secrets in ENV or ARG, which everybody reads who has the image."""
    named = [*dockerfile.arguments]
    for stage in dockerfile.stages.values():
        named += [word.partition("=")[0] for kind in ("ENV", "ARG") for each in stage.all(kind) for word in each.words]
    yield from (f"{name} is a secret, and stays in the image" for name in named if SECRET.search(name))


def loose_bases(dockerfile: Dockerfile) -> Iterator[str]:
    """Base images without a version."""
    for stage in dockerfile.stages.values():
        if stage.base not in dockerfile.stages and not PINNED.match(stage.base):
            yield f"{stage.name} is built on {stage.base}, which is not pinned to a version"


def wrong_user(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """A user who is root, or is a name: Kubernetes can tell only of a number that it is not 0."""
    user = dockerfile.last(program, "USER")
    if user is None or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user.text):
        yield f"{program} runs as {user.text if user else 'root'}, not as a number that is not 0"


def wrong_command(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """A command that is not the program, or that a shell stands before, which would take its signals."""
    entry = dockerfile.last(program, "ENTRYPOINT")
    if entry is None or not entry.text.startswith("[") or entry.words != ["python", "-m", program]:
        yield f"{program} starts {entry.text if entry else 'nothing'}"
    if dockerfile.last(program, "CMD") is not None:
        yield f"{program} has a CMD, which would be an argument"


def wrong_ports(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """Ports that are not those of the settings."""
    environment = dockerfile.environment_of(program)
    settings = {setting.variable: setting.default for setting in settings_of(PROGRAMS[program])}
    for name in {"WAYBILL_PORT", "WAYBILL_ADMIN_PORT"} & settings.keys():
        if environment.get(name, settings[name]) != settings[name]:
            yield f"{program} has {name}={environment[name]}; its default is {settings[name]}"
    exposed = dockerfile.last(program, "EXPOSE")
    wanted = {settings[name] for name in ("WAYBILL_PORT", "WAYBILL_ADMIN_PORT") if name in settings}
    if exposed is None or set(exposed.words) != wanted:
        yield f"{program} exposes {exposed.text if exposed else 'nothing'}, and listens on {sorted(wanted)}"


def wrong_settings(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """Variables of ours that the program does not know."""
    known = {setting.variable for setting in settings_of(PROGRAMS[program])}
    for name in dockerfile.environment_of(program):
        if name.startswith(("WAYBILL_", "REDIS_")) and name not in known:
            yield f"{program} is given {name}, which is none of its settings"


def leftover_tools(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """Anything that is fetched in the stages that an image consists of, or copied from elsewhere than /opt/waybill."""
    for instruction in dockerfile.instructions_of(program):
        if instruction.name == "RUN" and FETCHES.search(instruction.text):
            yield f"{program} fetches what stays inside: {instruction.text}"
        is_taken = instruction.name == "COPY" and "--from=" in instruction.text
        if is_taken and parts_of_copy(instruction)[1:] != (["/opt/waybill"], "/opt/waybill"):
            yield f"{program} takes more than its environment: {instruction.text}"


def wrong_health(dockerfile: Dockerfile, program: str) -> Iterator[str]:
    """No look at the process, or one that needs a shell or a program that is not there."""
    health = dockerfile.last(program, "HEALTHCHECK")
    command = health.text.partition(" CMD ")[2] if health else ""
    if not command.startswith('["python", "/opt/healthcheck.py", '):
        yield f"{program} is looked at by {command or 'nobody'}"
