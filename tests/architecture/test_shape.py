"""Modules and functions are short enough to be read in one sitting, and say what they do."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import PRODUCT, Module, assert_none, breaches, modules, parse

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def undocumented(module: Module) -> Iterator[str]:
    """Modules, public classes, and public functions of modules and public classes that have no docstring."""
    if module.syntax.body and ast.get_docstring(module.syntax) is None:
        yield f"{module.path}:1 the module has no docstring"
    for definition in _public_definitions(module.syntax):
        if ast.get_docstring(definition) is None:
            yield f"{module.path}:{definition.lineno} {definition.name} has no docstring"


def oversized(module: Module) -> Iterator[str]:
    """Modules and functions that are too long."""
    lines = len(module.text.splitlines())
    if lines > MAX_MODULE_LINES:
        yield f"{module.path} has {lines} lines; the limit is {MAX_MODULE_LINES}"
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{module.path}:{node.lineno} {node.name} has {lines} lines; the limit is {MAX_FUNCTION_LINES}"


def _public_definitions(scope: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for node in scope.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        # An overload's implementation, a property's getter and an overridden method say it once for all.
        if any(_last_name(decorator) in ("overload", "override", "setter") for decorator in node.decorator_list):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public_definitions(node)


def _last_name(decorator: ast.expr) -> str:
    return decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")


def test_what_is_public_has_a_docstring() -> None:
    assert_none(breaches(undocumented, modules(*PRODUCT)))


def test_modules_and_functions_are_short() -> None:
    assert_none(breaches(oversized, modules(*PRODUCT)))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        '"""Doc."""\ndef f(): ...',
        '"""Doc."""\nclass A:\n    x = 1',
        '"""Doc."""\nclass A:\n    """Doc."""\n    async def f(self): ...',
    ],
)
def test_a_missing_docstring_is_seen(text: str) -> None:
    assert list(undocumented(parse("shared/jobs.py", text)))


def test_private_and_overriding_definitions_need_no_docstring() -> None:
    methods = "    def __init__(self): ...\n    @override\n    def f(self): ..."
    text = f'"""Doc."""\ndef _f(): ...\nclass A:\n    """Doc."""\n{methods}'

    assert list(undocumented(parse("shared/jobs.py", text))) == []


@pytest.mark.parametrize(
    "text",
    ["\n" * (MAX_MODULE_LINES + 1), "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES],
    ids=["module", "function"],
)
def test_too_long_a_text_is_seen(text: str) -> None:
    assert list(oversized(parse("shared/jobs.py", text)))
