"""Reads a Dockerfile into its stages, as far as ours goes: no heredocs, no parser directives."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction: its name in capitals, and the rest with its lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form (a JSON array), or those that stand there."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)


class Stage(NamedTuple):
    """What stands between one FROM and the next. `base` may be another stage's name, or an image's."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Give the instructions of a kind."""
        return [instruction for instruction in self.instructions if instruction.name == name]


class Dockerfile(NamedTuple):
    """The stages in their order, and what its ARGs before the first are by default."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    def line_of(self, name: str) -> list[Stage]:
        """Give a stage behind all that it is built on, the lowest first."""
        stage = self.stages[name]
        return [*(self.line_of(stage.base) if stage.base in self.stages else []), stage]

    def instructions_of(self, name: str) -> list[Instruction]:
        """Give everything that an image has of its stage and of those below it, oldest first."""
        return [instruction for stage in self.line_of(name) for instruction in stage.instructions]

    def environment_of(self, name: str) -> dict[str, str]:
        """Give the environment in which an image's command starts."""
        pairs = [
            word.partition("=") for each in self.instructions_of(name) if each.name == "ENV" for word in each.words
        ]
        return {variable: text for variable, _, text in pairs}

    def last(self, name: str, kind: str) -> Instruction | None:
        """Give the one instruction of a kind that counts in an image; None when there is none."""
        found = [instruction for instruction in self.instructions_of(name) if instruction.name == kind]
        return found[-1] if found else None


def read(text: str) -> Dockerfile:
    """Read a Dockerfile."""
    arguments: dict[str, str] = {}
    stages: dict[str, list[Instruction]] = {}
    bases: dict[str, str] = {}
    current: list[Instruction] | None = None
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            image, _, name = instruction.text.partition(" AS ")
            bases[name] = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], image)
            current = stages[name] = []
        elif current is None:
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
        else:
            current.append(instruction)
    return Dockerfile(arguments, {name: Stage(name, bases[name], tuple(held)) for name, held in stages.items()})


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        yield Instruction(name, " ".join(rest.split()))
