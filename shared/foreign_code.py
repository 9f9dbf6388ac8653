"""Somebody else's code: found by the name that a setting gives it (`module:name`), and survived when it misbehaves."""

import importlib
import traceback
from collections.abc import Callable
from typing import Any

from shared.errors import SettingsError, WaybillError


def resolve(reference: str, *, setting: str) -> Callable[..., Any]:
    """Import the callable that `module:name` names. Raises SettingsError, which quotes `setting`."""
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
    return found


def harmless(error: BaseException, *, raised_by: str) -> Exception:
    """Give an error that a future takes and that ends no process: sys.exit in a hook is a hook that failed."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"{raised_by} raised {type(error).__name__}")
    wrapped.add_note("".join(traceback.format_exception(error)))
    return wrapped


def _why_not_imported(module_name: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name}. Install it, or set PYTHONPATH to the directory that it is in."
    place = traceback.extract_tb(error.__traceback__)[-1]
    reason = error.message if isinstance(error, WaybillError) else f"{type(error).__name__}: {error}"
    return f"the module {module_name} cannot be imported: {reason} ({place.filename}, line {place.lineno})."
