"""Variables of the environment that look like settings and are none. Pure: the environment is passed in."""

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shared.programs import PROGRAMS
from shared.setting import PREFIX, settings_of

# Of our prefix, but nobody's setting: `make run` and the tests read them.
_READ_ELSEWHERE = frozenset({"WAYBILL_HOME", "WAYBILL_REQUIRE_TOOLS"})


class _Family(NamedTuple):
    """How variables of ours begin, and how near to ours the rest of a name must be (difflib; 1 is the same).

    `is_shared`: other programs have variables that begin so.
    """

    prefix: str
    near_ratio: float
    is_shared: bool


_NEAR_PREFIX_RATIO = 0.8  # WAYBIL, REDI
_FAMILIES = (
    _Family(PREFIX, 0.75, is_shared=False),  # one wrong, missing or additional letter in four
    _Family("REDIS_", 0.65, is_shared=True),  # its names are short: URI for URL, USER for USERNAME
)


def likely_misspelt(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Give the variables that look like one of ours and are none, each with the one that was probably meant.

    Beside that one too: of two addresses of Redis whoever set both has to know which one counts.
    """
    known = {setting.variable for kind in PROGRAMS.values() for setting in settings_of(kind)} | _READ_ELSEWHERE
    found: list[tuple[str, str]] = []
    for variable in sorted(environment.keys() - known):
        for family in _FAMILIES:
            meant = _meant(variable.upper(), family, known)
            if meant:
                found.append((variable, meant))
    return found


def _meant(name: str, family: _Family, known: Iterable[str]) -> str | None:
    """Give the variable of a family that a name is near to, in its beginning and in the rest."""
    head, separator, rest = name.partition("_")
    if not difflib.get_close_matches(head + separator, [family.prefix], 1, _NEAR_PREFIX_RATIO):
        return None
    # NAME is near to USERNAME, and means something else.
    begins = family.prefix + rest[:1] if family.is_shared else ""
    by_rest = {name.removeprefix(family.prefix): name for name in sorted(known) if name.startswith(begins)}
    return next((by_rest[near] for near in difflib.get_close_matches(rest, by_rest, 1, family.near_ratio)), None)
