"""One mutant: a guard taken out of the code, and the tests that must turn red. The list of them is mutants.toml."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

LIST = Path(__file__).with_name("mutants.toml")


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of one file that takes a guard away.

    `text` stands in `file` exactly once and becomes `becomes`; `why` says what the guard prevents. Each of `tests`
    (pytest's ids, without parameters) must fail then.
    """

    name: str
    why: str
    file: str
    text: str
    becomes: str
    tests: tuple[str, ...]

    def apply_to(self, root: Path) -> bool:
        """Change the file below `root`; False, and nothing is changed, when the text does not stand there once."""
        path = root / self.file
        before = path.read_text(encoding="utf-8")
        if before.count(self.text) != 1:
            return False
        path.write_text(before.replace(self.text, self.becomes), encoding="utf-8")
        return True


def read_list() -> list[Mutant]:
    """Read mutants.toml."""
    return msgspec.convert(tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"], list[Mutant])


def rotten(mutant: Mutant, root: Path) -> Iterator[str]:
    """Say what in a mutant no longer fits the tree below `root`."""
    before = (root / mutant.file).read_text(encoding="utf-8") if (root / mutant.file).is_file() else ""
    if (count := before.count(mutant.text)) != 1:
        yield f"{mutant.name}: its text stands {count} times in {mutant.file}"
    if mutant.text == mutant.becomes:
        yield f"{mutant.name}: it changes nothing"
    elif mutant.file.endswith(".py") and not _is_python(before.replace(mutant.text, mutant.becomes)):
        yield f"{mutant.name}: what it makes of {mutant.file} is no Python"
    if not mutant.tests:
        yield f"{mutant.name}: no test is named"
    for test in mutant.tests:
        path, _, name = test.partition("::")
        if not (root / path).is_file() or name not in _functions_of((root / path).read_text(encoding="utf-8")):
            yield f"{mutant.name}: there is no test {test}"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _functions_of(text: str) -> set[str]:
    definitions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.parse(text).body if isinstance(node, definitions)}
