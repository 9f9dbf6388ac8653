"""A JSON value that msgspec refuses, in our own words: which member it is, and what it may be. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

MAX_SHOWN_CHARS = 40

_MEMBER = re.compile(r"^Object (missing required|contains unknown) field `(.*?)`( - at `\$[^`]*`)?$", re.DOTALL)
_PATH = re.compile(r" - at `\$\.([^`]*)`$")
_INDEX = re.compile(r"\[(\d+)\]$")


def explain(error: msgspec.ValidationError, refused: Any, allowed: Mapping[str, str]) -> str:
    """Say what is wrong with a refused object, as a clause without its full stop.

    `allowed` says of each member what it may be, and of the items of a list under the name of the member with `[]`.
    """
    text = str(error)
    if member := _MEMBER.match(text):
        return _about_member(member[1], member[2], allowed)
    path = _PATH.search(text)
    if path is None:
        return "it must be an object with " + _members(allowed)
    name = path[1]
    may_be = allowed.get(_INDEX.sub("[]", name))
    if may_be is None:
        return f"{name}: {text.partition(' - at ')[0]}"
    return f"{name} must be {may_be}{_shown(refused, name)}"


def _about_member(what: str, name: str, allowed: Mapping[str, str]) -> str:
    if what == "missing required":
        return f"{name} is missing; it must be {allowed[name]}"
    return f"{name!r} is not known; there is {_members(allowed)}"


def _members(allowed: Mapping[str, str]) -> str:
    *others, last = [name for name in allowed if not name.endswith("[]")]
    return f"{', '.join(others)} and {last}" if others else f"{last} alone"


def _shown(refused: Any, name: str) -> str:
    """Quote the value where it is one that people can look at."""
    value = refused[_INDEX.sub("", name)]
    if index := _INDEX.search(name):
        value = value[int(index[1])]
    if isinstance(value, list | dict):
        return ""
    text = repr(value) if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f", not {text}" if len(text) <= MAX_SHOWN_CHARS else ""
