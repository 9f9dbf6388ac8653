"""Somebody else's code: found by the name that a setting gives it (`module:name`), and survived when it misbehaves."""

import functools
import importlib
import inspect
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from shared.errors import SettingsError, WaybillError


def resolve(reference: str, *, setting: str, takes: Sequence[str], must_be_async: bool) -> Callable[..., Any]:
    """Import the callable that `module:name` names, and see that it can be called with what it will be given.

    `takes` names these arguments for the reader. Raises SettingsError, which quotes `setting`.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module may raise anything while it is imported
        raise SettingsError([f"{setting}: {_why_not_imported(module_name, error)}"]) from error
    found: object = getattr(module, name, None)
    if found is None:
        raise SettingsError([f"{setting}: the module {module_name} has no {name}."])
    if not callable(found):
        raise SettingsError([f"{setting}: {name} is no function; it must be callable."])
    call = f"{'async ' if must_be_async else ''}def {name}({', '.join(takes)})"
    if problem := _why_not_called(found, takes):
        raise SettingsError([f"{setting}: {name} cannot be called with ({', '.join(takes)}): {problem}. Write {call}."])
    if must_be_async and not is_async(found):
        raise SettingsError([f"{setting}: {name} is no coroutine function. Write {call}."])
    return found


def is_async(function: object) -> bool:
    """Tell whether calling this gives a coroutine: a coroutine function, one in a partial, an object with such a call.

    A wrapper that says what it wraps (functools.wraps) is believed to pass its coroutine on.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):  # calling it makes an object, whatever its instances do when they are called
        return False
    call = getattr(function, "__call__", None)  # noqa: B004  # what it does when it is called is asked, not whether
    return any(inspect.iscoroutinefunction(inspect.unwrap(one)) for one in (function, call) if callable(one))


def harmless(error: BaseException, *, raised_by: str) -> Exception:
    """Give an error that a future takes and that ends no process: sys.exit in a hook is a hook that failed."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"{raised_by} raised {type(error).__name__}")
    wrapped.add_note("".join(traceback.format_exception(error)))
    return wrapped


def _why_not_called(function: Callable[..., Any], arguments: Sequence[str]) -> str | None:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        return str(error)
    except ValueError:  # what is written in C may have no signature to look at
        return None
    return None


def _why_not_imported(module_name: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name}. Install it, or set PYTHONPATH to the directory that it is in."
    place = traceback.extract_tb(error.__traceback__)[-1]
    reason = error.message if isinstance(error, WaybillError) else f"{type(error).__name__}: {error}"
    return f"the module {module_name} cannot be imported: {reason} ({place.filename}, line {place.lineno})."
