"""One thing that was looked at: how it stands, with the figure, and what to do about it. Pure."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Standing(StrEnum):
    """How a thing stands: as it should, worth knowing, to be mended soon, or mended by this very look."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"
    MENDED = "mended"


class Check(msgspec.Struct, frozen=True):
    """A row of what doctor says; `where` is the node of a cluster, "" where there is one server only."""

    standing: Standing
    name: str
    found: str
    remedy: str = ""
    where: str = ""


def gathered(checks: Sequence[Check]) -> list[Check]:
    """Make one row of what is the same on several nodes, and let the rows of one name follow each other."""
    nodes: dict[Check, list[str]] = {}
    for check in checks:
        nodes.setdefault(msgspec.structs.replace(check, where=""), []).append(check.where)
    everywhere = {check.where for check in checks}
    names = list(dict.fromkeys(check.name for check in checks))
    rows = [
        msgspec.structs.replace(check, where="all nodes" if everywhere == set(where) != {""} else ", ".join(where))
        for check, where in nodes.items()
    ]
    return sorted(rows, key=lambda row: names.index(row.name))
