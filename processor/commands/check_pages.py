"""What doctor found, as text for a terminal, and as one line of JSON. Pure."""

import json
from collections import Counter
from collections.abc import Sequence

import msgspec

from processor.commands.check import Check, Standing
from processor.commands.letter_pages import printable
from processor.commands.wording import count, wrapped

_STANDING_CHARS = max(map(len, Standing)) + 2


def check_page(checks: Sequence[Check], *, width: int) -> list[str]:
    """Write each check as a row, its remedy below it behind an arrow; the last line counts them."""
    name_chars = max(len(check.name) for check in checks) + 2
    indent = " " * (_STANDING_CHARS + name_chars)
    lines = []
    for check in checks:
        first = f"{check.standing:<{_STANDING_CHARS}}{check.name:<{name_chars}}"
        where = f"{check.where}: " if check.where else ""
        lines += wrapped(printable(where + check.found), width=width, first=first, indent=indent)
        lines += wrapped(printable(check.remedy), width=width, first=f"{indent}→ ", indent=f"{indent}  ")
    return [*lines, "", _summary(checks)]


def check_json(checks: Sequence[Check], *, redis: str) -> str:
    """Write all checks as one line of JSON."""
    standing = Counter(check.standing for check in checks)
    shown = {
        "redis": redis,
        **{str(kind): standing[kind] for kind in Standing},
        "checks": msgspec.to_builtins(checks),
    }
    # By json and not by msgspec, because it escapes what is not ASCII: a terminal may be what reads it.
    return json.dumps(shown)


def _summary(checks: Sequence[Check]) -> str:
    standing = Counter(check.standing for check in checks)
    parts = [f"{standing[Standing.WRONG]} wrong", count(standing[Standing.NOTE], "note")]
    if mended := standing[Standing.MENDED]:
        parts.append(f"{mended} mended")
    return ", ".join(parts) + "."
