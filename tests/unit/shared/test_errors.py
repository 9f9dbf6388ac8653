"""The tree of errors as its docstring draws it."""

import re
from collections.abc import Iterator

from shared import callback_errors, caller_errors, errors, limit_errors

MODULES = {module.__name__ for module in (errors, callback_errors, caller_errors, limit_errors)}


def descendants(kind: type[errors.WaybillError]) -> Iterator[str]:
    """Name a class and everything below it in the modules of the tree."""
    yield kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ in MODULES:
            yield from descendants(child)


def test_the_tree_in_the_docstring_names_every_error_once() -> None:
    drawn = re.findall(r"\b[A-Z]\w+\b", (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0])

    assert sorted(drawn) == sorted(descendants(errors.WaybillError))
