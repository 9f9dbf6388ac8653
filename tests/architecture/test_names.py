"""Names carry their unit, and say what a thing is.

Two bugs of well-known job queues came from names without a unit: seconds added to a millisecond timestamp, and seconds
documented for a field in milliseconds.
"""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.architecture.source_tree import FIRST_PARTY, PRODUCT, Module, assert_none, breaches, modules, parse

QUANTITIES = frozenset("age delay duration elapsed interval latency lease length period size timeout ttl wait".split())
NAMELESS = frozenset({"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"})
# (path, name): why the name cannot be ours.
UNITLESS_FOR_A_REASON: dict[tuple[str, str], str] = {}


def unitless_quantities(module: Module) -> Iterator[tuple[str, str]]:
    """Where and what: numeric fields, parameters and constants whose name ends in a quantity without its unit."""
    for line, name in _numeric_names(module.syntax):
        if name.lower().rsplit("_", 1)[-1] in QUANTITIES:
            yield f"{module.path}:{line}", name


def unitless(module: Module) -> Iterator[str]:
    """The unit-less names that have no reason."""
    for place, name in unitless_quantities(module):
        if (module.path, name) not in UNITLESS_FOR_A_REASON:
            yield f"{place} {name} needs a unit at its end: _ms, _seconds, _bytes …"


def nameless(module: Module) -> Iterator[str]:
    """Modules and packages named after having no name."""
    for part in PurePosixPath(module.path.removesuffix(".py")).parts:
        if part in NAMELESS:
            yield f"{module.path}: {part} says nothing; find the noun"


def _numeric_names(syntax: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(syntax):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if _is_numeric_type(annotation):
                yield node.lineno, name
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=annotation, value=value):
                if _is_numeric_type(annotation) or (value is not None and _is_numeric_value(value)):
                    yield node.lineno, name
    bodies = [syntax.body, *(node.body for node in ast.walk(syntax) if isinstance(node, ast.ClassDef))]
    for body in bodies:
        for statement in body:
            if isinstance(statement, ast.Assign) and _is_numeric_value(statement.value):
                yield from (
                    (statement.lineno, target.id) for target in statement.targets if isinstance(target, ast.Name)
                )


def _is_numeric_type(annotation: ast.expr) -> bool:
    match annotation:
        case ast.Name(id="int" | "float"):
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_numeric_type(left) or _is_numeric_type(right)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
            return _is_numeric_type(first)
        case ast.Subscript(value=ast.Name(id="Final" | "ClassVar" | "Optional"), slice=inner):
            return _is_numeric_type(inner)
        case ast.Constant(value=str() as quoted):
            return _is_numeric_type(ast.parse(quoted, mode="eval").body)
    return False


def _is_numeric_value(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.UnaryOp(operand=operand):
            return _is_numeric_value(operand)
        case ast.BinOp(left=left, right=right):
            return _is_numeric_value(left) or _is_numeric_value(right)
    return False


def test_numbers_name_their_unit() -> None:
    assert_none(breaches(unitless, modules(*PRODUCT)))


def test_every_exception_from_units_is_still_needed() -> None:
    found = {(module.path, name) for module in modules(*PRODUCT) for _, name in unitless_quantities(module)}

    assert set(UNITLESS_FOR_A_REASON) <= found


def test_modules_are_named_after_a_thing() -> None:
    assert_none(breaches(nameless, modules(*FIRST_PARTY)))


@pytest.mark.parametrize(
    "text",
    [
        "LEASE = 15",
        "MAX_AGE = 24 * 60 * 60",
        "def wait_for(timeout: float) -> None: ...",
        "def f(*, poll_interval: int | None = None) -> None: ...",
        "class Part:\n    size: int",
        "class Part:\n    size: Annotated[int, Meta(ge=0)]",
        "class Part:\n    def __init__(self) -> None:\n        self.delay: float = 0.1",
        "IDLE_TIMEOUT: Final = 2.5",
        "def f(ttl: 'int') -> None: ...",
    ],
)
def test_a_number_without_its_unit_is_seen(text: str) -> None:
    assert list(unitless(parse("shared/limits.py", text)))


@pytest.mark.parametrize(
    "text",
    ["LEASE_MS = 15_000", "def f(timeout_seconds: float) -> None: ...", "delay: timedelta", "sizes: dict[str, int]"],
)
def test_a_number_with_its_unit_is_accepted(text: str) -> None:
    assert list(unitless(parse("shared/limits.py", text))) == []


@pytest.mark.parametrize("path", ["shared/utils.py", "gateway/common/wire.py", "processor/helpers/__init__.py"])
def test_a_module_without_a_name_is_seen(path: str) -> None:
    assert list(nameless(parse(path, "")))


def test_no_limit_is_set_twice() -> None:
    """After a merge the second would win in silence."""
    [limits] = [module for module in modules("shared") if module.path == "shared/limits.py"]
    names = [
        target.id
        for statement in limits.syntax.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]

    assert sorted(names) == sorted(set(names))
