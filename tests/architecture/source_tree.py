"""Reads the project's own files for the rules in this directory.

A rule is a function from one parsed module to the sentences of its breaches, so that the same function can be shown a
small broken example and proven able to fail.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("gateway", "processor", "shared", "deploy")
FIRST_PARTY = (*PRODUCT, "tests")
# Hidden directories belong to tools, except this one.
TRACKED_HIDDEN_DIRS = (".ci",)
UNTRACKED_DIRS = ("__pycache__", "build", "dist", "node_modules")


class Module(NamedTuple):
    """A Python source file; `path` is relative to the repository's root, with slashes."""

    path: str
    text: str
    syntax: ast.Module


Rule = Callable[[Module], Iterable[str]]


def parse(path: str, text: str) -> Module:
    """A module as a rule sees it."""
    return Module(path, text, ast.parse(text, path))


@cache
def modules(*top_level: str) -> tuple[Module, ...]:
    """All modules below the given top-level directories."""
    paths = sorted(path for name in top_level for path in (ROOT / name).rglob("*.py"))
    return tuple(parse(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def breaches(rule: Rule, checked: Iterable[Module]) -> list[str]:
    """The rule's sentences about all of the modules."""
    return [sentence for module in checked for sentence in rule(module)]


def assert_none(sentences: Iterable[str]) -> None:
    """Fails with all of the sentences, one a line; a comparison with [] would show the first alone."""
    found = list(sentences)
    assert not found, "\n" + "\n".join(found)


def imported_names(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, wherever the import stands."""
    package = module.path.removesuffix(".py").removesuffix("/__init__").split("/")
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level] if node.level else []
            source = ".".join((*above, *filter(None, [node.module])))
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def tracked_files() -> Iterator[Path]:
    """The files that belong to the project. Works without git, in an unpacked archive too."""
    for entry in sorted(ROOT.iterdir()):
        if entry.is_file() and entry.name != ".venv.lock":
            yield entry
        elif entry.is_dir() and (not entry.name.startswith(".") or entry.name in TRACKED_HIDDEN_DIRS):
            yield from _files_below(entry)


def _files_below(directory: Path) -> Iterator[Path]:
    if directory.name in UNTRACKED_DIRS or directory.name.endswith(".egg-info"):
        return
    for entry in sorted(directory.iterdir()):
        if entry.is_dir():
            yield from _files_below(entry)
        elif not entry.is_symlink():
            yield entry
